"""`adrive_callback`: the driver that calls a function with each output, on every async transport."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
import pytest

from contract.scripts import responding, saw_end, silent
from modelwire.commands import SendRequest
from modelwire.errors import DeadlineExceeded, LocalProtocolError, NetworkError, Refused, TruncatedError
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.outputs import Output, TextDelta, TitleChanged
from modelwire.text import TextSink
from modelwire_io.clock import VirtualClock
from modelwire_io.drive import AsyncTransport, EventCallback, adrive, adrive_callback
from played_flow import NOW
from raw_server import Connection, RawServer
from transport_variants import TransportVariant

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
VARIANTS = [
    *(TransportVariant(name, style) for name in ("h11", "httpx", "httpx2") for style in ("asyncio", "trio")),
    TransportVariant("aiohttp", "asyncio"),
]


@pytest.fixture(params=VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> TransportVariant:
    found: TransportVariant = request.param
    return found


@pytest.fixture
def anyio_backend(variant: TransportVariant) -> str:
    return variant.backend


@pytest.fixture
async def transport(variant: TransportVariant) -> AsyncIterator[AsyncTransport]:
    opened = variant.open()
    yield opened
    await opened.close()


@dataclass(kw_only=True)
class Ask(Flow):
    """An answer, streamed, a pause, and another answer."""

    url: str = ""
    pause: float = 0.0

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))
        if not self.pause:
            return None
        yield from self.sleep(self.pause)
        yield from self.stream(self.request, lambda: TextSink(self.emit))
        self.emit(TitleChanged("title"))
        return None

    def request(self) -> Request:
        return Request(method="GET", url=self.url, timeout=self.limits.silence)


def chunked_response(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A response whose body is one chunk for each piece."""
    return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


async def test_calls_back_with_the_outputs_that_adrive_yields(transport: AsyncTransport) -> None:
    responses = [chunked_response(b"one ", b"two"), chunked_response(b"three")] * 2
    with RawServer(*[responding(*responses)] * 4) as server:
        outputs: list[Output] = []
        await adrive_callback(Ask(url=server.url, pause=0.01), transport, outputs.append)
        yielded = [output async for output in adrive(Ask(url=server.url, pause=0.01), transport)]
        assert text_of(outputs) == text_of(yielded) == "one twothree"
        assert outputs[-1] == yielded[-1] == TitleChanged("title")
        await transport.close()


def text_of(outputs: list[Output]) -> str:
    return "".join(output.text for output in outputs if isinstance(output, TextDelta))


async def test_calls_back_with_each_piece_as_soon_as_it_arrives(transport: AsyncTransport) -> None:
    def script(connection: Connection) -> None:
        connection.respond(CHUNKED)
        for piece in (b"one", b"two", b"three"):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            # Continues only once the output has been delivered.
            assert is_delivered.acquire(timeout=5)
        connection.send(b"0\r\n\r\n")
        connection.wait_for_end()

    is_delivered = threading.Semaphore(0)
    outputs: list[Output] = []

    def on_output(output: Output) -> None:
        outputs.append(output)
        is_delivered.release()

    with RawServer(script) as server:
        await adrive_callback(Ask(url=server.url), transport, on_output)
        assert outputs == [TextDelta("one"), TextDelta("two"), TextDelta("three")]
        await transport.close()


async def test_a_failure_is_raised_with_the_partial_text(transport: AsyncTransport) -> None:
    def script(connection: Connection) -> None:
        connection.respond(chunked_response(b"begun", end=b""))
        connection.close()

    with RawServer(script) as server:
        outputs: list[Output] = []
        with pytest.raises((TruncatedError, NetworkError)) as caught:
            await adrive_callback(Ask(url=server.url), transport, outputs.append)
        assert outputs == [TextDelta("begun")]
        assert caught.value.failure is not None
        assert caught.value.failure.text == "begun"


async def test_an_error_response_is_raised(transport: AsyncTransport) -> None:
    with RawServer(responding(b"HTTP/1.1 403 No\r\nContent-Length: 7\r\n\r\ngo away")) as server:
        with pytest.raises(Refused, match="go away"):
            await adrive_callback(Ask(url=server.url), transport, lambda _: None)
        await transport.close()


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_deadline_ends_a_response_in_the_middle(transport: AsyncTransport, has_begun: bool) -> None:
    def script(connection: Connection) -> None:
        connection.respond(chunked_response(b"begun", end=b"") if has_begun else HEAD[:-2])
        connection.wait_for_end()

    with RawServer(script) as server:
        outputs: list[Output] = []
        flow = Ask(url=server.url, limits=Limits(total=0.3))
        begun = transport.clock.now()
        with pytest.raises(DeadlineExceeded):
            await adrive_callback(flow, transport, outputs.append)
        assert 0.29 <= transport.clock.now() - begun < 1.3
        assert len(outputs) == has_begun
        assert await saw_end(server.connection())


