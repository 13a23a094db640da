"""httpx and httpx2 as transports, blocking, on asyncio and on trio, against a server of raw bytes."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import httpx2
import pytest

from carriers import VARIANTS, Outcome, Variant, carry, outputs_of
from modelwire.commands import SendRequest
from modelwire.errors import InvalidInput, LimitExceeded
from modelwire.events import BodyReceived, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.inflate import STEP
from modelwire.limits import KIB, MIB, Limits
from modelwire.outputs import TextDelta
from modelwire.text import TextSink
from modelwire_io import httpx_guard
from modelwire_io.drive import AsyncTransport
from modelwire_io.httpx_pools import Library
from raw_server import OK, PATIENCE, Connection, RawServer, Script, chunk, refusing_url, response

pytestmark = pytest.mark.anyio

# Seconds: a deadline that a test waits for, and how late it may be noticed on a busy machine.
DEADLINE = 0.3
LATENESS = 0.5


@pytest.fixture(params=VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    return found


@pytest.fixture
def anyio_backend(variant: Variant) -> str:
    return variant.backend


@cache
def trust(library: Library, certificate: str | None) -> ssl.SSLContext:
    """What a transport trusts, read once for all tests: it takes longer than most of them."""
    return _MAKE_TRUST[library](trust_env=True)


_MAKE_TRUST = {"httpx": httpx.create_ssl_context, "httpx2": httpx2.create_ssl_context}


@pytest.fixture(autouse=True)
def remembered_trust(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(*, trust_env: bool) -> ssl.SSLContext:
        assert trust_env
        return trust(variant.library, os.environ.get("SSL_CERT_FILE"))

    # Read before the test begins: on a busy machine it would take much of a short deadline.
    remember(trust_env=True)
    monkeypatch.setattr({"httpx": httpx, "httpx2": httpx2}[variant.library], "create_ssl_context", remember)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The names there are, with their addresses, on every event loop and on none: no test asks a name server."""
    known = {"localhost": ["127.0.0.1"]}
    resolve = socket.getaddrinfo

    def look_up(host: str | bytes, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        numeric = flags | socket.AI_NUMERICHOST
        hosts = known.get(name, [host])
        return [entry for each in hosts for entry in resolve(each, port, family, type, proto, numeric)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
async def transport(variant: Variant) -> AsyncIterator[AsyncTransport]:
    opened = variant.open()
    yield opened
    await opened.close()


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


def get(url: str, *, timeout: float = PATIENCE, public_only: bool = False) -> Request:
    return Request(method="GET", url=url, timeout=timeout, public_only=public_only)


def answering(*answers: bytes) -> Script:
    """Answer one request after the other, and then wait for the client to go."""

    def script(connection: Connection) -> None:
        for answer in answers:
            connection.answer(answer)
        connection.wait_for_end()

    return script


async def exhaust(outputs: AsyncIterator[object]) -> None:
    """Take everything there is."""
    async for _ in outputs:
        pass


async def saw_end(server: RawServer, number: int = 0) -> bool:
    """Whether the server sees that the client closed its connection of this number."""

    def wait() -> bool:
        return server.connection(number).saw_end.wait(PATIENCE)

    return await anyio.to_thread.run_sync(wait)


# What is sent.


async def test_sends_the_given_headers_and_framing_alone(transport: AsyncTransport) -> None:
    headers = (("X-Mixed-CASE", "1"), ("accept", "*/*"), ("x-twice", "a"), ("x-twice", "b"), ("cookie", "a=b"))
    with RawServer(answering(response("Content-Length: 0"))) as server:
        request = Request(method="POST", url=f"{server.url}/path", headers=headers, body=b"\x00body")
        outcome = await carry(transport, request)
        head, body = server.connections[0].received.split(b"\r\n\r\n", 1)
    assert outcome.status == 200
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /path HTTP/1.1"
    framing = [f"Host: 127.0.0.1:{server.port}", "Content-Length: 5"]
    assert [line for line in lines if line not in framing] == [f"{name}: {value}" for name, value in headers]
    assert sorted(line for line in lines if line in framing) == sorted(framing)
    assert body == b"\x00body"


async def test_sends_bytes_beyond_ascii_in_a_header_as_they_are(transport: AsyncTransport) -> None:
    with RawServer(answering(response("Content-Length: 0"))) as server:
        await carry(transport, Request(method="GET", url=server.url, headers=(("x-name", "caf\xe9"),)))
        assert b"\r\nx-name: caf\xe9\r\n" in server.connections[0].received


async def test_sends_an_empty_body_with_a_length(transport: AsyncTransport) -> None:
    with RawServer(answering(response("Content-Length: 0"))) as server:
        await carry(transport, Request(method="POST", url=server.url))
        lines = server.connections[0].received.decode().split("\r\n")
    assert lines == ["POST / HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Length: 0", "", ""]


async def test_sends_nothing_about_a_body_that_is_none(transport: AsyncTransport) -> None:
    with RawServer(answering(response("Content-Length: 0"))) as server:
        await carry(transport, get(server.url))
        assert server.connections[0].received.decode() == f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"


TARGETS = {
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
}


async def test_sends_the_url_as_it_is(transport: AsyncTransport) -> None:
    with RawServer(answering(*[response("Content-Length: 0")] * len(TARGETS))) as server:
        for written in TARGETS:
            assert (await carry(transport, get(server.url + written))).body == b""
        lines = server.connections[0].received.decode().split("\r\n")
    assert [line.split(" ")[1] for line in lines if line.startswith("GET ")] == list(TARGETS.values())


async def test_keeps_no_cookies(transport: AsyncTransport) -> None:
    answer = response("Set-Cookie: a=b; Path=/", "Content-Length: 0")
    with RawServer(answering(answer, answer)) as server:
        for _ in range(2):
            outcome = await carry(transport, get(server.url))
            assert ("Set-Cookie", "a=b; Path=/") in outcome.headers
        assert b"ookie" not in server.connections[0].received


async def test_follows_no_redirects(transport: AsyncTransport) -> None:
    with RawServer(answering(response("Location: /there", "Content-Length: 0", status="302 Found"))) as server:
        outcome = await carry(transport, get(server.url))
        assert outcome.status == 302
        assert outcome.body == b""
        assert server.connections[0].received.count(b"GET ") == 1


async def test_uses_a_connection_again(transport: AsyncTransport) -> None:
    answer = response("Content-Length: 2", body=b"ok")
    with RawServer(answering(answer, answer)) as server:
        flow = Ask(urls=[f"{server.url}/1", f"{server.url}/2"])
        assert [output async for output in outputs_of(flow, transport)] == [TextDelta("ok"), TextDelta("ok")]
        assert len(server.connections) == 1


# What is received.


async def test_hands_on_what_comes_when_it_comes(transport: AsyncTransport) -> None:
    may_go_on = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"one "))
        assert may_go_on.wait(PATIENCE), "the first piece did not arrive before the second was sent"
        connection.send(chunk(b"two") + chunk(b""))

    with RawServer(script) as server:
        heard = []
        async with aclosing(outputs_of(Ask(urls=[server.url]), transport)) as outputs:
            async for output in outputs:
                heard.append(output)
                may_go_on.set()
    assert heard == [TextDelta("one "), TextDelta("two")]


