"""SOCKS proxies, for the transports that have any: names, addresses, logins, and what goes wrong."""

from __future__ import annotations

import ssl
import sys

import pytest
import trustme

from modelwire.errors import InvalidInput
from raw_server import OK, Connection, RawServer, Script
from transport_variants import carry
from transports_under_test import Carrier

from .base import Contract
from .scripts import DEADLINE, LATENESS, answering, carry_by, get, is_left, saw_end, silent, tls_for

REFUSED = 5  # RFC 1928, 6


class SocksServer:
    """Says yes to one connection, or what it is told to say, and then follows a script as the server behind it."""

    def __init__(self, then: Script, *, user: bytes = b"", password: bytes = b"", response: int = 0) -> None:
        self.asked: list[tuple[bytes, int]] = []  # host, or address as bytes, and port
        self._then = then
        self._login = (user, password)
        self._reply = response

    def __call__(self, connection: Connection) -> None:
        version, count = connection.read(2)
        methods = connection.read(count)
        assert version == 5
        if self._login[0]:
            assert 2 in methods
            connection.send(b"\x05\x02")
            assert connection.read(1) == b"\x01"
            assert (self._read_short(connection), self._read_short(connection)) == self._login
            connection.send(b"\x01\x00")
        else:
            connection.send(b"\x05\x00")
        kind = connection.read(4)[3]
        host = self._read_short(connection) if kind == 3 else connection.read({1: 4, 4: 16}[kind])
        self.asked.append((host, int.from_bytes(connection.read(2), "big")))
        connection.send(bytes((5, self._reply, 0, 1)) + bytes(6))
        self._then(connection)

    def _read_short(self, connection: Connection) -> bytes:
        return connection.read(connection.read(1)[0])


def secured(tls: ssl.SSLContext, then: Script) -> Script:
    """The same under TLS."""

    def script(connection: Connection) -> None:
        connection.secure(tls)
        then(connection)

    return script


class Socks(Contract):
    """SOCKS5."""

    @pytest.mark.parametrize("scheme", ["socks5h", "socks"])
    async def test_leaves_the_name_to_the_proxy(self, carrier: Carrier, scheme: str) -> None:
        proxy = SocksServer(answering(OK))
        with RawServer(proxy) as server:
            url = f"{scheme}://127.0.0.1:{server.port}"
            assert (await carry_by(carrier, get("http://name.invalid:8080/a"), proxy=url)).body == b"ok"
            assert proxy.asked == [(b"name.invalid", 8080)]
            received = server.connections[0].received
            assert received.endswith(b"GET /a HTTP/1.1\r\nHost: name.invalid:8080\r\n\r\n")

    async def test_socks5_resolves_the_name_here(self, carrier: Carrier, names: dict[str, list[str]]) -> None:
        names["name.example"] = ["::1", "127.0.0.9"]
        proxy = SocksServer(answering(OK))
        with RawServer(proxy) as server:
            url = f"socks5://127.0.0.1:{server.port}"
            assert (await carry_by(carrier, get("http://name.example/"), proxy=url)).body == b"ok"
            assert proxy.asked == [(bytes((127, 0, 0, 9)), 80)]
            outcome = await carry_by(carrier, get("http://other.example/"), proxy=url)
            assert outcome.failure.kind == "connect"

    async def test_shows_its_password(self, carrier: Carrier) -> None:
        proxy = SocksServer(answering(OK), user=b"user", password=b"p@ss")
        with RawServer(proxy) as server:
            url = f"socks5h://user:p%40ss@127.0.0.1:{server.port}"
            assert (await carry_by(carrier, get("http://name.invalid/"), proxy=url)).body == b"ok"

    @pytest.mark.parametrize("user", ["", "user:\xe9@", f"{'u' * 300}:p@"])
    async def test_a_login_that_fails_is_a_failure_to_connect(self, carrier: Carrier, user: str) -> None:
        def script(connection: Connection) -> None:
            _, count = connection.read(2)
            connection.send(b"\x05\x02" if 2 in connection.read(count) else b"\x05\xff")
            connection.wait_for_end()

        with RawServer(script) as server:
            url = f"socks5h://{user}127.0.0.1:{server.port}"
            assert (await carry_by(carrier, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"
            assert await saw_end(server.connections[0])

    async def test_a_proxy_that_refuses_is_a_failure_to_connect(self, carrier: Carrier) -> None:
        with RawServer(SocksServer(silent, response=REFUSED)) as server:
            url = f"socks5h://127.0.0.1:{server.port}"
            outcome = await carry_by(carrier, get("http://name.invalid/"), proxy=url)
            assert outcome.failure.kind == "connect"
            assert outcome.failure.detail == "the SOCKS proxy refused: Connection refused by destination host"
            assert await saw_end(server.connections[0])

    @pytest.mark.parametrize("answer", [b"", b"\x05", b"\x04\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
    async def test_what_speaks_no_socks_is_a_failure_to_connect(self, carrier: Carrier, answer: bytes) -> None:
        def script(connection: Connection) -> None:
            connection.read(3)
            connection.send(answer)

        with RawServer(script) as server:
            url = f"socks5h://127.0.0.1:{server.port}"
            assert (await carry_by(carrier, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"

    async def test_a_deadline_ends_a_dialogue_that_drips(self, carrier: Carrier) -> None:
        def script(connection: Connection) -> None:
            connection.read(3)
            connection.send(b"\x05\x00")
            # A name of 255 bytes, for which nobody should wait.
            connection.drip(b"\x05\x00\x00\x03\xff" + bytes(300), every=0.02)

        with RawServer(script) as server:
            transport = carrier.open(proxy=f"socks5h://127.0.0.1:{server.port}")
            deadline = transport.clock.now() + DEADLINE
            outcome = await carry(transport, get("http://name.invalid/"), seconds=DEADLINE)
            assert outcome.failure.kind == "connect"
            assert transport.clock.now() < deadline + LATENESS
            assert await is_left(server)
            await transport.close()

    async def test_https_goes_through(self, carrier: Carrier, authority: trustme.CA) -> None:
        proxy = SocksServer(secured(tls_for(authority, "name.invalid"), answering(OK)))
        with RawServer(proxy) as server:
            url = f"socks5h://127.0.0.1:{server.port}"
            assert (await carry_by(carrier, get("https://name.invalid/"), proxy=url)).body == b"ok"
            assert proxy.asked == [(b"name.invalid", 443)]

    async def test_looks_at_the_address_that_it_resolves(self, carrier: Carrier, names: dict[str, list[str]]) -> None:
        names["images.example"] = ["10.0.0.1"]
        proxy = SocksServer(answering(OK))
        with RawServer(proxy, proxy) as server:
            request = get("http://images.example/", public_only=True)
            outcome = await carry_by(carrier, request, proxy=f"socks5://127.0.0.1:{server.port}")
            assert outcome.failure.kind == "connect"
            assert "not at a public address" in outcome.failure.detail
            assert proxy.asked == []
            assert (await carry_by(carrier, request, proxy=f"socks5h://127.0.0.1:{server.port}")).body == b"ok"

    async def test_needs_a_package(self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in [name for name in sys.modules if name.split(".")[0] == "python_socks"]:
            monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, "python_socks", None)
        monkeypatch.setitem(sys.modules, "python_socks.sync", None)
        monkeypatch.setitem(sys.modules, "python_socks.async_.anyio", None)
        with RawServer(silent) as server, pytest.raises(InvalidInput, match=r"pip install 'python-socks\[anyio\]'"):
            await carry_by(carrier, get("http://name.invalid/"), proxy=f"socks5h://127.0.0.1:{server.port}")
