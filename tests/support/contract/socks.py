"""SOCKS proxies, for the transports that support them: names, addresses, logins and failures."""

from __future__ import annotations

import ssl
import sys

import pytest
import trustme

from modelwire.errors import InvalidInput
from raw_server import OK, Connection, RawServer, Script
from transport_calls import fetch
from transport_variants import TransportVariant

from .base import Contract
from .scripts import DEADLINE, LATENESS, fetch_by, get, has_no_open_connection, responding, saw_end, silent, tls_for

REFUSED = 5  # RFC 1928, 6


class SocksServer:
    """A script: a SOCKS proxy that replies with `code`, then runs the script of the server behind it."""

    def __init__(self, then: Script, *, user: bytes = b"", password: bytes = b"", code: int = 0) -> None:
        self.asked: list[tuple[bytes, int]] = []  # host, or address as bytes, and port
        self._then = then
        self._login = (user, password)
        self._code = code

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
        connection.send(bytes((5, self._code, 0, 1)) + bytes(6))
        self._then(connection)

    def _read_short(self, connection: Connection) -> bytes:
        return connection.read(connection.read(1)[0])


def secured(tls: ssl.SSLContext, then: Script) -> Script:
    """A script that does a TLS handshake first."""

    def script(connection: Connection) -> None:
        connection.secure(tls)
        then(connection)

    return script


class Socks(Contract):
    """SOCKS5."""

    @pytest.mark.parametrize("scheme", ["socks5h", "socks"])
    async def test_the_proxy_resolves_the_name(self, variant: TransportVariant, scheme: str) -> None:
        proxy = SocksServer(responding(OK))
        with RawServer(proxy) as server:
            url = f"{scheme}://127.0.0.1:{server.port}"
            assert (await fetch_by(variant, get("http://name.invalid:8080/a"), proxy=url)).body == b"ok"
            assert proxy.asked == [(b"name.invalid", 8080)]
            received = server.connections[0].received
            assert received.endswith(b"GET /a HTTP/1.1\r\nHost: name.invalid:8080\r\n\r\n")

    async def test_socks5_resolves_the_name_locally(
        self, variant: TransportVariant, names: dict[str, list[str]]
    ) -> None:
        names["name.example"] = ["::1", "127.0.0.9"]
        proxy = SocksServer(responding(OK))
        with RawServer(proxy) as server:
            url = f"socks5://127.0.0.1:{server.port}"
            assert (await fetch_by(variant, get("http://name.example/"), proxy=url)).body == b"ok"
            assert proxy.asked == [(bytes((127, 0, 0, 9)), 80)]
            outcome = await fetch_by(variant, get("http://other.example/"), proxy=url)
            assert outcome.failure.kind == "connect"

    async def test_sends_its_credentials(self, variant: TransportVariant) -> None:
        proxy = SocksServer(responding(OK), user=b"user", password=b"p@ss")
        with RawServer(proxy) as server:
            url = f"socks5h://user:p%40ss@127.0.0.1:{server.port}"
            assert (await fetch_by(variant, get("http://name.invalid/"), proxy=url)).body == b"ok"

    @pytest.mark.parametrize("user", ["", "user:\xe9@", f"{'u' * 300}:p@"])
    async def test_a_login_that_fails_is_a_failure_to_connect(self, variant: TransportVariant, user: str) -> None:
        def script(connection: Connection) -> None:
            _, count = connection.read(2)
            connection.send(b"\x05\x02" if 2 in connection.read(count) else b"\x05\xff")
            connection.wait_for_end()

        with RawServer(script) as server:
            url = f"socks5h://{user}127.0.0.1:{server.port}"
            assert (await fetch_by(variant, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"
            assert await saw_end(server.connections[0])

    async def test_a_proxy_that_refuses_is_a_failure_to_connect(self, variant: TransportVariant) -> None:
        with RawServer(SocksServer(silent, code=REFUSED)) as server:
            url = f"socks5h://127.0.0.1:{server.port}"
            outcome = await fetch_by(variant, get("http://name.invalid/"), proxy=url)
            assert outcome.failure.kind == "connect"
            assert outcome.failure.detail == "the SOCKS proxy refused: Connection refused by destination host"
            assert await saw_end(server.connections[0])

    @pytest.mark.parametrize("answer", [b"", b"\x05", b"\x04\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
    async def test_a_server_without_socks_is_a_failure_to_connect(
        self, variant: TransportVariant, answer: bytes
    ) -> None:
        def script(connection: Connection) -> None:
            connection.read(3)
            connection.send(answer)

        with RawServer(script) as server:
            url = f"socks5h://127.0.0.1:{server.port}"
            assert (await fetch_by(variant, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"

    async def test_a_deadline_ends_a_slow_handshake(self, variant: TransportVariant) -> None:
        def script(connection: Connection) -> None:
            connection.read(3)
            connection.send(b"\x05\x00")
            # The proxy begins a name of 255 bytes: the client should not wait for it.
            connection.drip(b"\x05\x00\x00\x03\xff" + bytes(300), every=0.02)

        with RawServer(script) as server:
            transport = variant.open(proxy=f"socks5h://127.0.0.1:{server.port}")
            deadline = transport.clock.now() + DEADLINE
            outcome = await fetch(transport, get("http://name.invalid/"), seconds=DEADLINE)
            assert outcome.failure.kind == "connect"
            assert transport.clock.now() < deadline + LATENESS
            assert await has_no_open_connection(server)
            await transport.close()

    async def test_carries_https(self, variant: TransportVariant, authority: trustme.CA) -> None:
        proxy = SocksServer(secured(tls_for(authority, "name.invalid"), responding(OK)))
        with RawServer(proxy) as server:
            url = f"socks5h://127.0.0.1:{server.port}"
            assert (await fetch_by(variant, get("https://name.invalid/"), proxy=url)).body == b"ok"
            assert proxy.asked == [(b"name.invalid", 443)]

    async def test_checks_the_address_that_it_resolves(
        self, variant: TransportVariant, names: dict[str, list[str]]
    ) -> None:
        names["images.example"] = ["10.0.0.1"]
        proxy = SocksServer(responding(OK))
        with RawServer(proxy, proxy) as server:
            request = get("http://images.example/", public_only=True)
            outcome = await fetch_by(variant, request, proxy=f"socks5://127.0.0.1:{server.port}")
            assert outcome.failure.kind == "connect"
            assert "not at a public address" in outcome.failure.detail
            assert proxy.asked == []
            assert (await fetch_by(variant, request, proxy=f"socks5h://127.0.0.1:{server.port}")).body == b"ok"

    async def test_needs_a_package(self, variant: TransportVariant, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in [name for name in sys.modules if name.split(".")[0] == "python_socks"]:
            monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, "python_socks", None)
        monkeypatch.setitem(sys.modules, "python_socks.sync", None)
        monkeypatch.setitem(sys.modules, "python_socks.async_.anyio", None)
        with RawServer(silent) as server, pytest.raises(InvalidInput, match=r"pip install 'python-socks\[anyio\]'"):
            await fetch_by(variant, get("http://name.invalid/"), proxy=f"socks5h://127.0.0.1:{server.port}")
