"""The engine, on small flows of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.download import ImageDownload
from modelwire.errors import Failure, InDoubt, InvalidInput, JobFailed, LocalProtocolError, RateLimited, SnapshotError
from modelwire.events import (
    BodyReceived,
    Cancel,
    CredentialsReplaced,
    Event,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.flow import NOT_SAVED, Flow, Steps
from modelwire.formats.cookies import Cookie
from modelwire.http import Request
from modelwire.limits import KIB, MIB, Limits
from modelwire.outputs import JobAccepted, Restarted, StatusChanged, TextDelta, TextReplaced
from modelwire.sse import ServerSentEvent
from modelwire.text import CumulativeText, EventSink, TextSink
from played_flow import (
    ENTROPY,
    NOW,
    Broken,
    Item,
    Outcome,
    ScriptedResponse,
    Session,
    begin,
    bytewise,
    cuts,
    events_of,
    header,
    play,
    say,
    shown,
    through_json,
    two_part_cuts,
)

URL = "https://api.example/ask?key=K-1234567"
SHOWN_URL = "https://api.example/ask"


class Requesting(Flow):
    """A flow that makes one kind of request."""

    def request(self, *, repeatable: bool = True) -> Request:
        return Request(
            method="POST",
            url=URL,
            headers=(("nonce", self.nonce()), ("time", str(self.now))),
            timeout=self.limits.silence,
            repeatable=repeatable,
        )


@dataclass(kw_only=True)
class Asking(Requesting):
    """One request; its body is told."""

    def start(self) -> Steps:
        response = yield from self.fetch(self.request)
        self.emit(TextDelta(response.text()))


@dataclass(kw_only=True)
class Telling(Requesting):
    """One streamed answer in raw text."""

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))


@dataclass(kw_only=True)
class Eventful(Requesting):
    """One streamed answer in events: each is the whole text so far, until the event `end`."""

    def start(self) -> Steps:
        yield from self.stream(
            self.request, lambda: EventSink(partial(self.take, CumulativeText(self.emit)), self.limits)
        )

    def take(self, text: CumulativeText, event: ServerSentEvent) -> bool:
        if event.event == "status":
            self.emit(StatusChanged("generating", event.data))
        elif event.event == "message":
            text.update(event.data)
        return event.event == "end"


@dataclass(kw_only=True)
class Paying(Requesting):
    """A job: submitted once, then asked for until it is done. Its credentials are kept out of its snapshots."""

    default_timeout: ClassVar[float] = 300.0

    order: str = "one dragon"
    credentials: dict[str, str] | None = field(default=None, metadata=NOT_SAVED, repr=False)
    job: str = field(default="", init=False)

    def start(self) -> Steps:
        yield from self.fetch(self.request)
        return self.submit

    def submit(self) -> Steps:
        response = yield from self.fetch(partial(self.request, repeatable=False), allow=(402,))
        if response.status == 402:
            raise JobFailed("no money")
        self.job = response.text()
        self.emit(JobAccepted(self.job))
        return self.poll

    def poll(self) -> Steps:
        while True:
            response = yield from self.fetch(self.request)
            if response.text() == "done":
                return None
            yield from self.sleep(2)


@dataclass(kw_only=True)
class Napping(Requesting):
    """Sleeps, and says so."""

    seconds: float = 5.0

    def start(self) -> Steps:
        yield from self.sleep(self.seconds)
        self.emit(TextDelta("awake"))


@dataclass(kw_only=True)
class Custom(Requesting):
    """Does what the test says, as its only phase."""

    steps: Callable[[Any], Steps] = field(metadata=NOT_SAVED)

    def start(self) -> Steps:
        return (yield from self.steps(self))


FLOWS: Sequence[Callable[[], Flow]] = (Asking, Telling, Eventful, Paying, Napping)


def limited(**limits: Any) -> Limits:
    return Limits(**limits)


# The contract.

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
# Mostly forward, now and then back.
STEPS_IN_TIME = st.sampled_from([0.0, 0.0, 0.25, 1.0, 5.0, 130.0, 700.0, -50.0])


@st.composite
def histories(draw: st.DrawFn) -> tuple[Callable[[], Flow], list[tuple[Event, float]]]:
    """A flow, and events of any kind in any order, half of them what a real driver could deliver."""
    flow = draw(st.sampled_from(FLOWS))
    events = draw(st.lists(st.tuples(EVENTS, STEPS_IN_TIME), max_size=25))
    return flow, [(Start(ENTROPY), 0.0), *events] if draw(st.booleans()) else events


def relive(flow: Flow, events: list[tuple[Event, float]]) -> Session:
    """A session of these events. What is about a request is aimed at the one under way, if its id is even."""
    session = Session(flow)
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
    session = relive(flow(), events)
    session.deliver(Cancel())
    assert session.is_over
    for item in session.log:
        assert repr(item)


@given(histories())
def test_determinism(history: tuple[Callable[[], Flow], list[tuple[Event, float]]]) -> None:
    flow, events = history
    first, second = relive(flow(), events), relive(flow(), events)
    assert first.log == second.log
    assert first.flow.snapshot() == second.flow.snapshot()


@given(histories())
def test_a_snapshot_can_be_taken_and_restored_at_any_moment(
    history: tuple[Callable[[], Flow], list[tuple[Event, float]]],
) -> None:
    make, events = history
    session = relive(make(), events)
    restored = begin(through_json(session.flow, resend=True), now=max(session.now, 0))
    restored.deliver(Cancel())
    assert restored.is_over
    if not json.loads(session.flow.snapshot())["in_doubt"]:
        assert begin(through_json(session.flow), now=max(session.now, 0)).log


def test_other_entropy_other_draws() -> None:
    assert begin(Asking()).log != begin(Asking(), entropy=b"another").log


def test_nothing_is_asked_for_before_start() -> None:
    session = Session(Asking())
    for event in (Woken(), ResponseStarted(1, 200, ()), BodyReceived(1, b"a"), ResponseEnded(1)):
        assert session.deliver(event) == []


def test_a_second_start_is_ignored() -> None:
    session = begin(Asking())
    assert session.start() == []


def test_stale_events_are_ignored() -> None:
    session = begin(Asking())
    session.answer(say("", 503))
    session.sleep_on()
    for event in (ResponseStarted(1, 200, ()), BodyReceived(1, b"old"), ResponseEnded(1), RequestFailed(1, "network")):
        assert session.deliver(event) == []
    session.answer(say("new"))
    assert session.text == "new"


def test_bytes_before_the_head_are_ignored() -> None:
    session = begin(Telling())
    assert session.deliver(BodyReceived(1, b"early")) == []
    session.answer(say("late"))
    assert session.text == "late"


def test_a_second_head_is_ignored() -> None:
    session = begin(Telling())
    session.deliver(ResponseStarted(1, 200, ()))
    assert session.deliver(ResponseStarted(1, 500, ())) == []
    session.answer(say("well"))
    assert session.succeeded


def test_re_entry_from_a_phase_raises() -> None:
    raised: list[Exception] = []

    def enter_again(flow: Custom) -> Steps:
        try:
            flow.handle(Woken(), NOW)
        except LocalProtocolError as error:
            raised.append(error)
        yield from flow.sleep(1)

    session = begin(Custom(steps=enter_again))
    assert [str(error) for error in raised] == [
        "handle() was called again before it returned: give it one event at a time"
    ]
    assert session.wait == Sleep(NOW + 1), "what went on outside is not harmed"


def test_re_entry_from_a_sink_raises_out_of_handle() -> None:
    class Calling:
        def __init__(self, flow: Flow) -> None:
            self.flow = flow

        def feed(self, data: bytes) -> bool:
            self.flow.handle(Cancel(), NOW)
            return False

        def end(self) -> None: ...

    def listen(flow: Custom) -> Steps:
        yield from flow.stream(flow.request, lambda: Calling(flow))

    session = begin(Custom(steps=listen))
    session.deliver(ResponseStarted(1, 200, ()))
    with pytest.raises(LocalProtocolError):
        session.deliver(BodyReceived(1, b"a"))


@pytest.mark.parametrize("now", [-1.0, float("nan"), float("inf"), NOW * 1000])
def test_a_now_that_is_no_time_is_refused(now: float) -> None:
    flow = Asking()
    with pytest.raises(LocalProtocolError, match="Unix time in seconds"):
        flow.handle(Start(ENTROPY), now)
    assert isinstance(flow.handle(Start(ENTROPY), NOW)[-1], SendRequest), "no harm was done"


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="str is not an event"):
        Asking().handle("Start", NOW)  # type: ignore[arg-type]


def test_a_flow_has_to_begin_with_start() -> None:
    with pytest.raises(NotImplementedError):
        Flow().handle(Start(ENTROPY), NOW)


def test_a_mistake_in_a_phase_is_raised_and_ends_the_flow() -> None:
    def mistaken(flow: Custom) -> Steps:
        yield from flow.sleep(1)
        raise ZeroDivisionError

    session = begin(Custom(steps=mistaken))
    with pytest.raises(ZeroDivisionError):
        session.wake()
    assert session.deliver(Woken()) == []
    assert session.deliver(Cancel()) == []


def test_a_request_that_cannot_be_built_is_a_failure() -> None:
    def broken(flow: Custom) -> Steps:
        yield from flow.fetch(lambda: Request(method="GET", url="https://api.example/\r\nx: y"))

    assert begin(Custom(steps=broken)).failure.kind == "protocol"


def test_the_clock_of_a_flow_never_goes_back() -> None:
    session = begin(Napping(seconds=10))
    session.deliver(Woken(), after=-100)
    assert session.flow.now == NOW
    assert session.wait == Sleep(NOW + 10)


# One request.


def test_a_request_and_its_reply() -> None:
    session = begin(Asking())
    assert session.log == [SendRequest(1, session.request, NOW + 120)]
    assert session.answer(say("Hello", content_type="text/plain")) == [TextDelta("Hello"), Finished(None)]


@given(st.binary(max_size=60), st.data())
def test_chunking_does_not_matter_to_a_fetch(body: bytes, data: st.DataObject) -> None:
    whole = play(Asking(), ScriptedResponse(body=body))
    assert play(Asking(), ScriptedResponse(chunks=data.draw(cuts(body)))).log == whole.log


def test_each_request_has_an_id_of_its_own() -> None:
    session = play(Paying(), say(""), say("job-1"), say("wait"), say("done"))
    assert [command.request_id for command in session.all(SendRequest)] == [1, 2, 3, 4]


def test_an_answer_that_is_complete_is_not_waited_for() -> None:
    session = begin(Eventful())
    session.deliver(ResponseStarted(1, 200, ()))
    batch = session.deliver(BodyReceived(1, b"data: all\n\nevent: end\ndata\n\ndata: more\n\n"))
    assert batch == [TextDelta("all"), AbortRequest(1), Finished(None)]


def test_an_empty_body() -> None:
    assert play(Asking(), ScriptedResponse(chunks=[])).outputs == [TextDelta("")]


def test_a_response_that_ends_before_it_begins() -> None:
    session = begin(Asking())
    session.deliver(ResponseEnded(1))
    assert session.failure == Failure(kind="protocol", message="the response ended before it began", phase="start")


@pytest.mark.parametrize("status", [0, 100, 103, 199, 600, 999, -200])
def test_a_status_that_is_not_final(status: int) -> None:
    session = play(Asking(), say("", status))
    assert session.failure.message == f"{status} is no status of a final response"
    assert session.all(AbortRequest) == [AbortRequest(1)]


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert play(Asking(), say("x", status)).succeeded


@pytest.mark.parametrize("status", [300, 302, 399])
def test_a_redirect_is_not_followed_and_says_so(status: int) -> None:
    failure = play(Asking(), say("", status, location="https://elsewhere.example/")).failure
    assert (failure.kind, failure.status) == ("status", status)
    assert "redirects are not followed" in failure.message


@pytest.mark.parametrize(("status", "kind"), [(401, "refused"), (403, "refused"), (404, "status"), (400, "status")])
def test_a_status_that_says_no_is_not_tried_again(status: int, kind: str) -> None:
    session = play(Asking(), say("because", status))
    assert session.failure == Failure(
        kind=kind,  # type: ignore[arg-type]
        message=f"{SHOWN_URL} answered with status {status}: because",
        phase="start",
        status=status,
    )
    assert len(session.requests) == 1


def test_a_status_may_be_allowed_and_its_body_read() -> None:
    def allow(flow: Custom) -> Steps:
        response = yield from flow.fetch(flow.request, allow=(404,))
        flow.emit(TextDelta(f"{response.status} {response.text()} {response.header('X-Why')}"))
        response = yield from flow.stream(flow.request, lambda: TextSink(flow.emit), allow=(500,))
        flow.emit(TextDelta(f" {response.status} {response.text()}"))

    session = play(Custom(steps=allow), say("none", 404, x_why="gone"), say("not text of an answer", 500))
    assert session.text == "404 none gone 500 not text of an answer"


def test_a_sleep_ends_when_its_time_comes() -> None:
    session = begin(Napping())
    assert session.log == [Sleep(NOW + 5)]
    assert session.deliver(Woken(), after=4.5) == [Sleep(NOW + 5)]
    assert session.deliver(Woken(), after=0.5) == [TextDelta("awake"), Finished(None)]


# Deadlines.


def test_the_deadline_of_a_request_is_the_earlier_of_two() -> None:
    (command,) = begin(Asking(limits=limited(total=50.0))).all(SendRequest)
    assert command.deadline == NOW + 50
    (command,) = begin(Asking(limits=limited(total=50.0, idle=20.0))).all(SendRequest)
    assert command.deadline == NOW + 20


def test_the_total_time_of_a_flow() -> None:
    session = begin(Asking(limits=limited(total=50.0)))
    session.deliver(ResponseStarted(1, 200, ()), after=49)
    assert session.deliver(Woken(), after=1) == [
        AbortRequest(1),
        Finished(
            Failure(
                kind="timeout",
                message="not finished within 50 seconds; allow more time, or try again later",
                phase="start",
            )
        ),
    ]


def test_the_total_time_has_a_default_by_the_kind_of_flow() -> None:
    assert begin(Napping(seconds=1e6)).wait == Sleep(NOW + 600)
    session = play(Paying(), say(""), say("job-1"))
    session.sleep_on()
    while not session.is_over:
        session.answer(say("wait"))
        session.sleep_on()
    assert session.now == NOW + 300
    assert session.failure.message.startswith("not finished within 300 seconds")


def test_a_sleep_is_not_longer_than_the_flow_may_last() -> None:
    session = begin(Napping(seconds=100, limits=limited(total=30.0)))
    assert session.wait == Sleep(NOW + 30)
    session.wake()
    assert session.is_over


def test_silence_is_tried_again() -> None:
    session = begin(Asking(limits=limited(idle=20.0, tries=2)))
    aborted, pause = session.wake()
    assert aborted == AbortRequest(1)
    assert isinstance(pause, Sleep)
    session.sleep_on()
    session.wake()
    assert session.failure.kind == "timeout"
    assert session.failure.message == f"nothing of use came from {SHOWN_URL} for 20 seconds"


def test_keep_alive_comments_are_not_content() -> None:
    session = begin(Eventful(limits=limited(idle=20.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    for _ in range(19):
        session.deliver(BodyReceived(1, b": still here\n\n"), after=1)
        assert session.flow.deadline == NOW + 20
    session.deliver(BodyReceived(1, b": still here\n\n"), after=1)
    assert session.failure.kind == "timeout"


def test_content_moves_the_deadline_and_an_early_wake_up_tells_it() -> None:
    session = begin(Eventful(limits=limited(idle=20.0, total=100.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    assert session.deliver(BodyReceived(1, b"data: Hel\n\n"), after=15) == [TextDelta("Hel")]
    assert session.flow.deadline == NOW + 35
    # The driver still holds the deadline that it was given.
    assert session.deliver(Woken(), after=5) == [SendRequest(1, session.request, NOW + 35)]
    session.deliver(BodyReceived(1, b"data: Hello\n\n"), after=10)
    session.wake()
    assert session.now == NOW + 50
    assert (session.failure.kind, session.failure.text) == ("timeout", "Hello")


def test_content_does_not_move_the_end_of_the_flow() -> None:
    session = begin(Eventful(limits=limited(idle=20.0, total=30.0)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"data: a\n\n"), after=15)
    assert session.flow.deadline == NOW + 30
    session.deliver(BodyReceived(1, b"data: ab\n\n"), after=15)
    assert session.failure.message.startswith("not finished within 30 seconds")
    assert session.failure.text == "ab"


def test_a_status_is_content_as_well() -> None:
    session = begin(Eventful(limits=limited(idle=20.0)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"event: status\ndata: working\n\n"), after=15)
    assert session.flow.deadline == NOW + 35


@pytest.mark.parametrize("flow", [Asking, Telling])
def test_a_late_head_ends_the_wait_though_nobody_woke_the_flow(flow: type[Requesting]) -> None:
    session = begin(flow(limits=limited(idle=20.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()), after=21)
    assert session.failure.kind == "timeout"


def test_a_dripping_body_ends_though_nobody_woke_the_flow() -> None:
    session = begin(Asking(limits=limited(idle=20.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    for _ in range(20):
        assert not session.is_over
        session.deliver(BodyReceived(1, b"x"), after=1)
    assert session.failure.kind == "timeout"


def test_the_deadline_of_a_sleep() -> None:
    session = begin(Napping())
    assert session.flow.deadline == NOW + 5


def test_no_time_at_all() -> None:
    assert begin(Asking(limits=limited(total=0.0))).failure.kind == "timeout"


# Cancel.

CANCELLED = Finished(Failure(kind="cancelled", message="cancelled by the caller", phase="start"))


def test_cancel_before_the_start() -> None:
    session = Session(Asking())
    assert session.deliver(Cancel()) == [CANCELLED]
    assert session.start() == []


def test_cancel_while_a_request_is_under_way() -> None:
    assert begin(Asking()).deliver(Cancel()) == [AbortRequest(1), CANCELLED]


def test_cancel_in_the_middle_of_an_answer() -> None:
    session = begin(Telling())
    session.answer(ScriptedResponse(body=b"Hel", stays_open=True))
    session.deliver(Cancel())
    assert (session.failure.kind, session.failure.text) == ("cancelled", "Hel")


def test_cancel_while_sleeping() -> None:
    assert begin(Napping()).deliver(Cancel()) == [CANCELLED]


def test_cancel_between_two_tries() -> None:
    session = play_until_sleep(Asking(), say("", 503))
    assert session.deliver(Cancel()) == [CANCELLED]


def test_cancel_after_the_end() -> None:
    assert play(Asking(), say("x")).deliver(Cancel()) == []


def test_cancel_while_a_job_is_being_submitted_is_cancelled_and_its_snapshot_in_doubt() -> None:
    session = play(Paying(), say(""))
    session.deliver(Cancel())
    assert session.failure.kind == "cancelled"
    with pytest.raises(InDoubt):
        through_json(session.flow)


def test_a_phase_that_is_cancelled_gets_to_clean_up() -> None:
    cleaned: list[str] = []

    def careful(flow: Custom) -> Steps:
        try:
            yield from flow.fetch(flow.request)
        finally:
            cleaned.append("up")

    begin(Custom(steps=careful)).deliver(Cancel())
    assert cleaned == ["up"]


def play_until_sleep(flow: Flow, response: Outcome) -> Session:
    """A session whose first request got this reply, and that sleeps before it tries again."""
    session = begin(flow)
    session.answer(response)
    assert isinstance(session.wait, Sleep)
    return session


# Trying again.


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_statuses_that_may_pass_are_tried_again(status: int) -> None:
    session = play(Telling(), say("not now", status), say("Hello"))
    assert session.succeeded
    assert session.text == "Hello"


@pytest.mark.parametrize("kind", ["connect", "timeout", "network"])
def test_failures_that_may_pass_are_tried_again(kind: Any) -> None:
    session = play(Telling(), Broken(kind=kind), say("Hello"))
    assert session.succeeded
    assert session.text == "Hello"


def test_a_reply_that_says_no_has_said_no_though_it_was_cut_off() -> None:
    session = begin(Asking())
    session.deliver(ResponseStarted(1, 429, (("retry-after", "60"),)))
    items = session.deliver(RequestFailed(1, "network", "cut off"))
    assert isinstance(items[-1], Sleep)
    assert items[-1].until >= session.now + 60
    refused = begin(Asking())
    refused.deliver(ResponseStarted(1, 400, ()))
    refused.deliver(RequestFailed(1, "network", "cut off"))
    assert (refused.failure.kind, refused.failure.status) == ("status", 400)
    assert len(refused.requests) == 1


def test_an_answer_cut_off_before_its_first_character_is_tried_again() -> None:
    assert play(Telling(), say(b"\xe2\x82"), say("Hello")).text == "Hello"


@pytest.mark.parametrize(
    "reply", [Broken(kind="protocol"), say("", 600), say("", 302), say("", 404), say("", 501 - 100), say("")]
)
def test_other_failures_are_not_tried_again(response: Outcome) -> None:
    session = play(Telling(), response)
    assert session.failure
    assert len(session.requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        Broken(kind="network", after=say("Hel")),
        Broken(kind="timeout", after=say("Hel")),
        Broken(kind="connect", after=say("Hel")),
        ScriptedResponse(body=b"Hel\xe2\x82"),
    ],
)
def test_nothing_is_tried_again_after_the_first_text(broken: Outcome) -> None:
    session = play(Telling(), broken)
    assert len(session.requests) == 1
    assert session.failure.text == "Hel"


def test_nothing_is_tried_again_after_text_was_replaced() -> None:
    body = b"data: Hello\n\ndata: Bye\n\n"
    session = play(Eventful(), Broken(kind="network", after=say(body)))
    assert session.outputs == [TextDelta("Hello"), TextReplaced("Bye")]
    assert len(session.requests) == 1
    assert session.failure.text == "Bye"


def test_a_status_told_is_no_text_and_does_not_commit() -> None:
    broken = Broken(kind="network", after=say(b"event: status\ndata: working\n\n"))
    assert play(Eventful(), broken, say(b"data: Hi\n\nevent: end\ndata\n\n")).text == "Hi"


def test_silence_after_the_first_text_is_not_tried_again() -> None:
    session = begin(Telling())
    session.answer(ScriptedResponse(body=b"Hel", stays_open=True))
    session.wake()
    assert (session.failure.kind, session.failure.text) == ("timeout", "Hel")


def test_the_commit_point_is_that_of_one_exchange() -> None:
    def tell_and_ask(flow: Custom) -> Steps:
        yield from flow.stream(flow.request, lambda: TextSink(flow.emit))
        yield from flow.fetch(flow.request)

    assert play(Custom(steps=tell_and_ask), say("Hello"), say("", 503), say("")).succeeded


def test_a_request_is_tried_three_times_at_most() -> None:
    session = play(Asking(), *[say("busy", 503)] * 3)
    assert len(session.requests) == 3
    assert session.failure.status == 503


def test_the_number_of_tries_is_a_limit() -> None:
    assert len(play(Asking(limits=limited(tries=1)), say("", 503)).requests) == 1
    assert len(play(Asking(limits=limited(tries=5)), *[say("", 503)] * 5).requests) == 5


def test_each_request_has_tries_of_its_own() -> None:
    session = play(Paying(), say("", 503), say("", 503), say(""), say("job"), say("", 503), say("", 503), say("done"))
    assert session.succeeded


def test_a_request_is_built_anew_for_each_try() -> None:
    session = begin(Asking())
    session.deliver(RequestFailed(1, "network"), after=3)
    session.play(say("x"))
    first, second = session.requests
    assert header(first, "nonce") != header(second, "nonce")
    assert header(first, "time") == str(NOW)
    assert float(header(second, "time")) >= NOW + 3


def test_a_sink_is_made_anew_for_each_try() -> None:
    # Half a character of the first try must not meet the other half in the second.
    session = play(Telling(), Broken(kind="network", after=say(b"\xe2\x82")), say(b"\xacuro"))
    assert session.text == "\ufffduro"
    session = play(
        Eventful(), Broken(kind="network", after=say(b"data: Hel")), say(b"lo\n\ndata: Bye\n\nevent: end\ndata\n\n")
    )
    assert session.text == "Bye"


@given(st.binary(min_size=16, max_size=16))
def test_pauses_are_full_jitter_backoff(entropy: bytes) -> None:
    session = begin(Asking(limits=limited(tries=9)), entropy=entropy)
    bounds = []
    while not session.is_over:
        session.answer(say("", 500))
        if isinstance(session.wait, Sleep):
            bounds.append(session.wait.until - session.now)
        session.sleep_on()
    for pause, bound in zip(bounds, [0.5, 1, 2, 4, 8, 16, 30, 30], strict=True):
        assert 0 <= pause < bound + 1e-6


def test_pauses_are_spread_over_all_of_their_range() -> None:
    pauses = []
    for i in range(200):
        session = begin(Asking(), entropy=b"%d" % i)
        session.answer(say("", 500))
        assert isinstance(session.wait, Sleep)
        pauses.append(session.wait.until - NOW)
    assert min(pauses) < 0.05
    assert max(pauses) > 0.45
    assert 0.2 < sum(pauses) / len(pauses) < 0.3


@pytest.mark.parametrize("value", ["7", "Tue, 14 Nov 2023 22:13:27 GMT"])
@pytest.mark.parametrize("status", [429, 503, 500])
def test_retry_after_is_obeyed(value: str, status: int) -> None:
    # NOW is 22:13:20.25 of that day.
    session = play_until_sleep(Asking(), say("", status, retry_after=value))
    assert isinstance(session.wait, Sleep)
    assert NOW + 6.7 <= session.wait.until <= NOW + 7.5


def test_retry_after_that_is_no_time_is_ignored() -> None:
    session = play_until_sleep(Asking(), say("", 503, retry_after="soon"))
    assert isinstance(session.wait, Sleep)
    assert session.wait.until < NOW + 0.5


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_that_is_too_long_is_told(status: int) -> None:
    session = play(Asking(), say("", status, retry_after="3600"))
    failure = session.failure
    assert (failure.kind, failure.status, failure.retry_after) == ("rate_limited", status, 3600.0)
    assert "it asks to be left alone for 3600 seconds" in failure.message
    error = failure.exception()
    assert isinstance(error, RateLimited)
    assert error.retry_after == 3600


def test_retry_after_of_just_the_limit_is_obeyed() -> None:
    session = play_until_sleep(Asking(), say("", 429, retry_after="120"))
    assert session.flow.deadline >= NOW + 120
    assert begin(Asking(limits=limited(retry_after=119.0))).answer(say("", 429, retry_after="120"))[-1] != session.wait


def test_retry_after_beyond_the_end_of_the_flow_is_not_waited_for() -> None:
    session = play(Asking(limits=limited(total=60.0)), say("", 429, retry_after="90"))
    assert session.failure.kind == "rate_limited"
    assert session.now == NOW


def test_a_429_without_retry_after_is_rate_limiting_as_well() -> None:
    session = play(Asking(), *[say("", 429)] * 3)
    assert (session.failure.kind, session.failure.retry_after) == ("rate_limited", None)


def test_a_503_without_retry_after_is_not() -> None:
    assert play(Asking(), *[say("", 503)] * 3).failure.kind == "status"


# Requests that must not be sent twice.


def test_a_request_that_must_not_be_repeated_is_tried_again_where_it_cannot_have_left() -> None:
    session = play(Paying(), say(""), Broken(kind="connect"), say("job-1"), say("done"))
    assert session.succeeded


@pytest.mark.parametrize(
    "reply",
    [
        Broken(kind="timeout"),
        Broken(kind="network"),
        Broken(kind="protocol"),
        Broken(kind="network", after=say("jo")),
        say("", 500),
        say("", 503, retry_after="1"),
        say("", 100),
        ScriptedResponse(chunks=[b"x" * 2000]),
    ],
)
def test_a_request_that_must_not_be_repeated_is_in_doubt_after_anything_later(response: Outcome) -> None:
    session = play(Paying(limits=limited(body=1000)), say(""), response)
    assert session.failure.kind == "in_doubt"
    assert session.failure.phase == "submit"
    assert session.failure.message.startswith("the request may have been carried out, and was not sent again (")
    assert len(session.requests) == 2
    assert isinstance(session.failure.exception(), InDoubt)


def test_silence_after_such_a_request_is_in_doubt() -> None:
    session = play(Paying(), say(""))
    session.wake()
    assert session.failure.kind == "in_doubt"


def test_a_connect_failure_after_an_answer_began_is_not_believed() -> None:
    session = play(Paying(), say(""))
    session.deliver(ResponseStarted(2, 200, ()))
    session.deliver(RequestFailed(2, "connect", "so they say"))
    assert session.failure.kind == "in_doubt"
    assert len(session.requests) == 2


def test_a_doubt_from_before_stays_until_the_job_is_accepted() -> None:
    session = play(Paying(), say(""))
    resent = Session(Paying.restore(session.flow.snapshot(), resend=True))
    resent.start()
    resent.play(*[Broken(kind="connect")] * 3)
    assert resent.failure.kind == "in_doubt"
    with pytest.raises(InDoubt):
        Paying.restore(resent.flow.snapshot())
    again = play(Paying.restore(session.flow.snapshot(), resend=True), say("7"))
    assert again.all(JobAccepted) == [JobAccepted("7")]
    assert Paying.restore(again.flow.snapshot())


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_after_such_a_request_is_in_doubt(status: int) -> None:
    # "Done; look there" is a common meaning of one.
    session = play(Paying(), say(""), say("", status))
    assert (session.failure.kind, session.failure.status) == ("in_doubt", status)


@pytest.mark.parametrize("status", [400, 404, 408, 425, 429])
def test_a_refusal_of_such_a_request_is_definite(status: int) -> None:
    session = play(Paying(), say(""), say("", status))
    assert session.failure.kind in ("status", "rate_limited")
    assert len(session.requests) == 2
    assert through_json(session.flow), "there is nothing to be in doubt about"


def test_a_job_that_was_not_taken_is_definite() -> None:
    session = play(Paying(), say(""), say("", 402))
    assert session.failure == Failure(kind="job_failed", message="no money", phase="submit")


def test_what_follows_such_a_request_is_not_in_doubt() -> None:
    session = play(Paying(), say(""), say("job-1"), *[say("", 500)] * 3)
    assert session.failure.kind == "status"


def test_a_request_that_did_not_connect_says_nothing_of_one_before_it() -> None:
    # One phase that pays, and then asks for something else, which fails definitely: the payment may still be there.
    def pay_and_ask(flow: Custom) -> Steps:
        yield from flow.fetch(partial(flow.request, repeatable=False))
        yield from flow.fetch(flow.request)

    for response in (Broken(kind="connect"), say("", 404)):
        session = play(Custom(steps=pay_and_ask, limits=limited(tries=1)), say("paid"), response)
        assert session.failure.kind == "in_doubt"


# Limits.


def test_the_limits_are_fields_with_documented_defaults() -> None:
    assert msgspec.structs.asdict(Limits()) == {
        "total": None,
        "idle": 120.0,
        "silence": 60.0,
        "retry_after": 120.0,
        "tries": 3,
        "body": 16 * MIB,
        "stream": 1024 * MIB,
        "line": 1 * MIB,
        "event": 1 * MIB,
        "error_body": 64 * KIB,
        "head": 64 * KIB,
        "headers": 256,
    }


def all_cuts(body: bytes) -> list[list[bytes]]:
    return [[body], bytewise(body), *two_part_cuts(body)]


def outcome(flow: Flow, chunks: list[bytes]) -> tuple[str, Failure | None]:
    """The text and the end of a session, whatever the pieces in which the text came."""
    session = play(flow, ScriptedResponse(chunks=chunks))
    assert isinstance(session.log[-1], Finished)
    return session.text, session.log[-1].failure


@pytest.mark.parametrize("flow", [Asking, Telling])
def test_the_limit_of_a_body_does_not_depend_on_chunking(flow: type[Requesting]) -> None:
    limits = limited(body=8, tries=1)
    over = {outcome_key(outcome(flow(limits=limits), chunks)) for chunks in all_cuts(b"123456789")}
    (text, kind, message) = over.pop()
    assert not over
    assert (kind, message) == ("limit", "the body of the response exceeds 8 bytes")
    assert text == ("12345678" if flow is Telling else "")
    for chunks in all_cuts(b"12345678"):
        assert outcome(flow(limits=limits), chunks) == ("12345678", None)


def outcome_key(end: tuple[str, Failure | None]) -> tuple[str, str, str]:
    text, failure = end
    assert failure is not None
    return text, failure.kind, failure.message


def test_a_body_over_its_limit_is_broken_off_at_once() -> None:
    session = begin(Asking(limits=limited(body=8)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"12345678"))
    assert not session.is_over
    assert session.deliver(BodyReceived(1, b"9"))[0] == AbortRequest(1)


def test_the_body_of_a_refusal_has_a_limit_of_its_own() -> None:
    body = b"because of this and that"
    for chunks in all_cuts(body):
        session = play(
            Asking(limits=limited(error_body=10)), ScriptedResponse(status=404, chunks=chunks, stays_open=True)
        )
        assert session.failure.message == f"{SHOWN_URL} answered with status 404: because of"
        assert session.all(AbortRequest) == [AbortRequest(1)]


def test_what_a_refusal_says_is_shown_in_one_short_line() -> None:
    failure = play(Asking(), say("\x1b[31mno\r\n\u202eway\n" + "x" * 1000, 404)).failure
    said = failure.message.removeprefix(f"{SHOWN_URL} answered with status 404: ")
    assert said.startswith("[31mno way xxx")
    assert said.isprintable()
    assert len(said) <= 200


def test_a_line_over_its_limit_does_not_depend_on_chunking() -> None:
    body = b"data: ok\n\ndata: 0123456789\n\nevent: end\ndata\n\n"
    ends = {outcome_key(outcome(Eventful(limits=limited(line=12)), chunks)) for chunks in all_cuts(body)}
    assert ends == {("ok", "limit", "a line of the event stream exceeds 12 bytes")}


def test_an_answer_that_ended_before_a_line_over_its_limit_is_an_answer() -> None:
    body = b"data: ok\n\nevent: end\ndata\n\ndata: 0123456789\n\n"
    for chunks in all_cuts(body):
        assert outcome(Eventful(limits=limited(line=12)), chunks) == ("ok", None)


def test_an_event_over_its_limit() -> None:
    body = b"data: ok\n\n" + b"data: 0123\n" * 5 + b"\n"
    assert outcome_key(outcome(Eventful(limits=limited(event=12)), [body]))[1:] == (
        "limit",
        "an event of the stream exceeds 12 bytes",
    )


def test_a_body_and_a_line_over_their_limits_at_once_do_not_depend_on_chunking() -> None:
    body = b"data: ok\n\ndata: 0123456789012345\n\n"
    ends = {outcome_key(outcome(Eventful(limits=limited(line=12, body=25)), chunks)) for chunks in all_cuts(body)}
    assert len(ends) == 1


def test_the_size_of_a_head_is_limited() -> None:
    limits = limited(head=10, tries=1)
    assert play(Asking(limits=limits), ScriptedResponse(headers=(("abc", "12"), ("de", "345")))).succeeded
    session = play(Asking(limits=limits), ScriptedResponse(headers=(("abc", "12"), ("de", "3456"))))
    assert session.failure.kind == "limit"
    assert session.all(AbortRequest) == [AbortRequest(1)]


def test_the_number_of_headers_is_limited() -> None:
    limits = limited(headers=3, tries=1)
    assert play(Asking(limits=limits), ScriptedResponse(headers=(("a", ""),) * 3)).succeeded
    assert play(Asking(limits=limits), ScriptedResponse(headers=(("a", ""),) * 4)).failure.kind == "limit"


# Snapshots.


def test_a_snapshot_is_one_line_of_json() -> None:
    snapshot = begin(Paying(order="a cat")).flow.snapshot()
    assert "\n" not in snapshot
    assert json.loads(snapshot) == {
        "flow": "Paying",
        "version": 1,
        "phase": "start",
        "fields": {"order": "a cat", "job": ""},
        "request_id": 1,
        "text_delivered": False,
        "in_doubt": False,
        "job_id": "",
    }


def test_a_snapshot_holds_no_credentials_and_no_limits() -> None:
    session = begin(Paying(credentials={"token": "T-12345678"}, limits=limited(total=7.0)))
    assert "T-12345678" not in session.flow.snapshot()
    assert through_json(session.flow).credentials is None
    assert through_json(session.flow).limits == Limits()


def test_a_flow_is_continued_with_credentials_and_limits_of_its_own() -> None:
    flow = Paying.restore(Paying().snapshot(), credentials={"token": "T-12345678"}, limits=limited(total=7.0))
    assert flow.credentials == {"token": "T-12345678"}
    assert "T-12345678" in flow.secrets
    assert flow.limits.total == 7


def test_a_snapshot_may_be_text_or_bytes() -> None:
    snapshot = Paying(order="a cat").snapshot()
    assert Paying.restore(snapshot) == Paying.restore(snapshot.encode()) == Paying(order="a cat")


def test_a_job_is_continued_where_it_was_and_is_not_paid_for_twice() -> None:
    session = play(Paying(), say(""), say("job-1"), say("wait"))
    flow = through_json(session.flow)
    assert isinstance(flow, Paying)
    assert flow.job == "job-1"
    restored = play(flow, say("done"))
    assert restored.succeeded
    assert len(restored.requests) == 1


def test_a_phase_that_was_under_way_leaves_nothing_in_the_snapshot() -> None:
    def change_and_wait(flow: Paying) -> Steps:
        flow.order = "changed"
        yield from flow.fetch(flow.request)

    class Changing(Paying):
        def start(self) -> Steps:
            return change_and_wait(self)

    session = begin(Changing())
    assert json.loads(session.flow.snapshot())["fields"]["order"] == "one dragon"


def test_a_snapshot_before_the_start() -> None:
    assert play(through_json(Asking()), say("x")).succeeded


def test_a_snapshot_of_what_has_finished_finishes_at_once() -> None:
    session = play(Paying(), say(""), say("job-1"), say("done"))
    assert begin(through_json(session.flow)).log == [Finished(None)]


def test_a_finished_answer_is_not_taken_back_by_its_snapshot() -> None:
    # Nothing will be sent again, so what was shown stays.
    session = play(Telling(), say("Hello"))
    assert begin(through_json(session.flow)).log == [Finished(None)]


def test_a_restored_flow_counts_its_time_from_its_own_start() -> None:
    session = play(Paying(), say(""), say("job-1"))
    session.deliver(Woken(), after=200)
    session.play()
    later = NOW + 100_000
    restored = begin(through_json(session.flow), now=later)
    assert restored.flow.deadline == later + 120
    while not restored.is_over:
        restored.answer(say("wait"))
        restored.sleep_on()
    assert restored.now == later + 300


def test_a_restored_flow_that_had_told_text_begins_with_restarted() -> None:
    session = begin(Telling())
    session.answer(ScriptedResponse(body=b"Hel", stays_open=True))
    restored = begin(through_json(session.flow))
    assert restored.log[0] == Restarted()
    restored.answer(say("Hello"))
    assert restored.text == "Hello"
    assert shown(session.log + restored.log) == "Hello"


def test_restarted_is_told_once_and_after_any_number_of_snapshots() -> None:
    session = begin(Telling())
    session.answer(ScriptedResponse(body=b"Hel", stays_open=True))
    again = through_json(through_json(session.flow))
    restored = begin(again)
    assert restored.outputs == [Restarted()]
    # Told: what is restored from here begins with a clean slate.
    assert begin(through_json(restored.flow)).outputs == []


def test_a_restored_flow_that_had_told_nothing_does_not_restart() -> None:
    assert begin(through_json(begin(Telling()).flow)).outputs == []


def test_a_restored_flow_draws_other_numbers_even_from_the_same_entropy() -> None:
    session = begin(Asking())
    restored = begin(through_json(session.flow))
    assert header(session.request, "nonce") != header(restored.request, "nonce")


def test_request_ids_go_on_in_a_restored_flow() -> None:
    assert isinstance(wait := begin(through_json(begin(Asking()).flow)).wait, SendRequest)
    assert wait.request_id == 2


def test_a_snapshot_taken_while_a_request_that_must_not_be_repeated_was_on_its_way() -> None:
    session = play(Paying(), say(""))
    with pytest.raises(InDoubt, match="resend=True"):
        through_json(session.flow)
    restored = play(through_json(session.flow, resend=True), say("job-1"), say("done"))
    assert restored.succeeded


def test_a_flow_to_be_sent_again_stays_in_doubt_until_it_starts() -> None:
    session = play(Paying(), say(""))
    with pytest.raises(InDoubt):
        through_json(through_json(session.flow, resend=True))


def test_a_snapshot_of_what_ended_in_doubt_is_in_doubt() -> None:
    session = play(Paying(), say(""), Broken(kind="network"))
    with pytest.raises(InDoubt):
        through_json(session.flow)


def test_a_snapshot_between_two_tries_of_such_a_request_is_not_in_doubt() -> None:
    session = play(Paying(), say(""))
    session.answer(Broken(kind="connect"))
    assert through_json(session.flow)


def test_a_job_that_goes_on_without_us_is_in_the_failure() -> None:
    session = play(Paying(limits=limited(total=10.0)), say(""), say("job-1"), *[say("wait")] * 5)
    assert session.failure.kind == "timeout"
    assert session.failure.snapshot is not None
    restored = play(Paying.restore(session.failure.snapshot), say("done"))
    assert restored.succeeded


def test_a_restored_job_is_still_a_job_when_it_fails_again() -> None:
    session = play(Paying(), say(""), say("job-1"))
    restored = begin(through_json(session.flow))
    restored.deliver(Cancel())
    assert restored.failure.snapshot is not None


def test_a_flow_without_a_job_has_no_snapshot_in_its_failure() -> None:
    assert play(Paying(), say("", 404)).failure.snapshot is None


GOOD = json.loads(Paying().snapshot())


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        "\udc80",
        b"\xff",
        '{"flow": "\\ud800"}',
        "[" * 100_000,
        json.dumps(GOOD | {"version": "1"}),
        json.dumps(GOOD | {"fields": None}),
        json.dumps(GOOD | {"fields": {"order": 5, "job": ""}}),
        json.dumps(GOOD | {"fields": {"order": "x"}}),
        json.dumps(GOOD | {"request_id": "x"}),
        json.dumps(GOOD | {"request_id": -1}),
        json.dumps(GOOD | {"request_id": 10**30}),
        json.dumps({key: value for key, value in GOOD.items() if key != "phase"}),
    ],
)
def test_a_damaged_snapshot_is_refused(damaged: str | bytes) -> None:
    with pytest.raises(SnapshotError):
        Paying.restore(damaged)


@given(st.data())
def test_a_snapshot_with_any_byte_changed_is_refused_or_works(data: st.DataObject) -> None:
    session = play(Paying(), say(""), say("job-1"), say("wait"))
    snapshot = bytearray(session.flow.snapshot().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        snapshot[data.draw(st.integers(0, len(snapshot) - 1))] = data.draw(st.integers(0, 255))
    try:
        flow = Paying.restore(bytes(snapshot))
    except (SnapshotError, InDoubt):
        return
    assert begin(flow).log
    assert Paying.restore(flow.snapshot(), resend=True)


def test_a_snapshot_of_another_flow_is_refused() -> None:
    with pytest.raises(SnapshotError, match="a snapshot of 'Asking', not of 'Paying'"):
        Paying.restore(Asking().snapshot())


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(SnapshotError, match="version 2, and this Paying reads version 1"):
        Paying.restore(json.dumps(GOOD | {"version": 2}))


@pytest.mark.parametrize(
    ("old", "new"), [('"version": 1', f'"version": {"9" * 4000}'), ('"start"', '"' + "x" * 4000 + '"')]
)
def test_a_refusal_of_a_snapshot_is_short(old: str, new: str) -> None:
    whole = json.dumps(GOOD)
    assert old in whole
    with pytest.raises(SnapshotError) as info:
        Paying.restore(whole.replace(old, new))
    assert len(str(info.value)) < 400


def test_a_refusal_of_the_fields_of_a_snapshot_is_short() -> None:
    given = json.dumps(json.loads(ImageDownload(url="https://a.example/", provider_url="https://a.example").snapshot()))
    with pytest.raises(SnapshotError) as info:
        ImageDownload.restore(given.replace("https://a.example/", "x" * 4000))
    assert len(str(info.value)) < 400


@pytest.mark.parametrize(
    "phase",
    ["", "nothing", "fetch", "stream", "sleep", "_try", "__init__", "handle", "request", "order", "snapshot", "now"],
)
def test_a_name_that_is_no_phase_is_refused(phase: str) -> None:
    with pytest.raises(SnapshotError, match="has no phase"):
        Paying.restore(json.dumps(GOOD | {"phase": phase}))


def test_input_that_a_flow_would_refuse_is_refused_from_a_snapshot_too() -> None:
    @dataclass(kw_only=True)
    class Choosy(Asking):
        word: str = "good"

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.word != "good":
                raise InvalidInput("a bad word")

    snapshot = Choosy().snapshot()
    assert Choosy.restore(snapshot).word == "good"
    with pytest.raises(SnapshotError, match="a bad word"):
        Choosy.restore(snapshot.replace("good", "evil"))


# What a user gives.


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Options as providers have them. A Struct checks nothing when it is made by hand."""

    name: str = "small"
    width: Annotated[int, Meta(ge=1)] = 1
    scale: float = 1.0


