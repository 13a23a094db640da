"""Open connections, abandon them halfway, and look at idle ones. The transports' contract tests cover proxies."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import anyio
import pytest
import trustme

from contract.base import Contract
from contract.scripts import get, saw_end, silent, tls_for
from modelwire.commands import SendRequest
from modelwire.events import BodyReceived
from modelwire_io.net.connect import Dialer, is_readable, resolve_host
from modelwire_io.net.connect_async import dial
from modelwire_io.net.deadline_streams import DeadlineStream
from modelwire_io.net.routes import Route
from raw_server import OK, PATIENCE, Connection, RawServer, Script
from transport_promises import TRIO
from transport_variants import TransportVariant


@pytest.mark.anyio
class TestIdleConnections:
    """Data on a connection that nobody reads is reported, wherever it waits."""

    @pytest.fixture(params=["asyncio", "trio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "trio", "uvloop"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> object:
        return request.param

    authority = Contract.authority

    async def test_nothing_is_unread(self) -> None:
        with RawServer(silent) as server:
            stream = await dial(Dialer(), route_to(server))
            assert not stream.has_unread()
            await stream.aclose()
            assert stream.has_unread()

    async def test_a_stream_can_be_closed_during_a_cancellation(self) -> None:
        with RawServer(silent, silent) as server:
            streams = [await dial(Dialer(), route_to(server)) for _ in range(2)]
            with anyio.CancelScope() as scope:
                scope.cancel()
                for stream in streams:
                    await stream.aclose()
            for connection in server.connections:
                assert await saw_end(connection)

    async def test_the_end_of_the_connection_is_unread(self) -> None:
        with RawServer(Connection.close) as server:
            stream = await dial(Dialer(), route_to(server))
            with anyio.fail_after(PATIENCE):
                while not stream.has_unread():
                    await anyio.sleep(0.001)
            await stream.aclose()

    async def test_the_event_loop_has_read_ahead(self) -> None:
        with RawServer(script_of(lambda connection: connection.send(bytes(150_000)))) as server:
            stream = await dial(Dialer(), route_to(server))
            await read_exactly(stream, 65_536)
            with anyio.fail_after(PATIENCE):
                while not stream.has_unread():
                    await anyio.sleep(0.001)
            await read_exactly(stream, 150_000 - 65_536)
            assert not stream.has_unread()
            await stream.aclose()

    async def test_tls_has_read_ahead(self, authority: trustme.CA) -> None:
        send = script_of(lambda connection: connection.send_at_once(b"one", b"two"))
        with RawServer(send, tls=tls_for(authority, "127.0.0.1")) as server:
            stream = await dial(Dialer(), route_to(server, "https"))
            assert await stream.receive(3) == b"one"
            assert stream.has_unread()
            await stream.aclose()


def test_a_blocking_connection_reports_unread_data_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_blocking_connection_reports_the_rest_of_a_tls_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_the_error_of_the_resolver_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "unknown host")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(socket.gaierror, match="unknown host"):
        resolve_host("name.example", 80, time.monotonic() + PATIENCE)


LOOPS = {"asyncio": "asyncio", "trio": "trio", "uvloop": ("asyncio", {"use_uvloop": True})}


@pytest.mark.anyio
class TestCancellation:
    """A task that is cancelled at any step of a request leaves no connection open."""

    authority = Contract.authority
    names = Contract.names

    @pytest.fixture(params=["h11", "httpx", "httpx2", "aiohttp"])
    def variant(self, request: pytest.FixtureRequest) -> TransportVariant:
        return TransportVariant(request.param, "asyncio")

    @pytest.fixture(params=LOOPS)
    def anyio_backend(self, request: pytest.FixtureRequest, variant: TransportVariant) -> object:
        if request.param == "trio" and not variant.keeps(TRIO):
            pytest.skip(TRIO.instead)
        return LOOPS[request.param]

    # CPython does not close the server's socket if the client resets the connection before TLS begins.
    @pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
    async def test_a_cancellation_at_any_step_closes_the_connection(
        self, variant: TransportVariant, authority: trustme.CA
    ) -> None:
        tls = tls_for(authority, "127.0.0.1")

        def tunnel(connection: Connection) -> None:
            connection.read_head()
            try:
                connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
                connection.secure(tls)
                connection.respond(OK[:-1])
                connection.wait_for_end()
            except TimeoutError:
                raise
            except OSError:
                # Any other error of the server means that the client has closed the connection.
                connection.saw_end.set()

        with RawServer(*[tunnel] * 200) as server:
            has_body = False
            for step in range(200):
                transport = variant.open(proxy=server.url)
                # Cancel a little later at each step, until the body arrives before that.
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
    """Run a script, then wait for the client to close the connection."""

    def extended(connection: Connection) -> None:
        script(connection)
        connection.wait_for_end()

    return extended


def route_to(server: RawServer, scheme: str = "http") -> Route:
    return Route(scheme, "127.0.0.1", server.port, None, False)


async def read_exactly(stream: DeadlineStream, size: int) -> None:
    while size > 0:
        size -= len(await stream.receive(min(size, 65_536)))