async def test_skips_informational_responses(transport: AsyncTransport) -> None:
    answer = response(status="103 Early Hints") + response("X-A: b", "Content-Length: 2", body=b"ok")
    with RawServer(answering(answer)) as server:
        outcome = await carry(transport, get(server.url))
    assert outcome.events[0] == ResponseStarted(1, 200, (("X-A", "b"), ("Content-Length", "2")))
    assert outcome.body == b"ok"


async def test_ends_a_body_without_framing_where_the_connection_ends(transport: AsyncTransport) -> None:
    with RawServer(lambda connection: connection.answer(response(body=b"whole"))) as server:
        assert (await carry(transport, get(server.url))).body == b"whole"


async def test_takes_header_bytes_beyond_ascii(transport: AsyncTransport) -> None:
    with RawServer(answering(response("X-Name: caf\xe9", "Content-Length: 0"))) as server:
        assert ("X-Name", "caf\xe9") in (await carry(transport, get(server.url))).headers


# Time.


def dripping(start: bytes, data: bytes) -> Script:
    """After `start`, a byte every 50 ms without end: the silence is never long."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        connection.drip(data, every=0.05)

    return script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X-Long: and so on\r\n"), id="head"),
        pytest.param(dripping(response("Content-Length: 1000"), b"x"), id="body"),
    ],
)
async def test_a_deadline_ends_what_drips(transport: AsyncTransport, script: Script) -> None:
    with RawServer(script) as server:
        deadline = transport.clock.now() + DEADLINE
        outcome = await carry(transport, get(server.url), seconds=DEADLINE)
        ended = transport.clock.now()
        assert isinstance(outcome.last, Woken)
        assert deadline <= ended < deadline + LATENESS
        assert await saw_end(server)


async def test_a_deadline_that_has_passed_ends_at_once(transport: AsyncTransport) -> None:
    def script(connection: Connection) -> None:
        connection.wait_for_end()

    with RawServer(script) as server:
        outcome = await carry(transport, get(server.url), seconds=-1.0)
    # Not one byte has left: whoever sent what must not be repeated has to know that.
    assert outcome.failure.kind == "connect"


async def test_silence_is_a_timeout(transport: AsyncTransport) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.wait_for_end()

    with RawServer(script) as server:
        outcome = await carry(transport, get(server.url, timeout=0.05))
        assert outcome.failure.kind == "timeout"
        assert "cancel" not in outcome.failure.detail.lower()
        assert await saw_end(server)


async def test_silence_in_a_body_is_a_timeout(transport: AsyncTransport) -> None:
    def script(connection: Connection) -> None:
        connection.answer(response("Content-Length: 3", body=b"a"))
        connection.wait_for_end()

    with RawServer(script) as server:
        outcome = await carry(transport, get(server.url, timeout=0.05))
        assert outcome.pieces == [b"a"]
        assert outcome.failure.kind == "timeout"


async def test_sleeps_until_it_is_time(transport: AsyncTransport) -> None:
    until = transport.clock.now() + 0.05
    await transport.sleep(until)
    assert until <= transport.clock.now() + 1e-6 < until + LATENESS
    await transport.sleep(0.0)


# Failures.


async def test_a_refused_connection_is_a_failure_to_connect(transport: AsyncTransport) -> None:
    with refusing_url() as url:
        outcome = await carry(transport, get(url))
    assert outcome.failure.kind == "connect"
    assert outcome.failure.detail


NOWHERE = [
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
]


@pytest.mark.parametrize("public_only", [False, True])
async def test_an_address_that_leads_nowhere_is_a_failure_to_connect(
    transport: AsyncTransport, public_only: bool
) -> None:
    for url in NOWHERE:
        outcome = await carry(transport, get(url, public_only=public_only))
        assert outcome.failure.kind == "connect", url


def ending(data: bytes, end: Callable[[Connection], None]) -> Script:
    """Send `data` in answer to a request, and end the connection in some way."""

    def script(connection: Connection) -> None:
        connection.answer(data)
        end(connection)

    return script


@pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["end", "reset"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="head"),
        pytest.param(response("Content-Length: 10", body=b"12345"), id="length"),
        pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345")), id="between chunks"),
        pytest.param(response("Transfer-Encoding: chunked", body=b"a\r\n12345"), id="in a chunk"),
        pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345") + b"0\r\n"), id="in the trailer"),
    ],
)
async def test_a_response_that_is_cut_off_is_a_failure_of_the_network(
    transport: AsyncTransport, data: bytes, end: Callable[[Connection], None]
) -> None:
    with RawServer(ending(data, end)) as server:
        outcome = await carry(transport, get(server.url))
    assert outcome.failure.kind == "network"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n\r\n", id="other protocol"),
        pytest.param(b"\x00" * 100 + b"\r\n\r\n", id="zeros"),
        pytest.param(b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", id="header"),
        pytest.param(response("Content-Length: 5, 6"), id="length"),
        pytest.param(response("Transfer-Encoding: chunked", body=b"xyz\r\n"), id="chunk"),
        pytest.param(response(f"X-Long: {'x' * 200_000}"), id="endless head"),
        pytest.param(response("Transfer-Encoding: zip"), id="transfer coding"),
        pytest.param(response("Content-Encoding: br", "Content-Length: 3", body=b"abc"), id="coding"),
        pytest.param(response("Content-Encoding: gzip, gzip", "Content-Length: 3", body=b"abc"), id="chain"),
        pytest.param(response("Content-Encoding: gzip", "Content-Length: 3", body=b"abc"), id="damaged"),
    ],
)
async def test_what_is_not_http_is_a_failure_of_the_protocol(transport: AsyncTransport, data: bytes) -> None:
    def script(connection: Connection) -> None:
        connection.answer(data)
        connection.wait_for_end()

    with RawServer(script) as server:
        outcome = await carry(transport, get(server.url))
        assert outcome.failure.kind == "protocol"
        assert await saw_end(server)


async def test_a_host_that_breaks_off_a_connection_kept_alive_does_no_harm(transport: AsyncTransport) -> None:
    answer = response("Content-Length: 2", body=b"ok")
    with RawServer(lambda connection: connection.answer(answer), answering(answer)) as server:
        assert (await carry(transport, get(server.url))).body == b"ok"
        server.connections[0].close()
        assert (await carry(transport, get(server.url))).body == b"ok"


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
async def test_undoes_content_codings(transport: AsyncTransport, coding: str, body: bytes) -> None:
    answer = response(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}", body=body)
    with RawServer(answering(answer)) as server:
        outcome = await carry(transport, get(server.url))
    assert outcome.body == b"text" * 50_000
    assert max(map(len, outcome.pieces)) <= STEP


async def test_a_compressed_body_that_is_cut_off_is_a_failure_of_the_network(transport: AsyncTransport) -> None:
    body = gzip.compress(b"text")[:-1]
    answer = response("Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body)
    with RawServer(answering(answer)) as server:
        assert (await carry(transport, get(server.url))).failure.kind == "network"


BOMB = gzip.compress(bytes(50 * MIB))


async def test_a_bomb_comes_in_small_pieces(transport: AsyncTransport) -> None:
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


async def test_a_bomb_ends_at_the_limit_of_the_flow(transport: AsyncTransport) -> None:
    answer = response("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}", body=BOMB)
    with RawServer(answering(answer)) as server:
        flow = Ask(urls=[server.url], limits=Limits(body=MIB))
        tracemalloc.start()
        try:
            with pytest.raises(LimitExceeded) as raised:
                await exhaust(outputs_of(flow, transport))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert await saw_end(server)
    assert len(raised.value.failure.text) == MIB
    assert peak < 8 * MIB


# Leaving early.


def endless(connection: Connection) -> None:
    """One piece of an answer that never ends."""
    connection.answer(response("Transfer-Encoding: chunked", body=chunk(b"text")))
    connection.wait_for_end()


async def test_leaving_the_iteration_closes_the_connection(transport: AsyncTransport) -> None:
    with RawServer(endless) as server:
        async with aclosing(outputs_of(Ask(urls=[server.url]), transport)) as outputs:
            assert await anext(outputs) == TextDelta("text")
            assert not server.connections[0].saw_end.is_set()
        assert await saw_end(server)


async def test_an_exchange_closed_before_it_began_does_nothing(transport: AsyncTransport) -> None:
    with RawServer() as server:
        await transport.open(SendRequest(1, get(server.url), 0.0)).close()
        assert server.connections == []


async def test_an_exchange_gives_nothing_after_its_end(transport: AsyncTransport) -> None:
    with RawServer(answering(response("Content-Length: 0"))) as server:
        deadline = transport.clock.now() + PATIENCE
        exchange = transport.open(SendRequest(1, get(server.url), deadline))
        while not isinstance(await exchange.receive(deadline), ResponseEnded):
            pass
        with pytest.raises(RuntimeError, match="after the end"):
            await exchange.receive(deadline)
        await exchange.close()


async def test_cancelling_a_task_closes_the_connection(variant: Variant, transport: AsyncTransport) -> None:
    if variant.style == "blocking":
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
        assert await saw_end(server)


async def test_cancelling_while_connecting_or_waiting_for_a_head_closes_the_connection(
    variant: Variant, transport: AsyncTransport
) -> None:
    if variant.style == "blocking":
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
        assert await saw_end(server)


async def test_cancelling_between_two_pieces_closes_the_connection(variant: Variant, transport: AsyncTransport) -> None:
    if variant.style == "blocking":
        pytest.skip("there are no tasks to be cancelled")
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
        assert await saw_end(server)


async def test_closing_the_transport_closes_idle_connections(variant: Variant) -> None:
    transport = variant.open()
    with RawServer(answering(response("Content-Length: 0"))) as server:
        await carry(transport, get(server.url))
        await transport.close()
        assert await saw_end(server)


async def test_a_transport_that_was_closed_can_be_used_again(variant: Variant) -> None:
    transport = variant.open()
    with RawServer(answering(OK), answering(OK)) as server:
        for number in range(2):
            assert (await carry(transport, get(server.url))).body == b"ok"
            await transport.close()
            assert await saw_end(server, number)


# Addresses.

PRIVATE_HOSTS = ["127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"]
PRIVATE_HOSTS += ["[::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]"]
PRIVATE_HOSTS += ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"]


async def test_refuses_what_is_not_public(transport: AsyncTransport) -> None:
    with RawServer() as server:
        for host in PRIVATE_HOSTS:
            outcome = await carry(transport, get(f"http://{host}:{server.port}/", public_only=True))
            assert outcome.failure.kind == "connect", host
        assert server.connections == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"]])
async def test_refuses_names_of_what_is_not_public(
    transport: AsyncTransport, names: dict[str, list[str]], addresses: list[str]
) -> None:
    names["images.example"] = addresses
    with RawServer() as server:
        outcome = await carry(transport, get(f"http://images.example:{server.port}/", public_only=True))
        assert outcome.failure == RequestFailed(
            1, "connect", "images.example is not at a public address, and only such are allowed here"
        )
        assert server.connections == []


async def test_does_not_use_a_connection_again_whose_address_nobody_checked(
    transport: AsyncTransport, names: dict[str, list[str]]
) -> None:
    names["images.example"] = ["127.0.0.1"]
    with RawServer(answering(OK)) as server:
        url = f"http://images.example:{server.port}/"
        assert (await carry(transport, get(url))).body == b"ok"
        assert (await carry(transport, get(url, public_only=True))).failure.kind == "connect"
        assert server.connections[0].received.count(b"GET ") == 1


async def test_connects_to_a_public_address(
    transport: AsyncTransport, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing on this machine is public: let what nobody listens on, and the server itself, count as such.
    monkeypatch.setattr(httpx_guard, "is_public", lambda address: address in ("127.0.0.2", "127.0.0.1"))
    names["images.example"] = ["127.0.0.2", "127.0.0.1"]
    with RawServer(answering(OK)) as server:
        url = f"http://images.example:{server.port}/"
        assert (await carry(transport, get(url, public_only=True))).body == b"ok"
        assert f"Host: images.example:{server.port}" in server.connections[0].received.decode()
        names["images.example"] = ["127.0.0.2", "127.0.0.3"]
    assert (await carry(transport, get(url, public_only=True))).failure.kind == "connect"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of every loopback address where connections are neither accepted nor refused."""
    with socket.create_server(("", 0), backlog=0) as listener, ExitStack() as stack:
        port: int = listener.getsockname()[1]
        while True:
            # The queue of connections that wait to be accepted is filled until there is no more room.
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.05)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        yield port