async def test_content_that_drips_moves_the_deadline(transport: AsyncTransport) -> None:
    def script(connection: Connection) -> None:
        connection.respond(CHUNKED)
        for _ in range(6):
            connection.send(b"1\r\nx\r\n")
            connection.saw_end.wait(0.1)
        connection.send(b"0\r\n\r\n")
        connection.wait_for_end()

    with RawServer(script) as server:
        outputs: list[Output] = []
        await adrive_callback(Ask(url=server.url, limits=Limits(idle=0.35)), transport, outputs.append)
        assert text_of(outputs) == "xxxxxx"
        await transport.close()


@pytest.mark.parametrize("error", [ValueError("on_output"), BrokenPipeError("on_output"), StopIteration("on_output")])
async def test_an_exception_of_the_callback_is_raised_and_closes_the_connection(
    transport: AsyncTransport, error: Exception
) -> None:
    def script(connection: Connection) -> None:
        connection.respond(chunked_response(b"one", end=b""))
        connection.wait_for_end()

    def on_output(_: Output) -> None:
        raise error

    with RawServer(script) as server:
        caught: BaseException | None = None
        try:
            await adrive_callback(Ask(url=server.url), transport, on_output)
        except (OSError, ValueError, RuntimeError) as raised:
            caught = raised
        # Python turns a StopIteration from a coroutine into a RuntimeError.
        assert caught is error or (caught is not None and caught.__cause__ is error)
        assert await saw_end(server.connection())


async def test_a_cancellation_closes_the_connection_at_once(transport: AsyncTransport) -> None:
    with RawServer(responding(chunked_response(b"one", end=b""))) as server, anyio.CancelScope() as scope:
        await adrive_callback(Ask(url=server.url), transport, lambda _: scope.cancel())
    assert scope.cancelled_caught
    assert server.connection().saw_end.is_set()


async def test_a_flow_cannot_be_run_twice(transport: AsyncTransport) -> None:
    with RawServer(responding(chunked_response(b"one"))) as server:
        flow = Ask(url=server.url)
        await adrive_callback(flow, transport, lambda _: None)
        with pytest.raises(LocalProtocolError, match="already been started"):
            await adrive_callback(flow, transport, lambda _: None)
        await transport.close()


async def test_silence_is_a_failure(transport: AsyncTransport) -> None:
    with RawServer(silent) as server:
        with pytest.raises(DeadlineExceeded):
            await adrive_callback(Ask(url=server.url, limits=Limits(silence=0.2, tries=1)), transport, lambda _: None)
        await transport.close()


class Scripted:
    """A transport that hands events over in a callback, and whose timer fires too early."""

    def __init__(self, *events: Event) -> None:
        self.clock = VirtualClock(NOW)
        self.events = list(events)
        self.waits: list[float | None] = []
        self.is_closed = False

    def open(self, command: SendRequest) -> Scripted:
        return self

    async def receive(self, until: float) -> Event:
        raise AssertionError("adrive_callback must use deliver_to")

    async def deliver_to(self, on_event: EventCallback, until: float) -> None:
        wanted: float | None = until
        while wanted is not None:
            event = self.events.pop(0)
            if isinstance(event, Woken):
                self.clock.advance_to(wanted - 0.001)
            wanted = on_event(event)
            self.waits.append(wanted and wanted - NOW)

    async def sleep(self, until: float) -> None:
        self.clock.advance_to(until)

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("variant", VARIANTS[:1], ids=str)
class TestOnAScriptedTransport:
    """Behaviour that only a scripted transport can show."""

    async def test_the_callback_returns_until_when_to_wait(self) -> None:
        scripted = Scripted(ResponseStarted(1, 200, ()), BodyReceived(1, b"a"), BodyReceived(1, b"b"), ResponseEnded(1))
        outputs: list[Output] = []
        flow = Ask(url="http://example.org/", limits=Limits(idle=10.0))
        await adrive_callback(flow, scripted, outputs.append, start=Start(bytes(32)))
        assert scripted.waits == [10.0, 10.0, 10.0, None]
        assert outputs == [TextDelta("a"), TextDelta("b")]
        assert scripted.is_closed

    async def test_a_timer_that_fires_early_counts_as_the_deadline(self) -> None:
        scripted = Scripted(ResponseStarted(1, 200, ()), Woken())
        flow = Ask(url="http://example.org/", limits=Limits(idle=10.0, tries=1))
        with pytest.raises(DeadlineExceeded):
            await adrive_callback(flow, scripted, lambda _: None)

    async def test_retries_when_the_flow_does(self) -> None:
        again = (ResponseStarted(2, 200, ()), BodyReceived(2, b"a"), ResponseEnded(2))
        scripted = Scripted(RequestFailed(1, "connect", "refused"), *again)
        outputs: list[Output] = []
        await adrive_callback(Ask(url="http://example.org/"), scripted, outputs.append)
        assert outputs == [TextDelta("a")]
        assert scripted.clock.now() > NOW
