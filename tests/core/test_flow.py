"""The contract of `Flow.handle`: any events in any order, and mistakes of a caller or a phase."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.commands import Command, Finished, SendRequest, Sleep
from modelwire.errors import LocalProtocolError
from modelwire.events import BodyReceived, Cancel, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import NOT_SAVED, Flow, Steps
from modelwire.http import Request
from modelwire.outputs import Output, TextDelta
from played_flow import ENTROPY, NOW, PlayedFlow, begin, through_json
from toy_flows import FLOWS, CustomFlow, FetchFlow

NASTY_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["retry-after", "content-type", "set-cookie", "x"]),
        st.sampled_from(["0", "3", "999999", "Tue, 14 Nov 2023 22:13:21 GMT", "application/json", "\udc80", ""]),
    ),
    max_size=3,
).map(tuple)
NASTY_BODIES = st.sampled_from(
    [b"", b"Hel", b"lo", b"data: a\n\n", b"event: end\ndata\n\n", b"\xe2\x82", b"\xff", b"done", b"{" * 5000]
)
REQUEST_IDS = st.integers(0, 4)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Start, st.binary(max_size=40)),
    st.builds(
        ResponseStarted, REQUEST_IDS, st.sampled_from([0, 100, 199, 200, 204, 302, 401, 429, 500, 600]), NASTY_HEADERS
    ),
    st.builds(BodyReceived, REQUEST_IDS, NASTY_BODIES | st.binary(max_size=20)),
    st.builds(ResponseEnded, REQUEST_IDS),
    st.builds(RequestFailed, REQUEST_IDS, st.sampled_from(["connect", "timeout", "network", "protocol"]), st.text()),
    st.just(Woken()),
    st.just(Woken()),
    st.just(Cancel()),
)
# Seconds between two events. Now and then the clock goes back.
STEPS_IN_TIME = st.sampled_from([0.0, 0.0, 0.25, 1.0, 5.0, 130.0, 700.0, -50.0])


@st.composite
def histories(draw: st.DrawFn) -> tuple[Callable[[], Flow], list[tuple[Event, float]]]:
    """A flow, and events of any kind in any order. Half of the histories begin with `Start`."""
    flow = draw(st.sampled_from(FLOWS))
    events = draw(st.lists(st.tuples(EVENTS, STEPS_IN_TIME), max_size=25))
    return flow, [(Start(ENTROPY), 0.0), *events] if draw(st.booleans()) else events


def play_events(flow: Flow, events: list[tuple[Event, float]]) -> PlayedFlow:
    """Deliver events. An event of a request goes to the current request if its id is even."""
    session = PlayedFlow(flow)
    for event, pause in events:
        wait = session.wait
        if isinstance(event, ResponseStarted | BodyReceived | ResponseEnded | RequestFailed):
            is_aimed = event.request_id % 2 == 0 and isinstance(wait, SendRequest)
            event = msgspec.structs.replace(event, request_id=wait.request_id) if is_aimed else event  # type: ignore[union-attr]
        session.deliver(event, after=max(pause, -session.now))
    return session


@given(histories())
def test_contract_any_events_in_any_order(history: tuple[Callable[[], Flow], list[tuple[Event, float]]]) -> None:
    flow, events = history
    session = play_events(flow(), events)
    session.deliver(Cancel())
    assert session.is_over
    for item in session.log:
        assert repr(item)


@given(histories())
def test_determinism(history: tuple[Callable[[], Flow], list[tuple[Event, float]]]) -> None:
    flow, events = history
    first, second = play_events(flow(), events), play_events(flow(), events)
    assert first.log == second.log
    assert first.flow.snapshot() == second.flow.snapshot()


@given(histories())
def test_a_snapshot_can_be_taken_and_restored_at_any_moment(
    history: tuple[Callable[[], Flow], list[tuple[Event, float]]],
) -> None:
    make, events = history
    session = play_events(make(), events)
    restored = begin(through_json(session.flow, resend=True), now=max(session.now, 0))
    restored.deliver(Cancel())
    assert restored.is_over
    if not json.loads(session.flow.snapshot())["in_doubt"]:
        assert begin(through_json(session.flow), now=max(session.now, 0)).log


def test_other_entropy_gives_other_draws() -> None:
    assert begin(FetchFlow()).log != begin(FetchFlow(), entropy=b"another").log


def test_re_entry_from_a_phase_raises() -> None:
    raised: list[Exception] = []

    def enter_again(flow: CustomFlow) -> Steps:
        try:
            flow.handle(Woken(), NOW)
        except LocalProtocolError as error:
            raised.append(error)
        yield from flow.sleep(1)

    session = begin(CustomFlow(steps=enter_again))
    assert [str(error) for error in raised] == [
        "handle() was called again before it returned: give it one event at a time"
    ]
    assert session.wait == Sleep(NOW + 1), "the outer call goes on"


def test_re_entry_from_a_sink_raises_out_of_handle() -> None:
    class Calling:
        def __init__(self, flow: Flow) -> None:
            self.flow = flow

        def feed(self, data: bytes) -> bool:
            self.flow.handle(Cancel(), NOW)
            return False

        def end(self) -> None: ...

    def listen(flow: CustomFlow) -> Steps:
        yield from flow.stream(flow.request, lambda: Calling(flow))

    session = begin(CustomFlow(steps=listen))
    session.deliver(ResponseStarted(1, 200, ()))
    with pytest.raises(LocalProtocolError):
        session.deliver(BodyReceived(1, b"a"))


@pytest.mark.parametrize("now", [-1.0, float("nan"), float("inf"), NOW * 1000])
def test_an_invalid_now_is_refused(now: float) -> None:
    flow = FetchFlow()
    with pytest.raises(LocalProtocolError, match="Unix time in seconds"):
        flow.handle(Start(ENTROPY), now)
    assert isinstance(flow.handle(Start(ENTROPY), NOW)[-1], SendRequest), "the flow still works"


def test_an_object_that_is_not_an_event_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="str is not an event"):
        FetchFlow().handle("Start", NOW)  # type: ignore[arg-type]


def test_a_flow_needs_a_phase_start() -> None:
    with pytest.raises(NotImplementedError):
        Flow().handle(Start(ENTROPY), NOW)


def test_a_mistake_in_a_phase_is_raised_and_ends_the_flow() -> None:
    def mistaken(flow: CustomFlow) -> Steps:
        yield from flow.sleep(1)
        raise ZeroDivisionError

    session = begin(CustomFlow(steps=mistaken))
    with pytest.raises(ZeroDivisionError):
        session.wake()
    assert session.deliver(Woken()) == []
    assert session.deliver(Cancel()) == []


def test_an_invalid_request_is_a_failure() -> None:
    def broken(flow: CustomFlow) -> Steps:
        yield from flow.fetch(lambda: Request(method="GET", url="https://api.example/\r\nx: y"))

    assert begin(CustomFlow(steps=broken)).failure.kind == "protocol"


@dataclass(kw_only=True)
class Watching(Flow):
    """Overrides the two methods that an instance takes from its engine."""

    log: list[str] = field(default_factory=list, metadata=NOT_SAVED)

    def start(self) -> Steps:
        self.emit(TextDelta("Hi"))
        yield from ()

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        self.log.append(type(event).__name__)
        return super().handle(event, now)

    def emit(self, output: Output) -> None:
        self.log.append(type(output).__name__)
        super().emit(output)


def test_a_subclass_may_override_handle_and_emit() -> None:
    flow = Watching()
    assert flow.handle(Start(bytes(32)), 0.0) == [TextDelta("Hi"), Finished()]
    assert flow.log == ["Start", "TextDelta"]