@pytest.mark.parametrize("public_only", [False, True])
async def test_connecting_ends_by_the_deadline(
    transport: AsyncTransport,
    names: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    silent_port: int,
    public_only: bool,
) -> None:
    monkeypatch.setattr(httpx_guard, "is_public", lambda address: True)
    names["images.example"] = [f"127.0.0.{number}" for number in range(1, 6)]
    request = get(f"http://images.example:{silent_port}/", public_only=public_only)
    deadline = transport.clock.now() + 0.15
    outcome = await carry(transport, request, seconds=0.15)
    assert outcome.failure.kind == "connect", "not one byte has left, and the flow has to know that"
    assert deadline <= transport.clock.now() < deadline + LATENESS


async def test_silence_while_connecting_is_a_failure_to_connect(transport: AsyncTransport, silent_port: int) -> None:
    outcome = await carry(transport, get(f"http://127.0.0.1:{silent_port}/", timeout=0.05))
    assert outcome.failure.kind == "connect"


# TLS.


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody else trusts, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.public"]
    subprocess.run([openssl, "req", "-x509", *options], check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + Path(f"{path}.public").read_bytes())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a server with this certificate needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


async def test_speaks_tls_with_whom_it_trusts(trusted: None, variant: Variant, tls: ssl.SSLContext) -> None:
    with RawServer(answering(OK), tls=tls) as server:
        assert (await carry_by(variant, get(f"{server.url}/a"))).body == b"ok"
        assert server.connections[0].received.startswith(b"GET /a HTTP/1.1\r\n")