@dataclass(kw_only=True)
class Sized(Asking):
    size: Size = Size()
    title: str = ""
    kept_out: Size = field(default=Size(), metadata=NOT_SAVED)


@pytest.mark.parametrize(
    "given",
    [
        {"title": "\ud800"},
        {"size": Size(name="\udc80x")},
        {"kept_out": Size(name="\ud800")},
        {"credentials": {"key": "\ud800"}},
    ],
)
def test_a_lone_surrogate_is_refused_at_once_wherever_it_is(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=rf"^the field '{next(iter(given))}' holds a lone surrogate"):
        Sized(**given)


@pytest.mark.parametrize(
    "size",
    [
        Size(width=0),
        Size(width="1"),  # type: ignore[arg-type]
        Size(width=10**5000),
        Size(scale=float("nan")),
        Size(scale=float("inf")),
        Size(name=object()),  # type: ignore[arg-type]
    ],
)
def test_what_a_snapshot_could_not_bring_back_is_refused_at_once(size: Size) -> None:
    with pytest.raises(InvalidInput, match=r"^the field 'size' does not fit: "):
        Sized(size=size)


def test_what_is_no_part_of_a_snapshot_need_not_fit_into_one() -> None:
    assert begin(Sized(kept_out=Size(scale=float("inf")))).requests
    assert begin(through_json(Sized(size=Size(name="ж", width=10**30, scale=0.5)))).requests


