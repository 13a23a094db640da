"""What every transport does, whatever it is made of, against a server of raw bytes.

A test module subclasses `TransportContract` and gives it a fixture `carrier`. Where a transport does otherwise, the
subclass says so in a test of the same name.
"""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import pytest
import trustme

from carriers import Outcome, carry, outputs_of
from modelwire.commands import SendRequest
from modelwire.errors import LimitExceeded
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.inflate import STEP
from modelwire.limits import KIB, MIB, Limits
from modelwire.outputs import TextDelta
from modelwire.text import TextSink
from modelwire_io import dialing
from modelwire_io.drive import AsyncTransport
from raw_server import OK, PATIENCE, Connection, RawServer, Script, chunk, refusing_url, response
from transports_under_test import Carrier

# Seconds: a deadline that a test waits for, and how late it may be noticed on a busy machine.
DEADLINE = 0.3
LATENESS = 0.5

EMPTY = response("Content-Length: 0")
# What a proxy may say instead of opening a tunnel.
NO_TUNNELS = [b"", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-OpenSSH_9.9\r\n\r\n"]
BOMB = gzip.compress(bytes(50 * MIB))


@dataclass(kw_only=True)
class Ask(Flow):
    """One answer, streamed, from each address."""

    urls: list[str] = field(default_factory=list)
    silence: float = PATIENCE

    def start(self) -> Steps:
        for url in self.urls:
            yield from self.stream(partial(self.request, url), lambda: TextSink(self.emit))

    def request(self, url: str) -> Request:
        return Request(method="GET", url=url, timeout=self.silence)


def get(url: str, *, timeout: float = PATIENCE, public_only: bool = False, repeatable: bool = True) -> Request:
    return Request(method="GET", url=url, timeout=timeout, public_only=public_only, repeatable=repeatable)


def answering(*answers: bytes) -> Script:
    """Answer one request after the other, and then wait for the client to go."""

    def script(connection: Connection) -> None:
        for answer in answers:
            connection.answer(answer)
        connection.wait_for_end()

    return script


def ending(data: bytes, end: Callable[[Connection], None] = Connection.close) -> Script:
    """Send `data` in answer to a request, and end the connection in some way."""

    def script(connection: Connection) -> None:
        connection.answer(data)
        end(connection)

    return script


def dripping(start: bytes, data: bytes) -> Script:
    """After `start`, a byte every 20 ms without end: the silence is never long."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        connection.drip(data, every=0.02)

    return script


def endless(connection: Connection) -> None:
    """One piece of an answer that never ends."""
    connection.answer(response("Transfer-Encoding: chunked", body=chunk(b"text")))
    connection.wait_for_end()


def silent(connection: Connection) -> None:
    """Nothing at all."""
    connection.wait_for_end()


async def saw_end(connection: Connection) -> bool:
    """Whether the server sees that the client closed the connection."""
    return await anyio.to_thread.run_sync(connection.saw_end.wait, PATIENCE)


async def is_left(server: RawServer) -> bool:
    """Whether the client closed every connection to the server; on a busy machine it may have made none in time."""
    return all([await saw_end(connection) for connection in server.connections])


async def exhaust(outputs: AsyncIterator[object]) -> None:
    """Take everything there is."""
    async for _ in outputs:
        pass


@contextmanager
def not_accepting(host: str, port: int) -> Iterator[int]:
    """A port where connections are neither accepted nor refused."""
    with socket.create_server((host, port), backlog=0) as listener, ExitStack() as stack:
        address = listener.getsockname()
        while True:
            # The queue of connections that wait to be accepted is filled until there is no more room.
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.05)
            try:
                waiting.connect((host or "127.0.0.1", address[1]))
            except TimeoutError:
                break
        yield address[1]


async def carry_by(carrier: Carrier, request: Request, *, seconds: float = PATIENCE, **options: Any) -> Outcome:
    """Send one request over a transport of its own."""
    transport = carrier.open(**options)
    try:
        return await carry(transport, request, seconds=seconds)
    finally:
        await transport.close()


@pytest.mark.anyio
class TransportContract:
    """The tests. What is fixed here, subclasses may widen."""

    @pytest.fixture
    def anyio_backend(self, carrier: Carrier) -> str:
        return carrier.backend

    @pytest.fixture(autouse=True)
    def names(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
        """The names there are, with their addresses, on every event loop and on none: no test asks a name server."""
        known = {"localhost": ["127.0.0.1"]}
        resolve = socket.getaddrinfo

        def look_up(
            host: str | bytes, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
        ) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            numeric = flags | socket.AI_NUMERICHOST
            found = [resolve(each, port, family, type, proto, numeric) for each in known.get(name, [host])]
            return [entry for entries in found for entry in entries]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return known

    @pytest.fixture
    async def transport(self, carrier: Carrier) -> AsyncIterator[AsyncTransport]:
        opened = carrier.open()
        yield opened
        await opened.close()

    # What is sent.

    async def test_sends_the_given_headers_and_framing_alone(self, transport: AsyncTransport) -> None:
        headers = (("X-Mixed-CASE", "1"), ("accept", "*/*"), ("x-twice", "a"), ("x-twice", "b"), ("cookie", "a=b"))
        with RawServer(answering(EMPTY)) as server:
            request = Request(method="POST", url=f"{server.url}/path", headers=headers, body=b"\x00body")
            assert (await carry(transport, request)).status == 200
            head, body = server.connections[0].received.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        assert first == "POST /path HTTP/1.1"
        framing = [f"Host: 127.0.0.1:{server.port}", "Content-Length: 5"]
        assert [line for line in lines if line not in framing] == [f"{name}: {value}" for name, value in headers]
        assert sorted(line for line in lines if line in framing) == sorted(framing)
        assert body == b"\x00body"

    async def test_sends_the_given_framing_in_place_of_its_own(self, transport: AsyncTransport) -> None:
        headers = (("host", "name.invalid"), ("content-length", "2"), ("user-agent", "x"), ("accept-encoding", "gzip"))
        with RawServer(answering(EMPTY)) as server:
            await carry(transport, Request(method="POST", url=server.url, headers=headers, body=b"ok"))
            lines = server.connections[0].received.decode().lower().split("\r\n")
        assert sorted(lines[1:]) == sorted([*(f"{name}: {value}" for name, value in headers), "", "ok"])

    async def test_sends_bytes_beyond_ascii_in_a_header_as_they_are(self, transport: AsyncTransport) -> None:
        with RawServer(answering(EMPTY)) as server:
            await carry(transport, Request(method="GET", url=server.url, headers=(("x-name", "caf\xe9"),)))
            assert b"\r\nx-name: caf\xe9\r\n" in server.connections[0].received

    async def test_sends_an_empty_body_with_a_length(self, transport: AsyncTransport) -> None:
        with RawServer(answering(EMPTY)) as server:
            await carry(transport, Request(method="POST", url=server.url))
            lines = server.connections[0].received.decode().split("\r\n")
        assert lines == ["POST / HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Length: 0", "", ""]

    async def test_sends_nothing_about_a_body_that_is_none(self, transport: AsyncTransport) -> None:
        with RawServer(answering(EMPTY)) as server:
            await carry(transport, get(server.url))
            sent = server.connections[0].received.decode()
        assert sent == f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"

    async def test_sends_a_large_body(self, transport: AsyncTransport) -> None:
        body = bytes(range(256)) * 8 * KIB
        with RawServer(answering(OK)) as server:
            assert (await carry(transport, Request(method="POST", url=server.url, body=body))).body == b"ok"
            assert server.connections[0].received.endswith(b"\r\n\r\n" + body)

    targets: ClassVar = {
        "": "/",
        "?a": "/?a",
        "/?": "/?",
        "/a%2fb%2F%7e%41?x=%7E+%20~": "/a%2fb%2F%7e%41?x=%7E+%20~",
        "/100%?x=%zz%": "/100%?x=%zz%",
        "/[1]{2}|3|^`<4>\"'\\?[1]{2}|3|^`<4>\"'\\": "/[1]{2}|3|^`<4>\"'\\?[1]{2}|3|^`<4>\"'\\",
        "/a/../b/./c//d": "/a/../b/./c//d",
        "//a": "//a",
        "/a;b=c,d:e@f!$&()*=?a;b=c,d:e@f!$&()*=/?": "/a;b=c,d:e@f!$&()*=?a;b=c,d:e@f!$&()*=/?",
        f"/{'a' * 70_000}": f"/{'a' * 70_000}",
        "/a#b?c": "/a",
        "#b": "/",
    }

    async def test_sends_the_url_as_it_is(self, transport: AsyncTransport) -> None:
        with RawServer(answering(*[EMPTY] * len(self.targets)), *[answering(EMPTY)] * len(self.targets)) as server:
            for written in self.targets:
                assert (await carry(transport, get(server.url + written))).body == b""
            lines = b"".join(connection.received for connection in server.connections).decode().split("\r\n")
        assert [line.split(" ")[1] for line in lines if line.startswith("GET ")] == list(self.targets.values())

    async def test_keeps_no_cookies(self, transport: AsyncTransport) -> None:
        answer = response("Set-Cookie: a=b; Path=/", "Content-Length: 0")
        with RawServer(answering(answer, answer), answering(answer)) as server:
            for _ in range(2):
                assert ("Set-Cookie", "a=b; Path=/") in (await carry(transport, get(server.url))).headers
            assert all(b"ookie" not in connection.received for connection in server.connections)

    async def test_follows_no_redirects(self, transport: AsyncTransport) -> None:
        with RawServer(answering(response("Location: /there", "Content-Length: 0", status="302 Found"))) as server:
            outcome = await carry(transport, get(server.url))
            assert outcome.status == 302
            assert outcome.body == b""
            assert server.connections[0].received.count(b"GET ") == 1

    # What is received.

    async def test_hands_on_what_comes_when_it_comes(self, transport: AsyncTransport) -> None:
        may_go_on = threading.Event()

        def script(connection: Connection) -> None:
            connection.answer(response("Transfer-Encoding: chunked") + chunk(b"one "))
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
        with RawServer(answering(answer)) as server:
            outcome = await carry(transport, get(server.url))
        assert outcome.events[0] == ResponseStarted(1, 200, (("X-A", "b"), ("Content-Length", "2")))
        assert outcome.body == b"ok"

    @pytest.mark.parametrize("interim", ["100 Continue", "103 Early Hints"])
    async def test_a_flood_of_informational_responses_comes_to_an_end(
        self, transport: AsyncTransport, interim: str
    ) -> None:
        def script(connection: Connection) -> None:
            connection.read_request()
            while True:
                connection.send(response(f"X-Long: {'x' * 1000}", status=interim) * 10)

        with RawServer(script) as server:
            outcome = await carry(transport, get(server.url), seconds=DEADLINE)
            assert type(outcome.last) in self.ends_of_a_flood

    # The response fails, and not only at its deadline.
    ends_of_a_flood: ClassVar[set[type[Event]]] = {RequestFailed}

    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    async def test_ends_a_body_without_framing_where_the_connection_ends(
        self, transport: AsyncTransport, version: str
    ) -> None:
        with RawServer(ending(response(body=b"whole").replace(b"1.1", version.encode()))) as server:
            assert (await carry(transport, get(server.url))).body == b"whole"

    @pytest.mark.parametrize("end", [OK[-2:], b""])
    async def test_a_head_may_come_byte_by_byte(self, transport: AsyncTransport, end: bytes) -> None:
        head = response("X-A: b", f"Content-Length: {len(end)}")

        def script(connection: Connection) -> None:
            connection.read_request()
            for byte in head + end:
                connection.send(bytes((byte,)))
            connection.wait_for_end()

        with RawServer(script) as server:
            outcome = await carry(transport, get(server.url))
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
        with RawServer(answering(response(framing, coding, status=status))) as server:
            outcome = await carry(transport, Request(method=method, url=server.url, timeout=PATIENCE))
            assert outcome.body == b""
            assert outcome.status == int(status[:3])

    async def test_takes_header_bytes_beyond_ascii(self, transport: AsyncTransport) -> None:
        with RawServer(answering(response("X-Name: caf\xe9", "Content-Length: 0"))) as server:
            assert ("X-Name", "caf\xe9") in (await carry(transport, get(server.url))).headers

    # Connections that are used again.

    async def test_uses_a_connection_again(self, transport: AsyncTransport) -> None:
        with RawServer(answering(OK, OK)) as server:
            flow = Ask(urls=[f"{server.url}/1", f"{server.url}/2"])
            assert [output async for output in outputs_of(flow, transport)] == [TextDelta("ok"), TextDelta("ok")]
            assert len(server.connections) == 1

    async def test_a_request_that_must_not_be_repeated_gets_a_new_connection(self, transport: AsyncTransport) -> None:
        with RawServer(answering(OK), answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url, repeatable=False))).body == b"ok"
            assert len(server.connections) == 2
            assert server.connections[0].received == server.connections[1].received

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
        def second(connection: Connection) -> None:
            connection.answer()
            connection.wait_for_end()

        with RawServer(answering(answer, OK), second) as server:
            outcome = await carry(transport, get(server.url))
            assert isinstance(outcome.last, ResponseEnded | RequestFailed)
            outcome = await carry(transport, get(server.url))
            assert outcome.body == b"ok"
            assert len(server.connections) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(OK + b"surplus", id="surplus"),
            pytest.param(OK + OK.replace(b"ok", b"no"), id="second response"),
            pytest.param(EMPTY + OK.replace(b"ok", b"no"), id="second response after none"),
            pytest.param(
                response("Transfer-Encoding: chunked", body=chunk(b"ok") + chunk(b"") + OK.replace(b"ok", b"no")),
                id="second response after chunks",
            ),
        ],
    )
    async def test_a_surplus_that_came_with_an_answer_is_forgotten(
        self, transport: AsyncTransport, answer: bytes
    ) -> None:
        with RawServer(answering(answer), answering(OK)) as server:
            assert isinstance((await carry(transport, get(server.url))).last, ResponseEnded | RequestFailed)
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    async def test_what_comes_on_an_idle_connection_is_not_an_answer(self, transport: AsyncTransport) -> None:
        has_been_sent = threading.Event()
        may_send = threading.Event()

        def first(connection: Connection) -> None:
            connection.answer()
            assert may_send.wait(PATIENCE)
            connection.send(OK.replace(b"ok", b"no"))
            has_been_sent.set()
            connection.wait_for_end()

        with RawServer(first, answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            may_send.set()
            assert await anyio.to_thread.run_sync(has_been_sent.wait, PATIENCE)
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    @pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["end", "reset"])
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

    # Time.

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X-Long: and so on\r\n"), id="head"),
            pytest.param(dripping(response("Content-Length: 1000"), b"x"), id="body"),
            pytest.param(dripping(response("Transfer-Encoding: chunked"), b"1;xxx"), id="chunk header"),
            pytest.param(dripping(response("Transfer-Encoding: chunked", body=b"0\r\n"), b"x: y\r\n"), id="trailer"),
        ],
    )
    async def test_a_deadline_ends_what_drips(self, transport: AsyncTransport, script: Script) -> None:
        with RawServer(script) as server:
            deadline = transport.clock.now() + DEADLINE
            outcome = await carry(transport, get(server.url), seconds=DEADLINE)
            ended = transport.clock.now()
            assert isinstance(outcome.last, Woken)
            assert deadline - 0.01 <= ended < deadline + LATENESS
            assert await is_left(server)

    async def test_a_kept_connection_keeps_no_earlier_deadline(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.answer()
            connection.read_request()
            connection.drip(b"HTTP/1.1 200 OK\r\nX-Long: ", every=0.02)

        with RawServer(script, script) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            if self.keeps_connections:
                began = transport.clock.now()
                assert isinstance((await carry(transport, get(server.url), seconds=DEADLINE)).last, Woken)
                assert transport.clock.now() - began < DEADLINE + LATENESS

    keeps_connections = True

    async def test_a_deadline_ends_a_request_that_nobody_reads(self, transport: AsyncTransport) -> None:
        may_end = threading.Event()

        def script(connection: Connection) -> None:
            may_end.wait(PATIENCE)

        with RawServer(script) as server:
            deadline = transport.clock.now() + DEADLINE
            request = Request(method="POST", url=server.url, body=bytes(32 * MIB))
            outcome = await carry(transport, request, seconds=DEADLINE)
            ended = transport.clock.now()
            may_end.set()
        assert isinstance(outcome.last, Woken)
        assert ended < deadline + LATENESS

    async def test_a_deadline_that_has_passed_ends_at_once(self, transport: AsyncTransport) -> None:
        with RawServer(silent) as server:
            assert isinstance((await carry(transport, get(server.url), seconds=-1.0)).last, Woken)

    async def test_silence_is_a_timeout(self, transport: AsyncTransport) -> None:
        with RawServer(silent) as server:
            outcome = await carry(transport, get(server.url, timeout=0.2))
            assert outcome.failure.kind == "timeout"
            assert await is_left(server)

    async def test_silence_in_a_body_is_a_timeout(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.answer(response("Content-Length: 3", body=b"a"))
            connection.wait_for_end()

        with RawServer(script) as server:
            outcome = await carry(transport, get(server.url, timeout=0.2))
            assert outcome.pieces == [b"a"]
            assert outcome.failure.kind == "timeout"

    async def test_what_is_slow_but_not_silent_is_no_timeout(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.read_request()
            for start in range(0, len(OK), 5):
                connection.send(OK[start : start + 5])
                connection.saw_end.wait(0.02)
            connection.wait_for_end()

        with RawServer(script) as server:
            assert (await carry(transport, get(server.url, timeout=0.14))).body == b"ok"

    async def test_sleeps_until_it_is_time(self, transport: AsyncTransport) -> None:
        until = transport.clock.now() + 0.05
        await transport.sleep(until)
        assert until - 0.005 <= transport.clock.now() < until + LATENESS
        await transport.sleep(0.0)

    # Failures.

    async def test_a_refused_connection_is_a_failure_to_connect(self, transport: AsyncTransport) -> None:
        with refusing_url() as url:
            outcome = await carry(transport, get(url))
        assert outcome.failure.kind == "connect"
        assert outcome.failure.detail

    nowhere = (
        "http://name.invalid/",
        "http://a..b/",
        f"http://{'a' * 64}.invalid/",
        f"http://{'a.' * 200}invalid/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:port/",
        "http://0177.0.0.1/",
        "http://[::1%25lo0]:1/",
        "http://[::1/",
        "http://xn--a/",
        "http://exa%6dple.invalid/",
        "http://a%20b.invalid/",
        "http://a_b.invalid/",
        "http:///path",
        "http://?query",
        "https://a..b/",
        "https://.invalid/",
    )

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_an_address_that_leads_nowhere_is_a_failure_to_connect(
        self, transport: AsyncTransport, public_only: bool
    ) -> None:
        for url in self.nowhere:
            outcome = await carry(transport, get(url, public_only=public_only))
            assert outcome.failure.kind == "connect", url

    @pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["end", "reset"])
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"HTTP/1.1 200 O", id="status line"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="in a header"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX-A: b\r\n", id="between headers"),
            pytest.param(response("Content-Length: 10", body=b"12345"), id="length"),
            pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345")), id="between chunks"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"a\r\n12345"), id="in a chunk"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"5\r\n12345"), id="after a chunk"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"5\r\n12345\r"), id="in a line end"),
            pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345") + b"5"), id="in a chunk header"),
            pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345") + b"0\r\n"), id="in the trailer"),
        ],
    )
    async def test_a_response_that_is_cut_off_is_a_failure_of_the_network(
        self, transport: AsyncTransport, data: bytes, end: Callable[[Connection], None]
    ) -> None:
        with RawServer(ending(data, end)) as server:
            assert (await carry(transport, get(server.url))).failure.kind == "network"

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n\r\n", id="other protocol"),
            pytest.param(b"\x00" * 100 + b"\r\n\r\n", id="zeros"),
            pytest.param(b"HTTP/1.1 200 OK\r\nBad Name: secret\r\n\r\n", id="header"),
            pytest.param(response("Content-Length: 5, 6"), id="length"),
            pytest.param(response("Content-Length: -5"), id="negative length"),
            pytest.param(response("Content-Length: 5", "Content-Length: 6"), id="two lengths"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"secret\r\n"), id="chunk"),
            pytest.param(response(f"X-Long: {'secret' * 30_000}"), id="endless head"),
            pytest.param(response("Transfer-Encoding: zip"), id="transfer coding"),
        ],
    )
    async def test_what_is_not_http_is_a_failure_of_the_protocol(self, transport: AsyncTransport, data: bytes) -> None:
        def script(connection: Connection) -> None:
            connection.answer(data)
            connection.wait_for_end()

        with RawServer(script) as server:
            outcome = await carry(transport, get(server.url))
            assert outcome.failure.kind == self.kind_of_nonsense(data)
            assert "secret" not in outcome.failure.detail
            assert await saw_end(server.connections[0])

    def kind_of_nonsense(self, data: bytes) -> str:
        """What a transport takes such data for."""
        return "protocol"

    # Content codings.

    @pytest.mark.parametrize(
        ("coding", "body"),
        [
            ("gzip", gzip.compress(b"text" * 50_000)),
            ("X-GZIP", gzip.compress(b"text" * 50_000)),
            ("deflate", zlib.compress(b"text" * 50_000)),
            ("deflate", zlib.compress(b"text" * 50_000)[2:-4]),
            ("identity", b"text" * 50_000),
        ],
    )
    async def test_undoes_content_codings(self, transport: AsyncTransport, coding: str, body: bytes) -> None:
        answer = response(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}", body=body)
        with RawServer(answering(answer)) as server:
            outcome = await carry(transport, get(server.url))
        assert outcome.body == b"text" * 50_000

    @pytest.mark.parametrize("coding", ["br", "gzip, gzip", "gzip"])
    async def test_a_coding_that_cannot_be_undone_is_a_failure_after_the_head(
        self, transport: AsyncTransport, coding: str
    ) -> None:
        answer = response(f"Content-Encoding: {coding}", "Content-Length: 3", body=b"abc", status="429 Slow")
        with RawServer(answering(answer)) as server:
            outcome = await carry(transport, get(server.url))
            assert outcome.status == 429
            assert outcome.failure.kind == "protocol"

    async def test_a_compressed_body_that_is_cut_off_is_a_failure_of_the_network(
        self, transport: AsyncTransport
    ) -> None:
        body = gzip.compress(b"text")[:-1]
        answer = response("Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body)
        with RawServer(answering(answer)) as server:
            assert (await carry(transport, get(server.url))).failure.kind == "network"

    async def test_a_bomb_comes_in_small_pieces(self, transport: AsyncTransport) -> None:
        assert len(BOMB) < 64 * KIB
        answer = response("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}", body=BOMB)
        with RawServer(answering(answer)) as server:
            deadline = transport.clock.now() + PATIENCE
            exchange = transport.open(SendRequest(1, get(server.url), deadline))
            assert isinstance(await exchange.receive(deadline), ResponseStarted)
            sizes = []
            while isinstance(event := await exchange.receive(deadline), BodyReceived):
                sizes.append(len(event.data))
            await exchange.close()
        assert isinstance(event, ResponseEnded)
        assert sum(sizes) == 50 * MIB
        assert max(sizes) <= STEP

    async def test_a_bomb_ends_at_the_limit_of_the_flow(self, transport: AsyncTransport) -> None:
        answer = response("Content-Encoding: gzip", f"Content-Length: {len(BOMB) + 1}", body=BOMB)
        with RawServer(answering(answer)) as server:
            flow = Ask(urls=[server.url], limits=Limits(body=MIB))
            tracemalloc.start()
            try:
                with pytest.raises(LimitExceeded) as raised:
                    await exhaust(outputs_of(flow, transport))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert await saw_end(server.connections[0])
        assert len(raised.value.failure.text) == MIB
        assert peak < 8 * MIB

    # Leaving early, and slowly.

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
        with RawServer(answering(EMPTY)) as server:
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
            connection.answer(response("Transfer-Encoding: chunked"))
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
        # What the system takes, on both sides, is some megabytes.
        assert amounts[0] < 64 * MIB

    async def test_cancelling_a_task_closes_the_connection(self, carrier: Carrier, transport: AsyncTransport) -> None:
        if carrier.style == "blocking":
            pytest.skip("there are no tasks to be cancelled")
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

    async def test_cancelling_while_waiting_for_a_head_closes_the_connection(
        self, carrier: Carrier, transport: AsyncTransport
    ) -> None:
        if carrier.style == "blocking":
            pytest.skip("there are no tasks to be cancelled")
        has_request = threading.Event()

        def script(connection: Connection) -> None:
            connection.read_request()
            has_request.set()
            connection.wait_for_end()

        with RawServer(script) as server:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(carry, transport, get(server.url))
                assert await anyio.to_thread.run_sync(has_request.wait, PATIENCE)
                tasks.cancel_scope.cancel()
            assert await saw_end(server.connections[0])

    async def test_closing_the_transport_closes_idle_connections(self, carrier: Carrier) -> None:
        transport = carrier.open()
        with RawServer(answering(EMPTY)) as server:
            await carry(transport, get(server.url))
            await transport.close()
            assert await saw_end(server.connections[0])

    # Addresses.

    private_hosts = (
        *("127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]"),
        *("2130706433", "0x7f000001", "127.1", "0177.0.0.1"),
    )

    async def test_refuses_what_is_not_public(self, transport: AsyncTransport) -> None:
        with RawServer() as server:
            for host in self.private_hosts:
                outcome = await carry(transport, get(f"http://{host}:{server.port}/", public_only=True))
                assert outcome.failure.kind == "connect", host
            assert server.connections == []

    @pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"]])
    async def test_refuses_names_of_what_is_not_public(
        self, transport: AsyncTransport, names: dict[str, list[str]], addresses: list[str]
    ) -> None:
        names["images.example"] = addresses
        with RawServer() as server:
            outcome = await carry(transport, get(f"http://images.example:{server.port}/", public_only=True))
            assert outcome.failure.kind == "connect"
            assert "images.example is not at a public address, and only such are allowed" in outcome.failure.detail
            assert server.connections == []

    async def test_does_not_use_a_connection_again_whose_address_nobody_checked(
        self, transport: AsyncTransport, names: dict[str, list[str]]
    ) -> None:
        names["images.example"] = ["127.0.0.1"]
        with RawServer(answering(OK)) as server:
            url = f"http://images.example:{server.port}/"
            assert (await carry(transport, get(url))).body == b"ok"
            assert (await carry(transport, get(url, public_only=True))).failure.kind == "connect"
            assert server.connections[0].received.count(b"GET ") == 1

    async def test_connects_to_a_public_address(
        self, transport: AsyncTransport, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Nothing on this machine is public: let what nobody listens on, and the server itself, count as such.
        monkeypatch.setattr(dialing, "is_public", lambda address: address in ("127.0.0.2", "127.0.0.1"))
        names["images.example"] = ["127.0.0.2", "127.0.0.1"]
        with RawServer(answering(OK)) as server:
            url = f"http://images.example:{server.port}/"
            assert (await carry(transport, get(url, public_only=True))).body == b"ok"
            assert f"Host: images.example:{server.port}" in server.connections[0].received.decode()
            names["images.example"] = ["127.0.0.2", "127.0.0.3"]
        assert (await carry(transport, get(url, public_only=True))).failure.kind == "connect"

    @pytest.fixture
    def silent_port(self) -> Iterator[int]:
        """A port of every loopback address where connections are neither accepted nor refused."""
        with not_accepting("", 0) as port:
            yield port

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_connecting_ends_by_the_deadline(
        self,
        transport: AsyncTransport,
        names: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
        silent_port: int,
        public_only: bool,
    ) -> None:
        monkeypatch.setattr(dialing, "is_public", lambda address: True)
        names["images.example"] = [f"127.0.0.{number}" for number in range(1, 6)]
        request = get(f"http://images.example:{silent_port}/", public_only=public_only)
        began = transport.clock.now()
        outcome = await carry(transport, request, seconds=DEADLINE)
        assert isinstance(outcome.last, Woken)
        assert DEADLINE - 0.01 <= transport.clock.now() - began < DEADLINE + LATENESS

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_an_address_that_does_not_answer_is_not_waited_for(
        self,
        transport: AsyncTransport,
        names: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
        public_only: bool,
    ) -> None:
        monkeypatch.setattr(dialing, "is_public", lambda address: True)
        names["images.example"] = ["127.0.0.2", "127.0.0.1"]
        with RawServer(answering(OK)) as server, not_accepting("127.0.0.2", server.port):
            request = get(f"http://images.example:{server.port}/", public_only=public_only)
            assert (await carry(transport, request, seconds=2.0)).body == b"ok"

    async def test_silence_while_connecting_is_a_failure_to_connect(
        self, transport: AsyncTransport, silent_port: int
    ) -> None:
        outcome = await carry(transport, get(f"http://127.0.0.1:{silent_port}/", timeout=0.05))
        assert outcome.failure.kind == "connect"

    async def test_looking_up_a_name_ends_by_the_deadline(
        self, transport: AsyncTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        may_answer = threading.Event()

        def look_up(host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
            if not flags & socket.AI_NUMERICHOST:
                may_answer.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_NONAME, "nobody knows")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        began = transport.clock.now()
        outcome = await carry(transport, get("http://slow.example/"), seconds=DEADLINE)
        took = transport.clock.now() - began
        may_answer.set()
        assert isinstance(outcome.last, Woken)
        assert took < DEADLINE + LATENESS

    # TLS.

    @pytest.fixture
    def authority(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
        """One that this process trusts."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        return authority

    async def test_trusts_the_authorities_of_ssl_cert_file(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        with RawServer(answering(OK, OK), answering(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"
        # SSL_CERT_FILE stands in place of the system's authorities, which do not know this one.
        assert "SSL_CERT_FILE" in os.environ

    async def test_goes_by_the_name_of_the_host(
        self, transport: AsyncTransport, authority: trustme.CA, names: dict[str, list[str]]
    ) -> None:
        names["right.example"] = names["wrong.example"] = ["127.0.0.1"]
        with RawServer(answering(OK), silent, tls=tls_for(authority, "right.example")) as server:
            assert (await carry(transport, get(f"https://right.example:{server.port}/"))).body == b"ok"
            outcome = await carry(transport, get(f"https://wrong.example:{server.port}/"))
            assert outcome.failure.kind == "connect"
            assert "wrong.example" in outcome.failure.detail

    async def test_refuses_an_authority_that_it_does_not_know(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        with RawServer(silent, tls=tls_for(trustme.CA(), "127.0.0.1")) as server:
            outcome = await carry(transport, get(server.url))
            assert outcome.failure.kind == "connect"
            assert "certificate" in outcome.failure.detail

    async def test_a_server_that_knows_no_tls_is_a_failure_to_connect(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.wait_for_end()

        with RawServer(script, Connection.close) as server:
            for _ in range(2):
                outcome = await carry(transport, get(server.url.replace("http:", "https:")))
                assert outcome.failure.kind == "connect"

    async def test_a_deadline_ends_a_handshake_that_drips(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            # The beginning of a record of TLS that is very long.
            connection.drip(b"\x16\x03\x03\x40\x00" + bytes(1000), every=0.02)

        with RawServer(script) as server:
            deadline = transport.clock.now() + DEADLINE
            outcome = await carry(transport, get(server.url.replace("http:", "https:")), seconds=DEADLINE)
            ended = transport.clock.now()
            assert isinstance(outcome.last, Woken)
            assert ended < deadline + LATENESS
            assert await is_left(server)

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X-Long: and so on\r\n"), id="head"),
            pytest.param(dripping(response("Content-Length: 1000"), b"x"), id="body"),
        ],
    )
    async def test_a_deadline_ends_what_drips_under_tls(
        self, transport: AsyncTransport, authority: trustme.CA, script: Script
    ) -> None:
        with RawServer(script, tls=tls_for(authority, "127.0.0.1")) as server:
            deadline = transport.clock.now() + DEADLINE
            outcome = await carry(transport, get(server.url), seconds=DEADLINE)
            assert isinstance(outcome.last, Woken)
            assert transport.clock.now() < deadline + LATENESS
            assert await is_left(server)

    async def test_surplus_under_tls_is_not_an_answer(self, transport: AsyncTransport, authority: trustme.CA) -> None:
        def first(connection: Connection) -> None:
            connection.read_request()
            connection.send(OK)
            connection.send(OK.replace(b"ok", b"no"))
            connection.wait_for_end()

        with RawServer(first, answering(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 2

    # Proxies.

    async def test_sends_the_whole_url_to_a_proxy(self, carrier: Carrier) -> None:
        with RawServer(answering(OK)) as proxy:
            outcome = await carry_by(carrier, get("http://name.invalid:8080/a%2fb?c#d"), proxy=proxy.url)
            assert outcome.body == b"ok"
            assert proxy.connections[0].received == (
                b"GET http://name.invalid:8080/a%2fb?c HTTP/1.1\r\nHost: name.invalid:8080\r\n\r\n"
            )

    async def test_shows_a_proxy_its_password(self, carrier: Carrier) -> None:
        with RawServer(answering(OK)) as server:
            await carry_by(carrier, get("http://name.invalid/"), proxy=f"http://user:p%40ss@127.0.0.1:{server.port}")
            assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in server.connections[0].received

    async def test_goes_to_https_through_a_tunnel(self, carrier: Carrier, authority: trustme.CA) -> None:
        tls = tls_for(authority, "name.invalid")

        def script(connection: Connection) -> None:
            assert connection.read_head().startswith(b"CONNECT name.invalid:443 HTTP/1.1\r\n")
            connection.send(b"HTTP/1.1 200 Connection established\r\nX-A: b\r\n\r\n")
            connection.secure(tls)
            connection.answer()
            connection.wait_for_end()

        with RawServer(script) as proxy:
            url = f"http://user:secret@127.0.0.1:{proxy.port}"
            assert (await carry_by(carrier, get("https://name.invalid/a"), proxy=url)).body == b"ok"
            received = proxy.connections[0].received
        assert b"\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in received
        assert received.endswith(b"GET /a HTTP/1.1\r\nHost: name.invalid\r\n\r\n")

    @pytest.mark.parametrize("answer", [*NO_TUNNELS, response("Content-Length: 0", status="403 Forbidden")])
    async def test_a_proxy_that_opens_no_tunnel_is_a_failure_to_connect(self, carrier: Carrier, answer: bytes) -> None:
        with RawServer(ending(answer)) as proxy:
            outcome = await carry_by(carrier, get("https://name.invalid/"), proxy=proxy.url)
            assert proxy.connections[0].received.startswith(b"CONNECT name.invalid:443 HTTP/1.1\r\n")
        assert outcome.failure.kind == self.kind_of_no_tunnel(answer)

    def kind_of_no_tunnel(self, answer: bytes) -> str:
        """What a transport takes such an answer of a proxy for."""
        return "connect"

    @pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", response()], ids=["answer", "handshake"])
    async def test_a_deadline_ends_a_tunnel_that_drips(self, carrier: Carrier, start: bytes) -> None:
        data = b"X-Long: and so on\r\n" if start.count(b"\n") == 1 else b"\x16\x03\x03\x40\x00" + bytes(1000)
        with RawServer(dripping(start, data)) as proxy:
            transport = carrier.open(proxy=proxy.url)
            deadline = transport.clock.now() + DEADLINE
            outcome = await carry(transport, get("https://name.invalid/"), seconds=DEADLINE)
            ended = transport.clock.now()
            await transport.close()
            assert isinstance(outcome.last, Woken)
            assert ended < deadline + LATENESS
            assert await is_left(proxy)

    async def test_a_proxy_that_is_not_there_is_a_failure_to_connect(self, carrier: Carrier) -> None:
        with refusing_url() as url:
            assert (await carry_by(carrier, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"
            assert (await carry_by(carrier, get("https://name.invalid/"), proxy=url)).failure.kind == "connect"

    async def test_uses_the_proxy_of_the_environment_but_not_for_loopback(self, carrier: Carrier) -> None:
        with RawServer(answering(OK)) as proxy, RawServer(answering(OK)) as server:
            environment = {"HTTP_PROXY": proxy.url}
            await carry_by(carrier, get("http://name.invalid/"), environment=environment)
            await carry_by(carrier, get(f"{server.url}/direct"), environment=environment)
            assert proxy.connections[0].received.startswith(b"GET http://name.invalid/ HTTP/1.1\r\n")
            assert server.connections[0].received.startswith(b"GET /direct HTTP/1.1\r\n")

    async def test_uses_a_given_proxy_for_loopback_too(self, carrier: Carrier) -> None:
        with RawServer(answering(OK)) as proxy:
            await carry_by(carrier, get("http://localhost:1/"), proxy=proxy.url)
            assert proxy.connections[0].received.startswith(b"GET http://localhost:1/ HTTP/1.1\r\n")

    async def test_a_proxy_may_be_anywhere_but_is_not_asked_for_what_is_not_public(self, carrier: Carrier) -> None:
        with RawServer(answering(OK)) as proxy:
            outcome = await carry_by(carrier, get("http://name.invalid/", public_only=True), proxy=proxy.url)
            assert outcome.body == b"ok"
            for host in self.private_hosts:
                outcome = await carry_by(carrier, get(f"http://{host}/", public_only=True), proxy=proxy.url)
                assert outcome.failure.kind == "connect", host
            assert len(proxy.connections) == 1


def tls_for(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """The side of a server of this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context