async def test_speaks_tls_with_nobody_else(variant: Variant, tls: ssl.SSLContext) -> None:
    with RawServer(answering(OK), tls=tls) as server:
        outcome = await carry_by(variant, get(server.url))
        assert outcome.failure.kind == "connect"
        assert "certificate" in outcome.failure.detail.lower()
        assert server.connections[0].received == b""


async def test_a_deadline_ends_what_drips_through_tls(trusted: None, variant: Variant, tls: ssl.SSLContext) -> None:
    with RawServer(dripping(response("Content-Length: 1000"), b"x"), tls=tls) as server:
        outcome = await carry_by(variant, get(server.url), seconds=DEADLINE)
        assert isinstance(outcome.last, Woken)
        assert len(outcome.pieces) < 20
        assert await saw_end(server)


async def test_a_handshake_ends_by_the_deadline(variant: Variant) -> None:
    def script(connection: Connection) -> None:
        connection.wait_for_end()

    with RawServer(script) as server:
        url = server.url.replace("http:", "https:")
        assert (await carry_by(variant, get(url), seconds=0.1)).failure.kind == "connect"
        assert await saw_end(server)


# Proxies.


async def carry_by(variant: Variant, request: Request, *, seconds: float = PATIENCE, **options: Any) -> Outcome:
    """Send one request over a transport of its own."""
    transport = variant.open(**options)
    try:
        return await carry(transport, request, seconds=seconds)
    finally:
        await transport.close()


