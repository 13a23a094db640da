"""`drive` and `adrive`: on the memory transport, and on a scripted one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from modelwire.commands import Command, SendRequest
from modelwire.errors import EXCEPTIONS, Failure, FlowFailed, InvalidInput, LocalProtocolError
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.outputs import Output, TextDelta, TitleChanged
from modelwire.provider import with_base_url
from modelwire.providers.cromicle import CromicleChat, CromicleEndpoints
from modelwire.text import TextSink
from modelwire_io import drive
from modelwire_io.client import client
from modelwire_io.client import run as client_run
from modelwire_io.clock import VirtualClock
from modelwire_io.drive import AsyncTransport, adrive
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports import httpx as httpx_transport
from modelwire_io.transports import memory as memory_transport
from played_flow import NOW
from sync_async_equality import blocking_methods, blocking_text
from transport_calls import AwaitableExchange, AwaitableTransport, BlockingTransport, outputs_of
from transport_variants import STYLES, Style, backend_of

pytestmark = pytest.mark.anyio

HEAD = ResponseStarted(1, 200, ())
END = ResponseEnded(1)


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    found: Style = request.param
    return found


@pytest.fixture
def anyio_backend(style: Style) -> str:
    return backend_of(style)


@dataclass
class Script:
    """A transport whose exchanges return these events, each after some seconds. It logs the calls."""

    exchanges: list[list[tuple[float, Event | BaseException]]] = field(default_factory=list)
    early: float = 0.0  # seconds by which every timer fires too early
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOW))
    log: list[tuple[str, Any]] = field(default_factory=list)

    def open(self, command: SendRequest) -> Scripted:
        self.log.append(("open", command.request_id))
        return Scripted(self, command.request_id, self.exchanges.pop(0))

    def sleep(self, until: float) -> None:
        self.log.append(("sleep", until - NOW))
        self.clock.advance_to(until - self.early)

    def close(self) -> None:
        self.log.append(("close transport", None))

    @property
    def calls(self) -> list[str]:
        return [name for name, _ in self.log]


@dataclass
class Scripted:
    """One exchange of a script."""

    script: Script
    request_id: int
    events: list[tuple[float, Event | BaseException]]

    def receive(self, until: float) -> Event:
        self.script.log.append(("receive", until - NOW))
        seconds, event = self.events.pop(0) if self.events else (float("inf"), Woken())
        moment = self.script.clock.now() + seconds
        if moment > until:
            self.script.clock.advance_to(until - self.script.early)
            return Woken()
        self.script.clock.advance_to(moment)
        if isinstance(event, BaseException):
            raise event
        return event

    def close(self) -> None:
        self.script.log.append(("close", self.request_id))


def without_delay(*events: Event | BaseException) -> list[tuple[float, Event | BaseException]]:
    """An exchange whose events all arrive without delay."""
    return [(0.0, event) for event in events]


@dataclass(kw_only=True)
class Ask(Flow):
    """One answer, streamed, and a title. `events` are the events that it was handed, and when."""

    events: list[tuple[Event, float]] = field(default_factory=list)

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        self.events.append((event, now - NOW))
        return super().handle(event, now)

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))
        self.emit(TitleChanged("title"))

    def request(self) -> Request:
        return Request(method="GET", url="http://example.org/")


def transport_of(style: Style, script: Script) -> AsyncTransport:
    """The script as a transport that `outputs_of` can drive in this style."""
    return BlockingTransport(script) if style == "blocking" else AwaitableTransport(script)


async def run(style: Style, flow: Flow, script: Script, *, start: Start | None = None) -> list[Output]:
    """The outputs of a flow, run by the driver of this style."""
    return [output async for output in outputs_of(flow, transport_of(style, script), start=start)]


# Over the emulators.


def memory_transport_of(style: Style) -> AsyncTransport:
    return BlockingTransport(MemoryTransport()) if style == "blocking" else AsyncMemoryTransport()


def cromicle(prompt: str = "Hello") -> CromicleChat:
    base_url = MemoryTransport().base_urls["cromicle"]
    return CromicleChat(messages=prompt, endpoints=with_base_url(CromicleEndpoints(), base_url))


async def test_yields_the_outputs_of_a_flow(style: Style) -> None:
    outputs = [output async for output in outputs_of(cromicle(), memory_transport_of(style))]
    assert len(outputs) > 10
    texts = [output.text for output in outputs if isinstance(output, TextDelta)]
    assert len(texts) == len(outputs)
    assert "“Hello”" in "".join(texts)


async def test_the_same_start_gives_the_same_outputs(style: Style) -> None:
    start = Start(b"entropy" * 4)
    first, second = [
        [output async for output in outputs_of(cromicle(), memory_transport_of(style), start=start)] for _ in range(2)
    ]
    assert first == second


async def test_nothing_happens_before_the_first_step(style: Style) -> None:
    script = Script()
    async with aclosing(outputs_of(Ask(), transport_of(style, script))):
        assert script.log == []
    assert script.log == []


# The ends.


async def test_a_flow_that_succeeds_ends_without_an_exception(style: Style) -> None:
    script = Script([without_delay(HEAD, BodyReceived(1, b"text"), END)])
    assert await run(style, Ask(), script) == [TextDelta("text"), TitleChanged("title")]
    assert script.calls == ["open", "receive", "receive", "receive", "close"]


@pytest.mark.parametrize("exception", EXCEPTIONS.values())
async def test_a_failure_is_raised_as_its_exception(style: Style, exception: type[FlowFailed]) -> None:
    @dataclass(kw_only=True)
    class FailsAfterASleep(Flow):
        def start(self) -> Steps:
            self.emit(TextDelta("partial"))
            yield from self.sleep(1.0)
            raise exception("why", status=429, retry_after=3.0)

    with pytest.raises(exception) as raised:
        await run(style, FailsAfterASleep(), Script())
    assert type(raised.value) is exception
    assert str(raised.value) == "why"
    assert (raised.value.status, raised.value.retry_after) == (429, 3.0)
    assert raised.value.failure == Failure(
        kind=exception.kind, message="why", phase="start", status=429, retry_after=3.0, text="partial"
    )


async def test_outputs_before_a_failure_are_yielded(style: Style) -> None:
    script = Script([without_delay(HEAD, BodyReceived(1, b"text"), RequestFailed(1, "network", "broken"))])
    collected: list[Output] = []
    with pytest.raises(FlowFailed, match="broken"):
        await collect(outputs_of(Ask(), transport_of(style, script)), collected)
    assert collected == [TextDelta("text")]
    assert script.calls[-1] == "close"


async def collect(outputs: AsyncIterator[Output], collected: list[Output]) -> None:
    async for output in outputs:
        collected.append(output)


@pytest.mark.parametrize("error", [InvalidInput("bad"), KeyboardInterrupt()])
async def test_an_exception_of_a_transport_closes_the_exchange(style: Style, error: BaseException) -> None:
    script = Script([without_delay(HEAD, error)])
    # Not `pytest.raises`: the runner of async tests does not support it for KeyboardInterrupt.
    caught: BaseException | None = None
    try:
        await run(style, Ask(), script)
    except (InvalidInput, KeyboardInterrupt) as raised:
        caught = raised
    assert caught is error
    assert script.calls == ["open", "receive", "receive", "close"]


async def test_a_flow_cannot_be_driven_twice(style: Style) -> None:
    flow = Ask()
    await run(style, flow, Script([without_delay(HEAD, BodyReceived(1, b"text"), END)]))
    script = Script()
    with pytest.raises(LocalProtocolError, match="already been started"):
        await run(style, flow, script)
    assert script.log == []


# Exchanges.


async def test_leaving_early_closes_the_exchange(style: Style) -> None:
    script = Script([without_delay(HEAD, BodyReceived(1, b"text"), END)])
    async with aclosing(outputs_of(Ask(), transport_of(style, script))) as outputs:
        assert await anext(outputs) == TextDelta("text")
        assert script.calls == ["open", "receive", "receive"]
    assert script.calls == ["open", "receive", "receive", "close"]


async def test_leaving_between_exchanges_closes_nothing_twice(style: Style) -> None:
    @dataclass(kw_only=True)
    class EmitsAndSleeps(Ask):
        def start(self) -> Steps:
            yield from self.fetch(self.request)
            self.emit(TitleChanged("title"))
            yield from self.sleep(1.0)
            self.emit(TitleChanged("other"))

    script = Script([without_delay(HEAD, END)])
    async with aclosing(outputs_of(EmitsAndSleeps(), transport_of(style, script))) as outputs:
        assert await anext(outputs) == TitleChanged("title")
        assert await anext(outputs) == TitleChanged("other")
    assert script.calls == ["open", "receive", "receive", "close", "sleep"]


async def test_a_failed_exchange_is_closed_before_the_next_is_opened(style: Style) -> None:
    script = Script(
        [
            without_delay(RequestFailed(1, "connect", "refused")),
            without_delay(ResponseStarted(2, 503, ()), ResponseEnded(2)),
            without_delay(ResponseStarted(3, 200, ()), BodyReceived(3, b"text"), ResponseEnded(3)),
        ]
    )
    assert await run(style, Ask(), script) == [TextDelta("text"), TitleChanged("title")]
    assert [entry for entry in script.log if entry[0] in ("open", "close")] == [
        ("open", 1),
        ("close", 1),
        ("open", 2),
        ("close", 2),
        ("open", 3),
        ("close", 3),
    ]
    assert script.calls.count("sleep") == 2


async def test_an_aborted_exchange_is_closed(style: Style) -> None:
    script = Script([without_delay(HEAD, BodyReceived(1, b"0123456789"), END)])
    with pytest.raises(FlowFailed, match="exceeds 5 bytes"):
        await run(style, Ask(limits=Limits(body=5)), script)
    assert script.calls == ["open", "receive", "receive", "close"]


@pytest.mark.parametrize("where", ["receive", "sleep"])
async def test_cancelling_closes_the_exchange(style: Style, where: str) -> None:
    if style == "blocking":
        pytest.skip("there are no tasks to be cancelled")
    is_waiting = anyio.Event()
    script = Script([without_delay(HEAD, BodyReceived(1, b"text"), *([END] if where == "sleep" else []))])

    class StuckExchange(AwaitableExchange):
        async def receive(self, until: float) -> Event:
            event = await super().receive(until)
            if isinstance(event, Woken):
                is_waiting.set()
                await anyio.sleep_forever()
            return event

    class StuckTransport(AwaitableTransport):
        def open(self, command: SendRequest) -> StuckExchange:
            return StuckExchange(script.open(command))

        async def sleep(self, until: float) -> None:
            is_waiting.set()
            await anyio.sleep_forever()

    @dataclass(kw_only=True)
    class Sleeps(Ask):
        def start(self) -> Steps:
            yield from super().start()
            yield from self.sleep(60.0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect, adrive(Sleeps(), StuckTransport(script)), [])
        await is_waiting.wait()
        tasks.cancel_scope.cancel()
    assert script.calls.count("close") == 1


# Time.


async def test_content_moves_the_deadline(style: Style) -> None:
    script = Script([[(1.0, HEAD), (2.0, BodyReceived(1, b"a")), (3.0, BodyReceived(1, b"b")), (4.0, END)]])
    await run(style, Ask(limits=Limits(idle=10.0)), script)
    assert [seconds for name, seconds in script.log if name == "receive"] == [10.0, 10.0, 13.0, 16.0]


async def test_a_flow_is_never_woken_before_its_deadline(style: Style) -> None:
    script = Script([[(0.0, HEAD)]], early=0.01)
    flow = Ask(limits=Limits(idle=10.0, tries=1))
    with pytest.raises(FlowFailed, match="no content came"):
        await run(style, flow, script)
    assert flow.events[-1] == (Woken(), 10.0)
    assert script.clock.now() == NOW + 9.99
    assert script.calls == ["open", "receive", "receive", "close"]


async def test_a_sleep_is_never_ended_early(style: Style) -> None:
    @dataclass(kw_only=True)
    class Sleeps(Ask):
        def start(self) -> Steps:
            yield from self.sleep(5.0)

    script = Script(early=0.01)
    flow = Sleeps()
    assert await run(style, flow, script) == []
    assert flow.events[-1] == (Woken(), 5.0)
    assert script.log == [("sleep", 5.0)]


async def test_a_late_wake_up_has_the_actual_time(style: Style) -> None:
    @dataclass(kw_only=True)
    class Sleeps(Ask):
        def start(self) -> Steps:
            yield from self.sleep(5.0)

    flow = Sleeps()
    await run(style, flow, Script(early=-2.0))
    assert flow.events[-1] == (Woken(), 7.0)


# Randomness.


async def test_each_flow_gets_fresh_randomness(style: Style) -> None:
    starts = []
    for _ in range(2):
        flow = Ask()
        await run(style, flow, Script([without_delay(HEAD, BodyReceived(1, b"text"), END)]))
        starts.append(flow.events[0][0])
    entropies = {getattr(start, name) for start in starts for name in ("entropy", "secret_entropy")}
    assert len(entropies) == 4
    assert {len(entropy) for entropy in entropies} == {32}


async def test_a_given_start_is_passed_on(style: Style) -> None:
    flow = Ask()
    start = Start(b"0123456789abcdef", b"secret")
    await run(style, flow, Script([without_delay(HEAD, BodyReceived(1, b"text"), END)]), start=start)
    assert flow.events[0] == (start, 0.0)


# Code that is written twice, blocking and async.


def test_the_two_drivers_are_the_same_text() -> None:
    assert blocking_text(drive.drive) == blocking_text(drive.adrive)


@pytest.mark.parametrize(
    ("blocking", "asynchronous", "different"),
    [
        (drive.Transport, drive.AsyncTransport, set()),
        (drive.Exchange, drive.AsyncExchange, set()),
        (drive.Browser, drive.AsyncBrowser, set()),
        # The async client reads files in a thread.
        (client.Client, client.AsyncClient, {"log_in", "log_in_with_browser", "import_login", "log_out"}),
        # The async run calls a store in a thread, and an event loop may close it while it is being closed.
        (client_run.FlowRun, client_run.AsyncFlowRun, {"__init__", "__next__", "close"}),
        (client_run.Chat, client_run.AsyncChat, set()),
        # `list` takes no async iterator.
        (client_run.ImageJob, client_run.AsyncImageJob, {"fetch"}),
        # The async transport has a client for each event loop.
        (
            httpx_transport.HttpxTransport,
            httpx_transport.AsyncHttpxTransport,
            {"__init__", "client", "sleep", "close", "_open_client"},
        ),
        # The async exchange enforces deadlines by cancellation, exhausts its generators, and is bound to a loop.
        (
            httpx_transport.HttpxExchange,
            httpx_transport.AsyncHttpxExchange,
            {"__init__", "receive", "close", "_run", "_send", "_send_to", "_run_out"},
        ),
    ],
)
def test_the_async_classes_are_the_same_text(blocking: type[Any], asynchronous: type[Any], different: set[str]) -> None:
    first, second = blocking_methods(blocking), blocking_methods(asynchronous)
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == different
    assert first.keys() - different == second.keys() - different


def test_the_memory_transports_have_the_same_methods() -> None:
    names = {"__init__", "open", "sleep", "close"}
    assert names == blocking_methods(memory_transport.AsyncMemoryTransport).keys()
    assert names < blocking_methods(memory_transport.MemoryTransport).keys()
