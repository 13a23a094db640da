"""Connections that are reused, and those that must not be."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest
import trustme

from modelwire.events import RequestFailed, ResponseEnded, Woken
from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport
from raw_server import OK, PATIENCE, Connection, RawServer, chunk, response
from transport_calls import fetch, outputs_of
from transport_promises import REUSE, SURPLUS
from transport_variants import TransportVariant

from .base import Contract
from .scripts import (
    DEADLINE,
    EMPTY,
    LATENESS,
    OTHER,
    Ask,
    begin,
    dying,
    ending,
    get,
    has_no_open_connection,
    responding,
    saw_end,
    tls_for,
)

ENDS = pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["end", "reset"])


class Connections(Contract):
    """Several requests of one transport."""

    async def test_reuses_a_connection(self, variant: TransportVariant, transport: AsyncTransport) -> None:
        with RawServer(responding(OK, OK), responding(OK)) as server:
            flow = Ask(urls=[f"{server.url}/1", f"{server.url}/2"])
            assert [output async for output in outputs_of(flow, transport)] == [TextDelta("ok"), TextDelta("ok")]
            if variant.keeps(REUSE):
                assert len(server.connections) == 1
            else:
                assert len(server.connections) == 2
                assert await has_no_open_connection(server)

    async def test_a_request_that_must_not_be_repeated_gets_a_new_connection(self, transport: AsyncTransport) -> None:
        with RawServer(responding(OK), responding(OK), responding(OK)) as server:
            for repeatable in (True, False, False):
                assert (await fetch(transport, get(server.url, repeatable=repeatable))).body == b"ok"
            assert len({connection.received for connection in server.connections}) == 1
            assert len(server.connections) == 3

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(response("Connection: close", "Content-Length: 2", body=b"ok"), id="close"),
            pytest.param(OK.replace(b"1.1", b"1.0"), id="1.0"),
            pytest.param(
                response("Transfer-Encoding: chunked", "Content-Length: 2", body=chunk(b"ok") + chunk(b"")),
                id="two framings",
            ),
        ],
    )
    async def test_a_doubtful_connection_is_not_reused(self, transport: AsyncTransport, answer: bytes) -> None:
        with RawServer(responding(answer, OK), responding(OK)) as server:
            assert isinstance((await fetch(transport, get(server.url))).last, ResponseEnded | RequestFailed)
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(OK + b"surplus", id="surplus"),
            pytest.param(OK + OTHER, id="second response"),
            pytest.param(EMPTY + OTHER, id="second response after none"),
            pytest.param(
                response("Transfer-Encoding: chunked", body=chunk(b"ok") + chunk(b"") + OTHER),
                id="second response after chunks",
            ),
        ],
    )
    async def test_surplus_bytes_after_a_response_are_dropped(
        self, variant: TransportVariant, transport: AsyncTransport, answer: bytes
    ) -> None:
        with RawServer(responding(answer, OK), responding(OK)) as server:
            assert isinstance((await fetch(transport, get(server.url))).last, ResponseEnded | RequestFailed)
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == (2 if variant.keeps(SURPLUS) else 1)

    async def test_bytes_on_an_idle_connection_are_not_a_response(self, transport: AsyncTransport) -> None:
        has_been_sent = threading.Event()
        may_send = threading.Event()

        def first(connection: Connection) -> None:
            connection.respond()
            assert may_send.wait(PATIENCE)
            connection.send(OTHER)
            has_been_sent.set()
            connection.wait_for_end()

        with RawServer(first, responding(OK)) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            may_send.set()
            assert await anyio.to_thread.run_sync(has_been_sent.wait, PATIENCE)
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    async def test_surplus_bytes_under_tls_are_not_a_response(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        def first(connection: Connection) -> None:
            connection.read_request()
            connection.send(OK)
            connection.send(OTHER)
            connection.wait_for_end()

        with RawServer(first, responding(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    async def test_surplus_bytes_buffered_by_tls_are_not_a_response(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        def first(connection: Connection) -> None:
            connection.read_request()
            connection.send_at_once(OK, OTHER)
            connection.wait_for_end()

        with RawServer(first, responding(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert (await fetch(transport, get(server.url))).body == b"ok"

    @pytest.mark.parametrize("size", [65_536, 131_072])
    async def test_surplus_bytes_buffered_by_the_event_loop_are_not_a_response(
        self, transport: AsyncTransport, size: int
    ) -> None:
        # Exactly as long as one read.
        body = bytes(size - len(response(f"Content-Length: {size}")))
        answer = response(f"Content-Length: {len(body)}", body=body)
        with RawServer(responding(answer + OTHER), responding(OK)) as server:
            assert len((await fetch(transport, get(server.url))).body) == len(body)
            assert (await fetch(transport, get(server.url))).body == b"ok"

    @ENDS
    async def test_a_pooled_connection_that_the_server_closes_does_no_harm(
        self, transport: AsyncTransport, end: Callable[[Connection], None]
    ) -> None:
        has_ended = threading.Event()
        may_end = threading.Event()

        def first(connection: Connection) -> None:
            connection.respond()
            assert may_end.wait(PATIENCE)
            end(connection)
            has_ended.set()

        with RawServer(first, responding(OK)) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            may_end.set()
            assert await anyio.to_thread.run_sync(has_ended.wait, PATIENCE)
            assert (await fetch(transport, get(server.url))).body == b"ok"

    @ENDS
    async def test_a_request_on_a_dead_connection_counts_as_sent_and_is_not_repeated(
        self, variant: TransportVariant, transport: AsyncTransport, end: Callable[[Connection], None]
    ) -> None:
        with RawServer(dying(b"", end), ending(b"", end)) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert (await fetch(transport, get(f"{server.url}/again"))).failure.kind == "network"
            received = [connection.received.count(b"/again") for connection in server.connections]
            assert received == ([1] if variant.keeps(REUSE) else [0, 1])

    async def test_a_reused_connection_has_no_earlier_deadline(
        self, variant: TransportVariant, transport: AsyncTransport
    ) -> None:
        def script(connection: Connection) -> None:
            connection.respond()
            connection.read_request()
            connection.drip(b"HTTP/1.1 200 OK\r\nX-Long: ", every=0.02)

        with RawServer(script, script) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            if variant.keeps(REUSE):
                began = transport.clock.now()
                assert isinstance((await fetch(transport, get(server.url), seconds=DEADLINE)).last, Woken)
                assert transport.clock.now() - began < DEADLINE + LATENESS

    async def test_nothing_is_sent_on_a_pooled_connection_after_the_deadline(self, transport: AsyncTransport) -> None:
        with RawServer(responding(OK, OK), responding(OK), responding(OK)) as server:
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert (await fetch(transport, get(f"{server.url}/late"), seconds=-1.0)).failure.kind == "connect"
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert all(b"late" not in connection.received for connection in server.connections)

    async def test_closing_the_transport_closes_idle_connections(self, variant: TransportVariant) -> None:
        transport = variant.open()
        with RawServer(responding(EMPTY)) as server:
            await fetch(transport, get(server.url))
            await transport.close()
            assert await saw_end(server.connections[0])

    async def test_a_closed_transport_can_be_used_again(self, variant: TransportVariant) -> None:
        transport = variant.open()
        with RawServer(responding(OK), responding(OK)) as server:
            for number in range(2):
                assert (await fetch(transport, get(server.url))).body == b"ok"
                await transport.close()
                assert await saw_end(server.connections[number])

    async def test_an_open_exchange_returns_no_connection_to_a_closed_transport(
        self, variant: TransportVariant
    ) -> None:
        may_go_on = threading.Event()

        def script(connection: Connection) -> None:
            connection.respond(OK[:-1])
            may_go_on.wait(PATIENCE)
            connection.send(OK[-1:])
            connection.wait_for_end()

        transport = variant.open()
        with RawServer(script) as server:
            exchange = await begin(transport, server.url)
            await transport.close()
            may_go_on.set()
            # The transport decides if the exchange may still end well.
            deadline = transport.clock.now() + PATIENCE
            while not isinstance(await exchange.receive(deadline), ResponseEnded | RequestFailed):
                pass
            await exchange.close()
            assert await saw_end(server.connections[0])
