"""Opening connections: SOCKS, proxies under TLS, and connections that are left halfway or lie idle."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.streams.tls import TLSAttribute, TLSStream

from carriers import carry
from modelwire.commands import SendRequest
from modelwire.errors import InvalidInput
from modelwire.events import BodyReceived, Woken
from modelwire_io.async_dialing import close_now, dial, has_unread
from modelwire_io.dialing import Dialer, is_readable, resolve
from modelwire_io.routes import Route
from raw_server import OK, PATIENCE, Connection, RawServer, Script
from transport_contract import (
    DEADLINE,
    LATENESS,
    TransportContract,
    answering,
    carry_by,
    get,
    is_left,
    saw_end,
    silent,
    tls_for,
)
from transports_under_test import Carrier

CARRIERS = [Carrier("h11", "blocking"), Carrier("h11", "asyncio"), Carrier("h11", "trio")]
CARRIERS += [Carrier("urllib", "blocking"), Carrier("urllib3", "blocking")]
REFUSED = 5  # RFC 1928, 6


class SocksServer:
    """Says yes to one connection, or what it is told to say, and then follows a script as the server behind it."""

    def __init__(self, then: Script, *, user: bytes = b"", password: bytes = b"", reply: int = 0) -> None:
        self.asked: list[tuple[bytes, int]] = []  # host, or address as bytes, and port
        self._then = then
        self._login = (user, password)
        self._reply = reply

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


@pytest.fixture(params=CARRIERS, ids=str)
def carrier(request: pytest.FixtureRequest) -> Carrier:
    found: Carrier = request.param
    return found


class Shared:
    """Names, certificates and event loops as the contract has them."""

    anyio_backend = TransportContract.anyio_backend
    names = TransportContract.names
    authority = TransportContract.authority


@pytest.mark.anyio
class TestSocks(Shared):
    """SOCKS5, which the transports over our own sockets share."""

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
        with RawServer(SocksServer(silent, reply=REFUSED)) as server:
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
            assert isinstance(outcome.last, Woken)
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


@pytest.mark.anyio
class TestProxiesUnderTls(Shared):
    """https:// proxies."""

    async def test_sends_the_whole_url_to_one(self, carrier: Carrier, authority: trustme.CA) -> None:
        with RawServer(answering(OK), tls=tls_for(authority, "127.0.0.1")) as proxy:
            assert (await carry_by(carrier, get("http://name.invalid/a"), proxy=proxy.url)).body == b"ok"
            assert proxy.connections[0].received.startswith(b"GET http://name.invalid/a HTTP/1.1\r\n")

    async def test_goes_to_https_through_one_or_says_why_not(self, carrier: Carrier, authority: trustme.CA) -> None:
        if carrier.style == "blocking":
            with pytest.raises(InvalidInput, match="TLS inside of TLS is not to be had with blocking sockets"):
                await carry_by(carrier, get("https://name.invalid/"), proxy="https://127.0.0.1:1")
            return
        async with tunnel_under_tls(authority) as url:
            assert (await carry_by(carrier, get("https://name.invalid/"), proxy=url)).body == b"ok"


@asynccontextmanager
async def tunnel_under_tls(authority: trustme.CA) -> AsyncIterator[str]:
    """A proxy under TLS, and a server under TLS behind it."""

    async def converse(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            outer = await TLSStream.wrap(
                stream, ssl_context=tls_for(authority, "127.0.0.1"), server_side=True, standard_compatible=False
            )
            assert (await outer.receive()).startswith(b"CONNECT name.invalid:443 HTTP/1.1\r\n")
            await outer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            inner = await TLSStream.wrap(
                outer, ssl_context=tls_for(authority, "name.invalid"), server_side=True, standard_compatible=False
            )
            assert (await inner.receive()).startswith(b"GET / HTTP/1.1\r\n")
            await inner.send(OK)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, converse)
        yield f"https://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
