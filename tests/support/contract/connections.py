"""Connections that are kept for the next request, and those that must not be."""

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
from transport_variants import carry, outputs_of
from transports_under_test import REUSE, SURPLUS, Carrier

from .base import Contract
from .scripts import (
    DEADLINE,
    EMPTY,
    LATENESS,
    OTHER,
    Ask,
    answering,
    begin,
    dying,
    ending,
    get,
    is_left,
    saw_end,
    tls_for,
)

ENDS = pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["end", "reset"])


class Connections(Contract):
    """One connection, and several requests."""

    async def test_uses_a_connection_again(self, carrier: Carrier, transport: AsyncTransport) -> None:
        with RawServer(answering(OK, OK), answering(OK)) as server:
            flow = Ask(urls=[f"{server.url}/1", f"{server.url}/2"])
            assert [output async for output in outputs_of(flow, transport)] == [TextDelta("ok"), TextDelta("ok")]
            if carrier.keeps(REUSE):
                assert len(server.connections) == 1
            else:
                assert len(server.connections) == 2
                assert await is_left(server)

    async def test_a_request_that_must_not_be_repeated_gets_a_new_connection(self, transport: AsyncTransport) -> None:
        with RawServer(answering(OK), answering(OK), answering(OK)) as server:
            for repeatable in (True, False, False):
                assert (await carry(transport, get(server.url, repeatable=repeatable))).body == b"ok"
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
    async def test_a_doubtful_connection_is_not_used_again(self, transport: AsyncTransport, answer: bytes) -> None:
        with RawServer(answering(answer, OK), answering(OK)) as server:
            assert isinstance((await carry(transport, get(server.url))).last, ResponseEnded | RequestFailed)
            assert (await carry(transport, get(server.url))).body == b"ok"
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
    async def test_a_surplus_that_came_with_an_answer_is_forgotten(
        self, carrier: Carrier, transport: AsyncTransport, answer: bytes
    ) -> None:
        with RawServer(answering(answer, OK), answering(OK)) as server:
            assert isinstance((await carry(transport, get(server.url))).last, ResponseEnded | RequestFailed)
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == (2 if carrier.keeps(SURPLUS) else 1)

    async def test_what_comes_on_an_idle_connection_is_not_an_answer(self, transport: AsyncTransport) -> None:
        has_been_sent = threading.Event()
        may_send = threading.Event()

        def first(connection: Connection) -> None:
            connection.answer()
            assert may_send.wait(PATIENCE)
            connection.send(OTHER)
            has_been_sent.set()
            connection.wait_for_end()

        with RawServer(first, answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            may_send.set()
            assert await anyio.to_thread.run_sync(has_been_sent.wait, PATIENCE)
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    async def test_surplus_under_tls_is_not_an_answer(self, transport: AsyncTransport, authority: trustme.CA) -> None:
        def first(connection: Connection) -> None:
            connection.read_request()
            connection.send(OK)
            connection.send(OTHER)
            connection.wait_for_end()

        with RawServer(first, answering(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    async def test_a_surplus_that_waits_in_tls_is_not_an_answer(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        def first(connection: Connection) -> None:
            connection.read_request()
            connection.send_at_once(OK, OTHER)
            connection.wait_for_end()

        with RawServer(first, answering(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"

    @pytest.mark.parametrize("size", [65_536, 131_072])
    async def test_a_surplus_that_waits_in_the_event_loop_is_not_an_answer(
        self, transport: AsyncTransport, size: int
    ) -> None:
        # Just as long as what is read at a time.
        body = bytes(size - len(response(f"Content-Length: {size}")))
        answer = response(f"Content-Length: {len(body)}", body=body)
        with RawServer(answering(answer + OTHER), answering(OK)) as server:
            assert len((await carry(transport, get(server.url))).body) == len(body)
            assert (await carry(transport, get(server.url))).body == b"ok"

    @ENDS
    async def test_a_host_that_breaks_off_a_kept_connection_does_no_harm(
        self, transport: AsyncTransport, end: Callable[[Connection], None]
    ) -> None:
        has_ended = threading.Event()
        may_end = threading.Event()

        def first(connection: Connection) -> None:
            connection.answer()
            assert may_end.wait(PATIENCE)
            end(connection)
            has_ended.set()

        with RawServer(first, answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            may_end.set()
            assert await anyio.to_thread.run_sync(has_ended.wait, PATIENCE)
            assert (await carry(transport, get(server.url))).body == b"ok"

    @ENDS
    async def test_a_request_that_finds_a_dead_connection_has_been_sent_and_is_not_sent_again(
        self, carrier: Carrier, transport: AsyncTransport, end: Callable[[Connection], None]
    ) -> None:
        with RawServer(dying(b"", end), ending(b"", end)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(f"{server.url}/again"))).failure.kind == "network"
            received = [connection.received.count(b"/again") for connection in server.connections]
            assert received == ([1] if carrier.keeps(REUSE) else [0, 1])

    async def test_a_kept_connection_keeps_no_earlier_deadline(
        self, carrier: Carrier, transport: AsyncTransport
    ) -> None:
        def script(connection: Connection) -> None:
            connection.answer()
            connection.read_request()
            connection.drip(b"HTTP/1.1 200 OK\r\nX-Long: ", every=0.02)

        with RawServer(script, script) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            if carrier.keeps(REUSE):
                began = transport.clock.now()
                assert isinstance((await carry(transport, get(server.url), seconds=DEADLINE)).last, Woken)
                assert transport.clock.now() - began < DEADLINE + LATENESS

    async def test_a_deadline_that_has_passed_sends_nothing_on_a_kept_connection(
        self, transport: AsyncTransport
    ) -> None:
        with RawServer(answering(OK, OK), answering(OK), answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(f"{server.url}/late"), seconds=-1.0)).failure.kind == "connect"
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert all(b"late" not in connection.received for connection in server.connections)

    async def test_closing_the_transport_closes_idle_connections(self, carrier: Carrier) -> None:
        transport = carrier.open()
        with RawServer(answering(EMPTY)) as server:
            await carry(transport, get(server.url))
            await transport.close()
            assert await saw_end(server.connections[0])

    async def test_a_transport_that_was_closed_can_be_used_again(self, carrier: Carrier) -> None:
        transport = carrier.open()
        with RawServer(answering(OK), answering(OK)) as server:
            for number in range(2):
                assert (await carry(transport, get(server.url))).body == b"ok"
                await transport.close()
                assert await saw_end(server.connections[number])

    async def test_an_exchange_under_way_leaves_nothing_in_a_transport_that_was_closed(self, carrier: Carrier) -> None:
        may_go_on = threading.Event()

        def script(connection: Connection) -> None:
            connection.answer(OK[:-1])
            may_go_on.wait(PATIENCE)
            connection.send(OK[-1:])
            connection.wait_for_end()

        transport = carrier.open()
        with RawServer(script) as server:
            exchange = await begin(transport, server.url)
            await transport.close()
            may_go_on.set()
            # Whether it may go on to its end is the transport's business.
            deadline = transport.clock.now() + PATIENCE
            while not isinstance(await exchange.receive(deadline), ResponseEnded | RequestFailed):
                pass
            await exchange.close()
            assert await saw_end(server.connections[0])
