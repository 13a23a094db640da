"""The two drivers: on the memory transport, and on one that does exactly what a test says."""

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
from modelwire_io.client import run as work
from modelwire_io.clock import VirtualClock
from modelwire_io.drive import AsyncTransport, adrive
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports import httpx as httpx_transport
from modelwire_io.transports import memory as memory_transport
from played_flow import NOW
from sync_async_equality import blocking_methods, blocking_text
from transport_variants import STYLES, Awaitable, AwaitableExchange, Blocking, Style, backend_of, outputs_of

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
    """A transport whose exchanges give these events, each after some seconds; it logs what is asked of it."""

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


def at_once(*events: Event | BaseException) -> list[tuple[float, Event | BaseException]]:
    """An exchange in which everything comes without delay."""
    return [(0.0, event) for event in events]


@dataclass(kw_only=True)
class Ask(Flow):
    """One answer, streamed, and a title; it keeps the events that it was handed, and when."""

    heard: list[tuple[Event, float]] = field(default_factory=list)

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        self.heard.append((event, now - NOW))
        return super().handle(event, now)

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))
        self.emit(TitleChanged("title"))

    def request(self) -> Request:
        return Request(method="GET", url="http://example.org/")


def carried(style: Style, script: Script) -> AsyncTransport:
    """The script as a transport that `outputs_of` drives in this style."""
    return Blocking(script) if style == "blocking" else Awaitable(script)


async def run(style: Style, flow: Flow, script: Script, *, start: Start | None = None) -> list[Output]:
    """Everything that a flow tells, by the driver of this style."""
    return [output async for output in outputs_of(flow, carried(style, script), start=start)]


# Over the emulators.


def memory_transport_of(style: Style) -> AsyncTransport:
    return Blocking(MemoryTransport()) if style == "blocking" else AsyncMemoryTransport()


def cromicle(prompt: str = "Hello") -> CromicleChat:
    base_url = MemoryTransport().base_urls["cromicle"]
    return CromicleChat(messages=prompt, endpoints=with_base_url(CromicleEndpoints, base_url))


async def test_yields_what_a_flow_tells(style: Style) -> None:
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
    async with aclosing(outputs_of(Ask(), carried(style, script))):
        assert script.log == []
    assert script.log == []


# The ends.


async def test_a_flow_that_succeeds_just_ends(style: Style) -> None:
    script = Script([at_once(HEAD, BodyReceived(1, b"text"), END)])
    assert await run(style, Ask(), script) == [TextDelta("text"), TitleChanged("title")]
    assert script.calls == ["open", "receive", "receive", "receive", "close"]


@pytest.mark.parametrize("exception", EXCEPTIONS.values())
async def test_a_failure_is_raised_as_its_exception(style: Style, exception: type[FlowFailed]) -> None:
    @dataclass(kw_only=True)
    class Fails(Flow):
        def start(self) -> Steps:
            self.emit(TextDelta("partial"))
            yield from self.sleep(1.0)
            raise exception("why", status=429, retry_after=3.0)

    with pytest.raises(exception) as raised:
        await run(style, Fails(), Script())
    assert type(raised.value) is exception
    assert str(raised.value) == "why"
    assert (raised.value.status, raised.value.retry_after) == (429, 3.0)
    assert raised.value.failure == Failure(
        kind=exception.kind, message="why", phase="start", status=429, retry_after=3.0, text="partial"
    )


async def test_outputs_before_a_failure_are_yielded(style: Style) -> None:
    script = Script([at_once(HEAD, BodyReceived(1, b"text"), RequestFailed(1, "network", "broken"))])
    heard: list[Output] = []
    with pytest.raises(FlowFailed, match="broken"):
        await keep(outputs_of(Ask(), carried(style, script)), heard)
    assert heard == [TextDelta("text")]
    assert script.calls[-1] == "close"


async def keep(outputs: AsyncIterator[Output], heard: list[Output]) -> None:
    """Take all outputs there are."""
    async for output in outputs:
        heard.append(output)