class TestIdleConnections:
    """What came on a connection that nobody reads, wherever it waits."""

    @pytest.fixture(params=["asyncio", "trio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "trio", "uvloop"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> object:
        return request.param

    authority = TransportContract.authority

    async def test_nothing_came(self) -> None:
        with RawServer(silent) as server:
            stream = await dial(Dialer(), route_to(server))
            assert not has_unread(stream)
            await close_now(stream)
            assert has_unread(stream)

    async def test_a_stream_is_closed_while_a_cancellation_is_under_way(self) -> None:
        with RawServer(silent, silent) as server:
            streams = [await dial(Dialer(), route_to(server)) for _ in range(2)]
            with anyio.CancelScope() as scope:
                scope.cancel()
                for stream in streams:
                    await close_now(stream)
            for connection in server.connections:
                assert await saw_end(connection)

    async def test_the_end_came(self) -> None:
        with RawServer(Connection.close) as server:
            stream = await dial(Dialer(), route_to(server))
            with anyio.fail_after(PATIENCE):
                while not has_unread(stream):
                    await anyio.sleep(0.001)
            await close_now(stream)

    async def test_the_event_loop_has_read_ahead(self) -> None:
        with RawServer(script_of(lambda connection: connection.send(bytes(150_000)))) as server:
            stream = await dial(Dialer(), route_to(server))
            await read_exactly(stream, 65_536)
            with anyio.fail_after(PATIENCE):
                while not has_unread(stream):
                    await anyio.sleep(0.001)
            await read_exactly(stream, 150_000 - 65_536)
            assert not has_unread(stream)
            await close_now(stream)

    async def test_tls_has_read_ahead(self, authority: trustme.CA) -> None:
        send = script_of(lambda connection: connection.send_at_once(b"one", b"two"))
        with RawServer(send, tls=tls_for(authority, "127.0.0.1")) as server:
            stream = await dial(Dialer(), route_to(server, "https"))
            assert stream.extra(TLSAttribute.alpn_protocol) is None
            assert await stream.receive() == b"one"
            assert has_unread(stream)
            await close_now(stream)


def test_a_blocking_connection_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    send = script_of(lambda connection: connection.send_at_once(b"one", b"two"))
    with RawServer(send, tls=tls_for(authority, "127.0.0.1")) as server:
        with Dialer().dial(route_to(server, "https"), time.monotonic() + PATIENCE) as connected:
            assert connected.recv(100) == b"one"
            assert is_readable(connected)
            assert connected.recv(100) == b"two"
            assert not is_readable(connected)
        assert is_readable(connected)


def test_a_blocking_connection_tells_what_of_a_record_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with (
        RawServer(
            script_of(lambda connection: connection.send(b"one two")), tls=tls_for(authority, "127.0.0.1")
        ) as server,
        Dialer().dial(route_to(server, "https"), time.monotonic() + PATIENCE) as connected,
    ):
        assert connected.recv(3) == b"one"
        assert is_readable(connected)


def test_a_name_that_nobody_knows_fails_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(socket.gaierror, match="nobody knows"):
        resolve("name.example", 80, time.monotonic() + PATIENCE)


@pytest.mark.anyio
class TestLeavingHalfway(Shared):
    """A task that is cancelled at any step of a request leaves nothing behind."""

    @pytest.fixture(params=["asyncio", "trio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "trio", "uvloop"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> object:
        return request.param

    @pytest.fixture
    def carrier(self) -> Carrier:
        return Carrier("h11", "asyncio")

    async def test_at_any_step(self, carrier: Carrier, authority: trustme.CA) -> None:
        tls = tls_for(authority, "127.0.0.1")

        def tunnel(connection: Connection) -> None:
            connection.read_head()
            try:
                connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
                connection.secure(tls)
                connection.answer(OK[:-1])
                connection.wait_for_end()
            except TimeoutError:
                raise
            except OSError:
                # Whatever else keeps the server from going on, it is that the client has gone.
                connection.saw_end.set()

        with RawServer(*[tunnel] * 200) as server:
            has_body = False
            for step in range(200):
                transport = carrier.open(proxy=server.url)
                # A little later each time, until it was not too early for the body.
                with anyio.move_on_after(step * 0.002):
                    deadline = transport.clock.now() + PATIENCE
                    exchange = transport.open(SendRequest(1, get("https://127.0.0.1/"), deadline))
                    try:
                        while not has_body:
                            has_body = isinstance(await exchange.receive(deadline), BodyReceived)
                    finally:
                        await exchange.close()
                await transport.close()
                if has_body:
                    break
            assert has_body
            for connection in server.connections:
                assert await saw_end(connection)


def script_of(script: Script) -> Script:
    """The same, and then wait for the client to go."""

    def extended(connection: Connection) -> None:
        script(connection)
        connection.wait_for_end()

    return extended


def route_to(server: RawServer, scheme: str = "http") -> Route:
    return Route(scheme, "127.0.0.1", server.port, None, False)


async def read_exactly(stream: anyio.abc.ByteStream, size: int) -> None:
    while size > 0:
        size -= len(await stream.receive(min(size, 65_536)))