async def test_sends_the_whole_url_to_a_proxy(variant: Variant) -> None:
    with RawServer(answering(OK)) as proxy:
        outcome = await carry_by(variant, get("http://name.invalid:8080/a%2fb?c#d"), proxy=proxy.url)
        assert outcome.body == b"ok"
        assert proxy.connections[0].received == (
            b"GET http://name.invalid:8080/a%2fb?c HTTP/1.1\r\nHost: name.invalid:8080\r\n\r\n"
        )


async def test_shows_a_proxy_its_password(variant: Variant) -> None:
    with RawServer(answering(OK)) as server:
        await carry_by(variant, get("http://name.invalid/"), proxy=f"http://user:p%40ss@127.0.0.1:{server.port}")
        assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in server.connections[0].received


async def test_a_proxy_that_opens_no_tunnel_is_a_failure_to_connect(variant: Variant) -> None:
    with RawServer(answering(response("Content-Length: 0", status="403 Forbidden"))) as proxy:
        outcome = await carry_by(variant, get("https://name.invalid/"), proxy=proxy.url)
        assert proxy.connections[0].received.startswith(b"CONNECT name.invalid:443 HTTP/1.1\r\n")
    assert outcome.failure.kind == "connect"


async def test_a_proxy_that_is_not_there_is_a_failure_to_connect(variant: Variant) -> None:
    with refusing_url() as url:
        assert (await carry_by(variant, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"


async def test_uses_the_proxy_of_the_environment_but_not_for_loopback(variant: Variant) -> None:
    with RawServer(answering(OK)) as proxy, RawServer(answering(OK)) as server:
        environment = {"HTTP_PROXY": proxy.url}
        await carry_by(variant, get("http://name.invalid/"), environment=environment)
        await carry_by(variant, get(f"{server.url}/direct"), environment=environment)
        assert proxy.connections[0].received.startswith(b"GET http://name.invalid/ HTTP/1.1\r\n")
        assert server.connections[0].received.startswith(b"GET /direct HTTP/1.1\r\n")


async def test_uses_a_given_proxy_for_loopback_too(variant: Variant) -> None:
    with RawServer(answering(OK)) as proxy:
        await carry_by(variant, get("http://localhost:1/"), proxy=proxy.url)
        assert proxy.connections[0].received.startswith(b"GET http://localhost:1/ HTTP/1.1\r\n")


async def test_a_proxy_may_be_anywhere_but_is_not_asked_for_what_is_not_public(variant: Variant) -> None:
    with RawServer(answering(OK)) as proxy:
        outcome = await carry_by(variant, get("http://name.invalid/", public_only=True), proxy=proxy.url)
        assert outcome.body == b"ok"
        for host in PRIVATE_HOSTS:
            outcome = await carry_by(variant, get(f"http://{host}/", public_only=True), proxy=proxy.url)
            assert outcome.failure.kind == "connect", host
        assert len(proxy.connections) == 1


async def test_a_socks_proxy_needs_a_package(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(InvalidInput, match=r"needs another package: .*pip install"):
        await carry_by(variant, get("http://name.invalid/"), proxy="socks5://127.0.0.1:1")


# What must be installed.


@pytest.mark.parametrize("missing", ["{}", "httpcore{}"])
async def test_a_missing_library_says_what_to_install(
    variant: Variant, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    name = variant.library if missing == "{}" else missing.format(variant.library.removeprefix("httpx"))
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        InvalidInput, match=rf"{variant.library} is not installed: pip install 'modelwire\[{variant.library}\]'"
    ):
        variant.open()