@pytest.mark.parametrize("error", [InvalidInput("bad"), KeyboardInterrupt()])
async def test_what_a_transport_raises_closes_the_exchange(style: Style, error: BaseException) -> None:
    script = Script([at_once(HEAD, error)])
    # Not `pytest.raises`, which the runner of async tests is asked to do without for KeyboardInterrupt.
    caught: BaseException | None = None
    try:
        await run(style, Ask(), script)
    except (InvalidInput, KeyboardInterrupt) as raised:
        caught = raised
    assert caught is error
    assert script.calls == ["open", "receive", "receive", "close"]


async def test_a_flow_cannot_be_driven_twice(style: Style) -> None:
    flow = Ask()
    await run(style, flow, Script([at_once(HEAD, BodyReceived(1, b"text"), END)]))
    script = Script()
    with pytest.raises(LocalProtocolError, match="begun before"):
        await run(style, flow, script)
    assert script.log == []


# Exchanges.


async def test_leaving_early_closes_the_exchange(style: Style) -> None:
    script = Script([at_once(HEAD, BodyReceived(1, b"text"), END)])
    async with aclosing(outputs_of(Ask(), carried(style, script))) as outputs:
        assert await anext(outputs) == TextDelta("text")
        assert script.calls == ["open", "receive", "receive"]
    assert script.calls == ["open", "receive", "receive", "close"]


async def test_leaving_between_exchanges_closes_nothing_twice(style: Style) -> None:
    @dataclass(kw_only=True)
    class Tells(Ask):
        def start(self) -> Steps:
            yield from self.fetch(self.request)
            self.emit(TitleChanged("title"))
            yield from self.sleep(1.0)
            self.emit(TitleChanged("other"))

    script = Script([at_once(HEAD, END)])
    async with aclosing(outputs_of(Tells(), carried(style, script))) as outputs:
        assert await anext(outputs) == TitleChanged("title")
        assert await anext(outputs) == TitleChanged("other")
    assert script.calls == ["open", "receive", "receive", "close", "sleep"]


