"""h11 as a transport, blocking, on asyncio and on trio, and what it does with connections that it keeps."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream

from carriers import Blocking, carry, outputs_of
from modelwire.commands import SendRequest
from modelwire.events import ResponseEnded, ResponseStarted
from modelwire_io import h11_transport
from modelwire_io.connection_pool import ConnectionPool
from modelwire_io.dialing import Dialer
from modelwire_io.drive import AsyncExchange, AsyncTransport
from modelwire_io.h11_transport import AsyncH11Transport
from raw_server import OK, PATIENCE, Connection, RawServer, Script, chunk, response
from transport_contract import Ask, TransportContract, answering, ending, get, saw_end, tls_for
from transports_under_test import Carrier

OTHER = OK.replace(b"ok", b"no")


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    return Carrier("h11", request.param)


def dying(last: bytes) -> Script:
    """Answer one request, and to the next one say no more than this."""

    def script(connection: Connection) -> None:
        connection.answer()
        connection.answer(last)

    return script


async def begin(transport: AsyncTransport, url: str) -> AsyncExchange:
    """Send a request, and receive the head of its response."""
    exchange = transport.open(SendRequest(1, get(url), transport.clock.now() + PATIENCE))
    assert isinstance(await exchange.receive(transport.clock.now() + PATIENCE), ResponseStarted)
    return exchange


async def finish(transport: AsyncTransport, exchange: AsyncExchange) -> None:
    """Receive the rest of it."""
    while not isinstance(await exchange.receive(transport.clock.now() + PATIENCE), ResponseEnded):
        pass
    await exchange.close()


class TestH11(TransportContract):
    """What every transport does, and what this one does beyond that."""

    # Kept connections that turn out dead only when they are used.

    async def test_a_request_that_finds_a_dead_connection_is_sent_again(self, transport: AsyncTransport) -> None:
        with RawServer(dying(b""), answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(f"{server.url}/again"))).body == b"ok"
            assert [connection.received.count(b"/again") for connection in server.connections] == [1, 1]

    async def test_a_reset_is_a_death_as_well(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.answer()
            connection.read_request()
            connection.reset()

        with RawServer(script, answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"

    async def test_a_request_is_sent_again_once_and_on_a_new_connection(self, transport: AsyncTransport) -> None:
        with RawServer(dying(b""), dying(b""), ending(b"")) as server:
            both = [await begin(transport, server.url) for _ in range(2)]
            for exchange in both:
                await finish(transport, exchange)
            assert (await carry(transport, get(f"{server.url}/again"))).failure.kind == "network"
            received = [connection.received.count(b"/again") for connection in server.connections]
            assert sorted(received[:2]) == [0, 1]
            assert received[2:] == [1]

    async def test_a_request_that_was_answered_with_one_byte_is_not_sent_again(self, transport: AsyncTransport) -> None:
        with RawServer(dying(b"H")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).failure.kind == "network"

    async def test_a_request_that_is_met_with_silence_is_not_sent_again(self, transport: AsyncTransport) -> None:
        with RawServer(answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url, timeout=0.2))).failure.kind == "timeout"

    async def test_a_request_that_was_sent_has_not_failed_to_connect(
        self, transport: AsyncTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise ConnectionRefusedError("nobody is there any more")

        with RawServer(dying(b"")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            monkeypatch.setattr(Dialer, "dial", refuse)
            monkeypatch.setattr(h11_transport, "dial", refuse)
            assert (await carry(transport, get(server.url))).failure.kind == "network"

    # Connections that are kept, and that are not.

    async def test_a_surplus_that_waits_in_the_event_loop_is_not_an_answer(self, transport: AsyncTransport) -> None:
        size = h11_transport.READ_SIZE - len(response("Content-Length: 65536"))
        answer = response(f"Content-Length: {size}", body=bytes(size))
        assert len(answer) == h11_transport.READ_SIZE
        with RawServer(answering(answer + OTHER), answering(OK)) as server:
            assert len((await carry(transport, get(server.url))).body) == size
            assert (await carry(transport, get(server.url))).body == b"ok"

    async def test_a_surplus_that_waits_in_tls_is_not_an_answer(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        def script(connection: Connection) -> None:
            connection.read_request()
            connection.send_at_once(OK, OTHER)
            connection.wait_for_end()

        with RawServer(script, answering(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"

    async def test_an_idle_connection_expires(self, transport: AsyncTransport) -> None:
        limit_pool(transport, seconds=0.0)
        with RawServer(answering(OK), answering(OK)) as server:
            for _ in range(2):
                assert (await carry(transport, get(server.url))).body == b"ok"
            assert await saw_end(server.connections[0])

    async def test_so_many_idle_connections_are_kept(self, transport: AsyncTransport) -> None:
        limit_pool(transport, most_of_one=1)
        with RawServer(answering(OK), answering(OK)) as server:
            first, second = [await begin(transport, server.url) for _ in range(2)]
            await finish(transport, first)
            await finish(transport, second)
            assert await saw_end(server.connections[0])
            assert not server.connections[1].saw_end.is_set()

    async def test_no_connection_is_kept_once_the_transport_is_closed(self, carrier: Carrier) -> None:
        transport = carrier.open()
        with RawServer(answering(OK)) as server:
            exchange = await begin(transport, server.url)
            await transport.close()
            await finish(transport, exchange)
            assert await saw_end(server.connections[0])


def limit_pool(transport: AsyncTransport, *, seconds: float = 15.0, most_of_one: int = 20) -> None:
    inner = transport.blocking if isinstance(transport, Blocking) else transport
    setattr(inner, "pool", ConnectionPool(seconds=seconds, most_of_one=most_of_one))  # noqa: B010


@pytest.mark.anyio
class TestManyStreams:
    """A thousand answers at the same time, in one process."""

    @pytest.fixture(
        params=[(("asyncio", {}), 1000), (("trio", {}), 300), (("asyncio", {"use_uvloop": True}), 300)],
        ids=["asyncio", "trio", "uvloop"],
    )
    def setting(self, request: pytest.FixtureRequest) -> tuple[tuple[str, dict[str, bool]], int]:
        found: tuple[tuple[str, dict[str, bool]], int] = request.param
        return found

    @pytest.fixture
    def anyio_backend(self, setting: tuple[tuple[str, dict[str, bool]], int]) -> tuple[str, dict[str, bool]]:
        return setting[0]

    async def test_all_come_to_their_end_and_leave_nothing(
        self, setting: tuple[tuple[str, dict[str, bool]], int]
    ) -> None:
        (backend, _), count = setting
        allow_open_files(3 * count)
        texts: list[str] = []

        async def listen(transport: AsyncTransport, url: str) -> None:
            pieces = [output.text async for output in outputs_of(Ask(urls=[url]), transport)]  # type: ignore[union-attr]
            texts.append("".join(pieces))

        async with answering_together(count) as url:
            # The first connection makes what the event loop keeps for all others.
            await (await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))).aclose()
            files, threads, tasks = open_files(), threading.active_count(), running_tasks(backend)
            transport = AsyncH11Transport(environment={})
            async with anyio.create_task_group() as listeners:
                for _ in range(count):
                    listeners.start_soon(listen, transport, url)
            await transport.close()
            assert texts == ["one " + "more " * 20] * count
            with anyio.fail_after(PATIENCE):
                while open_files() > files or running_tasks(backend) > tasks:
                    await anyio.lowlevel.checkpoint()
            assert threading.active_count() == threads


@asynccontextmanager
async def answering_together(count: int) -> AsyncIterator[str]:
    """A server that begins each answer at once, and goes on when so many have begun."""
    begun = 0
    all_have_begun = anyio.Event()

    async def converse(stream: SocketStream) -> None:
        nonlocal begun
        async with stream:
            try:
                await stream.receive()
            except anyio.EndOfStream:
                return
            await stream.send(response("Transfer-Encoding: chunked") + chunk(b"one "))
            begun += 1
            if begun == count:
                all_have_begun.set()
            await all_have_begun.wait()
            for _ in range(20):
                await stream.send(chunk(b"more "))
            await stream.send(chunk(b""))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=count)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, converse)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


def allow_open_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        pytest.skip(f"the system allows no {number} open files")
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def running_tasks(backend: str) -> int:
    return len(asyncio.all_tasks()) if backend == "asyncio" else 0
