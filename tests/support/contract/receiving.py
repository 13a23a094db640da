"""Responses: the head, and the body chunk by chunk."""

from __future__ import annotations

import threading
from contextlib import aclosing

import pytest

from modelwire.events import RequestFailed, ResponseStarted, Woken
from modelwire.http import Request
from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport
from raw_server import OK, PATIENCE, Connection, RawServer, chunk, response
from transport_calls import fetch, outputs_of
from transport_promises import INTERIM_FLOODS, LONG_HEADS
from transport_variants import TransportVariant

from .base import Contract
from .scripts import DEADLINE, Ask, ending, get, responding


class Receiving(Contract):
    """Valid responses."""

    async def test_delivers_each_chunk_when_it_arrives(self, transport: AsyncTransport) -> None:
        may_go_on = threading.Event()

        def script(connection: Connection) -> None:
            connection.respond(response("Transfer-Encoding: chunked") + chunk(b"one "))
            assert may_go_on.wait(PATIENCE), "the first piece did not arrive before the second was sent"
            connection.send(b"3;name=value\r\ntwo\r\n0\r\nX-Trailer: yes\r\n\r\n")
            connection.wait_for_end()

        heard = []
        with RawServer(script) as server:
            async with aclosing(outputs_of(Ask(urls=[server.url]), transport)) as outputs:
                async for output in outputs:
                    heard.append(output)
                    may_go_on.set()
        assert heard == [TextDelta("one "), TextDelta("two")]

    async def test_skips_informational_responses(self, transport: AsyncTransport) -> None:
        interim = response(status="100 Continue") + response("Link: </a>", status="103 Early Hints")
        answer = interim * 2 + response("X-A: b", "Content-Length: 2", body=b"ok")
        with RawServer(responding(answer)) as server:
            outcome = await fetch(transport, get(server.url))
        assert outcome.events[0] == ResponseStarted(1, 200, (("X-A", "b"), ("Content-Length", "2")))
        assert outcome.body == b"ok"

    @pytest.mark.parametrize("interim", ["100 Continue", "103 Early Hints"])
    async def test_a_flood_of_informational_responses_ends(
        self, variant: TransportVariant, transport: AsyncTransport, interim: str
    ) -> None:
        def script(connection: Connection) -> None:
            connection.read_request()
            while True:
                connection.send(response(f"X-Long: {'x' * 1000}", status=interim) * 10)

        with RawServer(script) as server:
            last = (await fetch(transport, get(server.url), seconds=DEADLINE)).last
            # The limit of interim responses, or else the deadline.
            assert isinstance(last, RequestFailed | Woken)
            assert isinstance(last, RequestFailed) or not variant.keeps(INTERIM_FLOODS)

    async def test_a_head_may_have_many_headers(self, variant: TransportVariant, transport: AsyncTransport) -> None:
        headers = [f"X-{number}: {number}" for number in range(248)]
        with RawServer(responding(response("Content-Length: 2", *headers, "X-Last: yes", body=b"ok"))) as server:
            outcome = await fetch(transport, get(server.url))
            if variant.keeps(LONG_HEADS):
                assert len(outcome.headers) == 250
                assert outcome.body == b"ok"
            else:
                assert outcome.failure.kind == "protocol"

    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    async def test_a_body_without_framing_ends_with_the_connection(
        self, transport: AsyncTransport, version: str
    ) -> None:
        with RawServer(ending(response(body=b"whole").replace(b"1.1", version.encode()))) as server:
            assert (await fetch(transport, get(server.url))).body == b"whole"

    @pytest.mark.parametrize("end", [OK[-2:], b""])
    async def test_a_head_may_come_byte_by_byte(self, transport: AsyncTransport, end: bytes) -> None:
        head = response("X-A: b", f"Content-Length: {len(end)}")

        def script(connection: Connection) -> None:
            connection.read_request()
            for byte in head + end:
                connection.send(bytes((byte,)))
            connection.wait_for_end()

        with RawServer(script) as server:
            outcome = await fetch(transport, get(server.url))
            assert outcome.headers[0] == ("X-A", "b")
            assert outcome.body == end

    @pytest.mark.parametrize("coding", ["Content-Encoding: gzip", "X-Other: yes"])
    @pytest.mark.parametrize(
        ("method", "status", "framing"),
        [
            ("HEAD", "200 OK", "Content-Length: 1000"),
            ("HEAD", "200 OK", "Transfer-Encoding: chunked"),
            ("GET", "204 No Content", "X-Framing: none"),
            ("GET", "304 Not Modified", "Content-Length: 1000"),
            ("GET", "200 OK", "Content-Length: 0"),
        ],
    )
    async def test_a_response_may_have_no_body(
        self, transport: AsyncTransport, method: str, status: str, framing: str, coding: str
    ) -> None:
        with RawServer(responding(response(framing, coding, status=status))) as server:
            outcome = await fetch(transport, Request(method=method, url=server.url, timeout=PATIENCE))
            assert outcome.body == b""
            assert outcome.status == int(status[:3])

    async def test_receives_header_bytes_beyond_ascii(self, transport: AsyncTransport) -> None:
        with RawServer(responding(response("X-Name: caf\xe9", "Content-Length: 0"))) as server:
            assert ("X-Name", "caf\xe9") in (await fetch(transport, get(server.url))).headers