async def test_a_failed_exchange_is_closed_before_the_next_is_opened(style: Style) -> None:
    script = Script(
        [
            at_once(RequestFailed(1, "connect", "refused")),
            at_once(ResponseStarted(2, 503, ()), ResponseEnded(2)),
            at_once(ResponseStarted(3, 200, ()), BodyReceived(3, b"text"), ResponseEnded(3)),
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


async def test_an_exchange_of_which_no_more_is_wanted_is_closed(style: Style) -> None:
    script = Script([at_once(HEAD, BodyReceived(1, b"0123456789"), END)])
    with pytest.raises(FlowFailed, match="exceeds 5 bytes"):
        await run(style, Ask(limits=Limits(body=5)), script)
    assert script.calls == ["open", "receive", "receive", "close"]


@pytest.mark.parametrize("where", ["receive", "sleep"])
async def test_cancelling_closes_the_exchange(style: Style, where: str) -> None:
    if style == "blocking":
        pytest.skip("there are no tasks to be cancelled")
    waits = anyio.Event()
    script = Script([at_once(HEAD, BodyReceived(1, b"text"), *([END] if where == "sleep" else []))])

    class Stuck(AwaitableExchange):
        async def receive(self, until: float) -> Event:
            event = await super().receive(until)
            if isinstance(event, Woken):
                waits.set()
                await anyio.sleep_forever()
            return event

    class Sticking(Awaitable):
        def open(self, command: SendRequest) -> Stuck:
            return Stuck(script.open(command))

        async def sleep(self, until: float) -> None:
            waits.set()
            await anyio.sleep_forever()

    @dataclass(kw_only=True)
    class Sleeps(Ask):
        def start(self) -> Steps:
            yield from super().start()
            yield from self.sleep(60.0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep, adrive(Sleeps(), Sticking(script)), [])
        await waits.wait()
        tasks.cancel_scope.cancel()
    assert script.calls.count("close") == 1


# Time.


async def test_a_deadline_moves_on_with_the_content(style: Style) -> None:
    script = Script([[(1.0, HEAD), (2.0, BodyReceived(1, b"a")), (3.0, BodyReceived(1, b"b")), (4.0, END)]])
    await run(style, Ask(limits=Limits(idle=10.0)), script)
    assert [seconds for name, seconds in script.log if name == "receive"] == [10.0, 10.0, 13.0, 16.0]


async def test_a_deadline_is_never_told_early(style: Style) -> None:
    script = Script([[(0.0, HEAD)]], early=0.01)
    flow = Ask(limits=Limits(idle=10.0, tries=1))
    with pytest.raises(FlowFailed, match="nothing of use came"):
        await run(style, flow, script)
    assert flow.heard[-1] == (Woken(), 10.0)
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
    assert flow.heard[-1] == (Woken(), 5.0)
    assert script.log == [("sleep", 5.0)]


async def test_a_late_wake_up_is_told_as_late_as_it_is(style: Style) -> None:
    @dataclass(kw_only=True)
    class Sleeps(Ask):
        def start(self) -> Steps:
            yield from self.sleep(5.0)

    flow = Sleeps()
    await run(style, flow, Script(early=-2.0))
    assert flow.heard[-1] == (Woken(), 7.0)


# Randomness.


async def test_a_flow_gets_randomness_that_nobody_knows(style: Style) -> None:
    starts = []
    for _ in range(2):
        flow = Ask()
        await run(style, flow, Script([at_once(HEAD, BodyReceived(1, b"text"), END)]))
        starts.append(flow.heard[0][0])
    drawn = {getattr(start, name) for start in starts for name in ("entropy", "secret_entropy")}
    assert len(drawn) == 4
    assert {len(entropy) for entropy in drawn} == {32}


async def test_a_given_start_is_handed_on(style: Style) -> None:
    flow = Ask()
    start = Start(b"0123456789abcdef", b"secret")
    await run(style, flow, Script([at_once(HEAD, BodyReceived(1, b"text"), END)]), start=start)
    assert flow.heard[0] == (start, 0.0)


# What was written twice says the same.


def test_the_two_drivers_are_the_same_text() -> None:
    assert blocking_text(drive.drive) == blocking_text(drive.adrive)


@pytest.mark.parametrize(
    ("blocking", "asynchronous", "apart"),
    [
        (drive.Transport, drive.AsyncTransport, set()),
        (drive.Exchange, drive.AsyncExchange, set()),
        (drive.Browser, drive.AsyncBrowser, set()),
        # Files are read in a thread of their own, and each half has a default of its own.
        (client.Client, client.AsyncClient, {"log_in", "log_in_with_browser", "import_login", "log_out", "transport"}),
        # A store is called in a thread of its own, and an event loop may close what is being closed.
        (work.Work, work.AsyncFlowRun, {"__init__", "__next__", "close"}),
        (work.Chat, work.AsyncChat, set()),
        # There is no `list` of what is asynchronous.
        (work.ImageJob, work.AsyncImageJob, {"fetch"}),
        (httpx_transport.HttpxTransport, httpx_transport.AsyncHttpxTransport, {"sleep"}),
        # Deadlines are kept by cancellation, generators have to be run out, and an event loop cannot be left.
        (
            httpx_transport.HttpxExchange,
            httpx_transport.AsyncHttpxExchange,
            {"__init__", "receive", "close", "_run", "_run_out"},
        ),
    ],
)
def test_twins_are_the_same_text(blocking: type[Any], asynchronous: type[Any], apart: set[str]) -> None:
    first, second = blocking_methods(blocking), blocking_methods(asynchronous)
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == apart
    assert first.keys() - apart == second.keys() - apart


def test_the_memory_transports_have_the_same_methods() -> None:
    names = {"__init__", "open", "sleep", "close"}
    assert names == blocking_methods(memory_transport.AsyncMemoryTransport).keys()
    assert names < blocking_methods(memory_transport.MemoryTransport).keys()