# Draws.


def draw_with(draw: Callable[[Custom], object], entropy: bytes = ENTROPY, secret_entropy: bytes = b"") -> list[object]:
    """What a flow draws, three times."""
    drawn: list[object] = []

    def steps(flow: Custom) -> Steps:
        drawn.extend(draw(flow) for _ in range(3))
        yield from flow.sleep(1)

    Session(Custom(steps=steps)).start(entropy, secret_entropy)
    return drawn


DRAWS: dict[str, Callable[[Custom], object]] = {
    "nonce": lambda flow: flow.nonce(),
    "uuid": lambda flow: flow.uuid(),
    "random": lambda flow: flow.random(),
    "random_bytes": lambda flow: flow.random_bytes(20),
    "choice": lambda flow: flow.choice(range(10**9)),
    "secret_text": lambda flow: flow.secret_text("abcdefghij0123456789", 20),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_draws_come_from_the_entropy_alone_and_never_repeat(draw: Callable[[Custom], object]) -> None:
    assert draw_with(draw) == draw_with(draw)
    assert len({*draw_with(draw), *draw_with(draw, b"other")}) == 6


def test_secret_draws_come_from_the_secret_entropy_alone() -> None:
    drawn = draw_with(DRAWS["secret_text"], secret_entropy=b"secret")
    assert drawn == draw_with(DRAWS["secret_text"], b"other", secret_entropy=b"secret")
    assert drawn != draw_with(DRAWS["secret_text"], secret_entropy=b"another secret")
    assert draw_with(DRAWS["nonce"], secret_entropy=b"secret") == draw_with(DRAWS["nonce"])


def test_secret_draws_are_of_the_alphabet_and_concealed() -> None:
    flow = Custom(steps=lambda flow: flow.sleep(1))
    Session(flow).start()
    text = flow.secret_text("xyz", 32)
    assert set(text) == set("xyz")
    assert len(text) == 32
    assert text in flow.secrets


# Secrets.

SECRET = 'S3cret/"key+ü&%\\é='
ECHOES: dict[str, bytes] = {
    "as it is": SECRET.encode(),
    "percent-encoded": quote(SECRET, safe="").encode(),
    "percent-encoded in lower case": b"S3cret%2f%22key%2b%c3%bc%26%25%5c%c3%a9%3d",
    "percent-encoded but for slashes": quote(SECRET).encode(),
    "percent-encoded as a form": quote_plus(SECRET).encode(),
    "in JSON": msgspec.json.encode({"hint": SECRET}),
    "in ASCII JSON": json.dumps({"hint": SECRET}).encode(),
    "in JSON with escaped slashes": json.dumps({"hint": SECRET}).replace("/", "\\/").encode(),
    "in JSON for HTML": json.dumps({"hint": SECRET}).replace("&", "\\u0026").encode(),
    "as the message of JSON": json.dumps({"error": {"message": f"bad key {SECRET}"}}).encode(),
    "in a title": f"<html><title>No {SECRET}</title>".encode(),
    "in a URL": f"https://api.example/?key={quote(SECRET, safe='')}".encode(),
}


@dataclass(kw_only=True)
class Keyed(Telling):
    """A flow with a key, which it sends in every way."""

    credentials: dict[str, Any] | None = field(default=None, metadata=NOT_SAVED, repr=False)

    def start(self) -> Steps:
        yield from self.stream(self.keyed_request, lambda: TextSink(self.emit))

    def keyed_request(self) -> Request:
        return Request(
            method="POST",
            url=f"https://user:{quote(SECRET, safe='')}@api.example/ask?key={quote(SECRET, safe='')}",
            headers=(("authorization", quote(SECRET, safe="")),),
            body=SECRET.encode(),
        )


def assert_no_secret(text: str) -> None:
    """None of the spellings, and not even the part of it that no encoding touches."""
    assert "S3cret" not in text
    assert "key+" not in text


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("how", ["in a refusal", "in the reason of a failure"])
def test_no_secret_is_shown_even_where_the_server_echoes_it(echo: bytes, how: str) -> None:
    flow = Keyed(credentials={"accounts": [{"key": SECRET}], "n": 5}, limits=limited(tries=1))
    session = begin(flow)
    response = say(echo, 404) if how == "in a refusal" else Broken(kind="network", detail=echo.decode())
    seen: list[Event | Item] = list(session.log)
    for event in events_of(response, 1):
        seen += [event] if isinstance(event, ResponseStarted | BodyReceived | ResponseEnded) else []
        seen += session.deliver(event)
    failure = session.failure
    assert "[secret]" in failure.message
    for item in [*seen, flow, failure.exception(), failure.exception().failure]:
        assert_no_secret(repr(item))
        assert_no_secret(str(item))
    assert_no_secret(msgspec.json.encode(failure).decode())
    assert_no_secret(flow.snapshot())


def test_a_secret_learnt_on_the_way_is_concealed_as_well() -> None:
    def learn(flow: Custom) -> Steps:
        response = yield from flow.fetch(flow.request)
        flow.conceal(response.text())
        yield from flow.fetch(flow.request)

    session = play(Custom(steps=learn), say("T-12345678"), say("bad token T-12345678", 401))
    assert session.failure.message.endswith("bad token [secret]")


def test_a_secret_in_an_error_of_a_phase_is_concealed() -> None:
    def blunder(flow: Custom) -> Steps:
        yield from flow.sleep(0)
        raise JobFailed(f"no luck with {flow.conceal('T-12345678')}")

    assert play(Custom(steps=blunder)).failure.message == "no luck with [secret]"


def test_a_message_of_a_phase_is_one_line_that_is_not_too_long() -> None:
    def blunder(flow: Custom) -> Steps:
        yield from flow.sleep(0)
        raise JobFailed("no luck:\x1b[2J\r\n\u202e" + "x" * 5000)

    message = play(Custom(steps=blunder)).failure.message
    assert message.startswith("no luck: [2J xxx")
    assert len(message) == 1000


def test_what_is_too_short_to_be_a_secret_garbles_nothing() -> None:
    failure = play(Asking(credentials={"a": "an", "b": ""}), say("not an answer", 404)).failure
    assert failure.message.endswith("not an answer")


class Account(msgspec.Struct):
    token: str
    scopes: tuple[str, ...]
    browser: str = "chrome"
    cookies: tuple[Cookie, ...] = ()


def test_credentials_are_concealed_whatever_their_shape() -> None:
    flow = Asking(credentials=[Account("token-1", ("scope-1",)), {"token": "token-2"}, 5, None])
    assert flow.secrets == {"token-1", "scope-1", "token-2"}


def test_what_is_no_secret_in_credentials_is_not_concealed() -> None:
    # An error that no longer names its host helps nobody.
    cookie = Cookie(name="session", value="cookie-1", domain="api.example", path="/account")
    flow = Asking(credentials=Account("token-1", (), cookies=(cookie,)))
    assert flow.secrets == {"token-1", "cookie-1"}
    assert play(flow, say("no chrome here", 404)).failure.message.endswith(
        f"{SHOWN_URL} answered with status 404: no chrome here"
    )
    assert Asking(credentials=Account("token-1", (), browser="firefox")).secrets == {"token-1", "firefox"}


def test_a_url_is_shown_without_its_secrets() -> None:
    for response in (say("", 404), Broken(kind="protocol", detail="odd")):
        message = play(Keyed(), response).failure.message
        assert "https://api.example/ask" in message
        assert "user" not in message
        assert "?" not in message


FAILURE_TEXTS = {
    "connect": "could not connect to",
    "timeout": "no answer in time from",
    "network": "the connection broke while talking to",
    "protocol": "what came back is not HTTP from",
}


@pytest.mark.parametrize("kind", FAILURE_TEXTS)
def test_a_failed_request_says_what_happened_and_where(kind: Any) -> None:
    one_try = limited(tries=1)
    failure = play(Asking(limits=one_try), Broken(kind=kind, detail="odd\nthings")).failure
    assert failure == Failure(kind=kind, message=f"{FAILURE_TEXTS[kind]} {SHOWN_URL}: odd things", phase="start")
    silent = play(Asking(limits=one_try), Broken(kind=kind)).failure
    assert silent.message == f"{FAILURE_TEXTS[kind]} {SHOWN_URL}: no reason given"


# Credentials that others share.


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    token: str = ""


@dataclass(kw_only=True)
class Sharing(Requesting):
    """Gets a token in its first phase, unless it has one, and naps with it."""

    credential_phases: ClassVar[frozenset[str]] = frozenset({"start"})
    credentials_type: ClassVar[type[msgspec.Struct] | None] = Pass

    def start(self) -> Steps:
        if self.credentials is not None:
            return self.use
        yield from self.sleep(1)
        yield from self.fetch(self.request)
        return self.use

    def use(self) -> Steps:
        yield from self.sleep(1)


REPLACED = CredentialsReplaced({"token": "token-of-another"})


def test_credentials_of_others_are_taken_in_the_middle_of_getting_new_ones() -> None:
    session = begin(Sharing())
    assert session.deliver(REPLACED) == [Sleep(NOW + 1)]
    assert session.flow.credentials == Pass(token="token-of-another")
    session = begin(Sharing())
    session.wake()
    assert session.deliver(REPLACED, after=1) == [AbortRequest(1), Sleep(session.now + 1)]
    assert session.deliver(ResponseStarted(1, 200, ())) == []
    session.wake()
    assert session.succeeded
    assert session.deliver(REPLACED) == []


def test_credentials_of_others_are_nothing_to_a_flow_that_wants_none() -> None:
    for flow in (Sharing(credentials={"token": "token-of-its-own"}), Asking()):
        assert Session(flow).deliver(REPLACED) == []
        session = begin(flow)
        held, phase = session.flow.credentials, json.loads(session.flow.snapshot())["phase"]
        assert session.deliver(REPLACED) == []
        assert (session.flow.credentials, json.loads(session.flow.snapshot())["phase"]) == (held, phase)


def test_credentials_of_others_are_secret_whether_they_are_taken_or_not() -> None:
    for flow in (Sharing(), Sharing(credentials={"token": "token-of-its-own"}), Asking()):
        session = begin(flow)
        session.deliver(REPLACED)
        assert "token-of-another" in session.flow.secrets
    assert "token-of-another" not in repr(REPLACED)


def test_credentials_of_others_that_do_not_fit_change_nothing() -> None:
    session = begin(Sharing())
    with pytest.raises(LocalProtocolError, match=r"^the credentials do not fit: .* - at `\$\.token`$") as raised:
        session.flow.handle(CredentialsReplaced({"token": ["token-of-another"]}), NOW)
    assert "token-of-another" not in str(raised.value)
    assert session.flow.credentials is None
    assert session.deliver(REPLACED) == [Sleep(NOW + 1)]
