"""Pages: a flow has one opened and evaluates scripts in it, one wait at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.commands import Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import PageLost
from modelwire.events import (
    BodyReceived,
    Cancel,
    Event,
    PageClosed,
    PageEvaluated,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.flow import Flow, Steps
from modelwire.formats.cookies import Cookie
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.outputs import TitleChanged
from modelwire.recording import Recorder, Replay
from modelwire.testing import assert_replays
from played_flow import ENTROPY, NOW, PlayedFlow, begin, say, through_json

PAGE = "https://a.example/login"
COOKIE = Cookie(name="session", value="C-12345678", domain="a.example")


@dataclass(kw_only=True)
class Reading(Flow):
    """Reads a page, sends the value, and reads the page again."""

    page: str = PAGE
    seen: str = field(default="", init=False)

    def start(self) -> Steps:
        self.open_page(self.page)
        answer = yield from self.evaluate("1 + 1")
        self.seen = self.conceal(answer.value)
        return self.ask

    def ask(self) -> Steps:
        yield from self.fetch(lambda: Request(method="POST", url="https://a.example/", body=self.seen.encode()))
        yield from self.sleep(2.0)
        return self.read_again

    def read_again(self) -> Steps:
        try:
            answer = yield from self.evaluate("2 + 2")
        except PageLost as lost:
            self.emit(TitleChanged(str(lost)))
            return None
        self.emit(TitleChanged(answer.value))
        return None


def reading(**given: object) -> Reading:
    limits = msgspec.convert({"total": 300.0} | given, Limits)
    return Reading(limits=limits)


def test_a_page_is_opened_and_read() -> None:
    session = begin(reading())
    assert session.log == [OpenPage(PAGE), Evaluate(1, "1 + 1", NOW + 300.0)]
    assert session.flow.deadline == NOW + 300.0
    [send] = session.deliver(PageEvaluated(1, "2", (COOKIE,)), after=10.0)
    assert isinstance(send, SendRequest)
    assert (send.request_id, send.request.body) == (2, b"2")
    session.respond(say("fine"))
    session.wake()
    assert session.wait == Evaluate(3, "2 + 2", NOW + 300.0)
    assert session.deliver(PageEvaluated(3, "4")) == [TitleChanged("4"), Finished(None)]


def test_page_values_and_cookies_are_secret() -> None:
    session = begin(reading())
    session.deliver(PageEvaluated(1, '"T-12345678"', (COOKIE, Cookie(name="b", value="C-b", domain="a.example"))))
    assert set(session.flow.secrets) == {COOKIE.value, '"T-12345678"'}


@pytest.mark.parametrize("event", [PageEvaluated(2, "x"), PageEvaluated(0, "x"), PageClosed(2, "closed")])
def test_the_value_of_another_script_is_ignored(event: Event) -> None:
    session = begin(reading())
    assert session.deliver(event) == []
    assert isinstance(session.deliver(PageEvaluated(1, "2"))[-1], SendRequest)


@pytest.mark.parametrize(
    "event",
    [ResponseStarted(1, 200, ()), BodyReceived(1, b"x"), ResponseEnded(1), RequestFailed(1, "connect")],
    ids=lambda event: type(event).__name__,
)
def test_events_of_a_request_are_ignored_while_a_script_runs(event: Event) -> None:
    session = begin(reading())
    assert session.deliver(event) == []
    assert isinstance(session.deliver(PageEvaluated(1, "2"))[-1], SendRequest)


@pytest.mark.parametrize("event", [PageEvaluated(2, "x"), PageClosed(2, "closed"), PageEvaluated(1, "x")])
def test_events_of_a_page_are_ignored_during_a_request(event: Event) -> None:
    session = begin(reading())
    session.deliver(PageEvaluated(1, "2"))
    assert session.deliver(event) == []
    session.respond(say("fine"))
    assert isinstance(session.wait, Sleep)
    assert session.deliver(PageEvaluated(2, "x")) == []


def test_page_events_before_the_start_and_after_the_end_are_ignored() -> None:
    flow = reading()
    assert flow.handle(PageEvaluated(0, "x"), NOW) == []
    session = begin(flow)
    session.deliver(Cancel())
    assert session.failure.kind == "cancelled"
    assert session.deliver(PageEvaluated(1, "2")) == []


def test_an_early_woken_repeats_the_wait() -> None:
    session = begin(reading())
    assert session.deliver(Woken(), after=200.0) == [Evaluate(1, "1 + 1", NOW + 300.0)]
    assert isinstance(session.deliver(PageEvaluated(1, "2"))[-1], SendRequest)


def test_only_the_total_time_limits_a_page() -> None:
    session = begin(reading(idle=1.0, silence=1.0))
    session.wake()
    assert session.now == NOW + 300.0
    assert session.failure.kind == "timeout"
    assert session.failure.message == "not finished within 300 seconds; allow more time, or try again later"


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (PageClosed(1, "closed", "x"), "the page was closed too early"),
        (PageClosed(1, "failed", "net::ERR\x1b[31m\nno"), "the browser could not show the page: net::ERR [31m no"),
        (PageClosed(1, "failed"), "the browser could not show the page: no reason given"),
    ],
)
def test_a_lost_page_is_a_failure(event: PageClosed, message: str) -> None:
    session = begin(reading())
    session.deliver(event)
    assert (session.failure.kind, session.failure.message, session.failure.phase) == ("page_lost", message, "start")
    assert isinstance(session.failure.exception(), PageLost)


def test_the_reason_of_a_lost_page_holds_no_secret() -> None:
    session = begin(reading())
    session.deliver(PageEvaluated(1, "S-12345678"))
    session.respond(say("fine"))
    session.wake()
    session.deliver(PageClosed(3, "failed", "https://a.example/?key=S-12345678"))
    assert session.all(TitleChanged) == [
        TitleChanged("the browser could not show the page: https://a.example/?key=[secret]")
    ]
    assert session.succeeded, "a phase may continue after its page is lost"


def test_the_value_of_a_page_is_limited() -> None:
    for size, kind in ((100, None), (101, "limit")):
        session = begin(reading(body=100))
        session.deliver(PageEvaluated(1, "x" * size))
        assert (session.failure.kind if session.is_over else None) == kind
    assert session.failure.message == "the page's value exceeds 100 characters"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "https://a.example/\n", "about:blank"])
def test_only_http_pages_are_opened(url: str) -> None:
    session = begin(Reading(page=url))
    assert session.log[0] == session.log[-1]
    assert "http:// or https://" in session.failure.message


def test_a_snapshot_opens_the_page_again() -> None:
    session = begin(reading())
    restored = begin(through_json(session.flow), entropy=b"other")
    assert [type(item) for item in restored.log] == [OpenPage, Evaluate]
    assert isinstance(restored.wait, Evaluate)
    assert restored.wait.request_id == 2, "ids continue"
    session.deliver(PageEvaluated(1, "2"))
    session.respond(say("fine"))
    session.wake()
    again = begin(through_json(session.flow))
    assert [type(item) for item in again.log] == [Evaluate], "a page belongs to the phase that opened it"


def test_open_page_and_evaluate_are_not_phases() -> None:
    flow = reading()
    snapshot = msgspec.json.decode(flow.snapshot()) | {"phase": "evaluate"}
    with pytest.raises(ValueError, match="has no phase 'evaluate'"):
        Reading.restore(msgspec.json.encode(snapshot))


def test_a_recording_holds_neither_value_nor_cookie() -> None:
    recorder = Recorder(reading())
    events: list[Event] = [Start(ENTROPY, b"secret"), PageEvaluated(1, "S-12345678", (COOKIE,))]
    events += [ResponseStarted(2, 200, ()), ResponseEnded(2), Woken(), PageClosed(3, "closed")]
    for number, event in enumerate(events):
        recorder.handle(event, NOW + 3 * number)
    lines = recorder.lines()
    assert not any(secret in line for line in lines for secret in ("S-12345678", COOKIE.value))
    assert_replays(lines, flow=Reading)
    other = [line.replace("1 + 1", "1 + 2") for line in lines]
    difference = Replay(other, flow=Reading).first_difference()
    assert difference is not None, "a changed script is a difference"
    assert difference.number == 1


IDS = st.integers(0, 4)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(PageEvaluated, IDS, st.text(max_size=20)),
    st.builds(PageClosed, IDS, st.sampled_from(["closed", "failed"]), st.text(max_size=20)),
    st.builds(ResponseStarted, IDS, st.sampled_from([200, 404, 503]), st.just(())),
    st.builds(BodyReceived, IDS, st.binary(max_size=20)),
    st.builds(ResponseEnded, IDS),
    st.builds(RequestFailed, IDS, st.sampled_from(["connect", "network"])),
    st.just(Woken()),
    st.builds(Start, st.binary(max_size=20)),
)


@given(st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 1.0, 400.0]))))
def test_any_events_in_any_order(events: list[tuple[Event, float]]) -> None:
    """`PlayedFlow` checks every batch against the contract. The same events give the same commands."""
    first, second = (PlayedFlow(reading()) for _ in range(2))
    for session in (first, second):
        session.start()
        for event, seconds in events:
            session.deliver(event, after=seconds)
        session.deliver(Cancel())
    assert first.log == second.log
    assert isinstance(first.log[-1], Finished)
