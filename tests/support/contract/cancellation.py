"""Consumers that stop early, are slow or are cancelled: connections are closed, and nothing is read ahead."""

from __future__ import annotations

import threading
from contextlib import aclosing

import anyio
import anyio.to_thread
import pytest

from modelwire.commands import SendRequest
from modelwire.events import BodyReceived, RequestFailed, ResponseEnded, ResponseStarted
from modelwire.limits import KIB, MIB
from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport
from raw_server import PATIENCE, Connection, RawServer, chunk, refusing_url, response
from transport_calls import fetch, outputs_of
from transport_variants import TransportVariant

from .base import Contract
from .scripts import EMPTY, Ask, endless, get, responding, saw_end


class Leaving(Contract):
    """Consumers that stop early or are slow."""

    async def test_leaving_the_iteration_closes_the_connection(self, transport: AsyncTransport) -> None:
        with RawServer(endless) as server:
            async with aclosing(outputs_of(Ask(urls=[server.url]), transport)) as outputs:
                assert await anext(outputs) == TextDelta("text")
                assert not server.connections[0].saw_end.is_set()
            assert await saw_end(server.connections[0])

    async def test_an_exchange_closed_before_it_began_does_nothing(self, transport: AsyncTransport) -> None:
        with RawServer() as server:
            await transport.open(SendRequest(1, get(server.url), 0.0)).close()
            assert server.connections == []

    async def test_an_exchange_gives_nothing_after_its_end(self, transport: AsyncTransport) -> None:
        with RawServer(responding(EMPTY)) as server:
            deadline = transport.clock.now() + PATIENCE
            exchange = transport.open(SendRequest(1, get(server.url), deadline))
            while not isinstance(await exchange.receive(deadline), ResponseEnded):
                pass
            with pytest.raises(RuntimeError, match="after the end"):
                await exchange.receive(deadline)
            await exchange.close()

    async def test_an_exchange_gives_nothing_after_its_failure(self, transport: AsyncTransport) -> None:
        with refusing_url() as url:
            deadline = transport.clock.now() + PATIENCE
            exchange = transport.open(SendRequest(1, get(url), deadline))
            assert isinstance(await exchange.receive(deadline), RequestFailed)
            with pytest.raises(RuntimeError, match="after the end"):
                await exchange.receive(deadline)
            await exchange.close()

    async def test_a_slow_consumer_stops_the_reading(self, transport: AsyncTransport) -> None:
        has_stalled = threading.Event()
        may_go_on = threading.Event()
        amounts = [0]

        def script(connection: Connection) -> None:
            connection.respond(response("Transfer-Encoding: chunked"))
            connection.limit(0.1)
            try:
                while amounts[0] < 256 * MIB:
                    connection.send(chunk(bytes(64 * KIB)))
                    amounts[0] += 64 * KIB
            except TimeoutError:
                pass
            has_stalled.set()
            may_go_on.wait(PATIENCE)

        with RawServer(script) as server:
            deadline = transport.clock.now() + PATIENCE
            exchange = transport.open(SendRequest(1, get(server.url), deadline))
            assert isinstance(await exchange.receive(deadline), ResponseStarted)
            assert isinstance(await exchange.receive(deadline), BodyReceived)
            assert await anyio.to_thread.run_sync(has_stalled.wait, PATIENCE)
            await exchange.close()
            may_go_on.set()
        # The socket buffers of both sides hold some megabytes.
        assert amounts[0] < 64 * MIB


class Cancelling(Contract):
    """A cancelled task closes its connection at once."""

    @pytest.fixture
    def tasks_only(self, variant: TransportVariant) -> None:
        if variant.style == "blocking":
            pytest.skip("blocking code has no tasks")

    async def test_cancelling_a_task_closes_the_connection(self, tasks_only: None, transport: AsyncTransport) -> None:
        with RawServer(endless) as server:
            heard = anyio.Event()

            async def listen() -> None:
                async for output in outputs_of(Ask(urls=[server.url]), transport):
                    assert output == TextDelta("text")
                    heard.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await heard.wait()
                tasks.cancel_scope.cancel()
            assert await saw_end(server.connections[0])

    async def test_cancelling_between_two_pieces_closes_the_connection(
        self, tasks_only: None, transport: AsyncTransport
    ) -> None:
        with RawServer(endless) as server:
            heard = anyio.Event()

            async def listen() -> None:
                async with aclosing(outputs_of(Ask(urls=[server.url]), transport)) as outputs:
                    assert await anext(outputs) == TextDelta("text")
                    heard.set()
                    await anyio.sleep_forever()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await heard.wait()
                tasks.cancel_scope.cancel()
            assert await saw_end(server.connections[0])

    async def test_cancelling_while_waiting_for_a_head_closes_the_connection(
        self, tasks_only: None, transport: AsyncTransport
    ) -> None:
        has_request = threading.Event()

        def script(connection: Connection) -> None:
            connection.read_request()
            has_request.set()
            connection.wait_for_end()

        with RawServer(script) as server:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fetch, transport, get(server.url))
                assert await anyio.to_thread.run_sync(has_request.wait, PATIENCE)
                tasks.cancel_scope.cancel()
            assert await saw_end(server.connections[0])
