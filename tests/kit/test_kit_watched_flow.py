"""Every batch that breaks the contract of `handle` is seen by the kit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import cast

import pytest

from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.errors import Failure, FailureKind
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import Flow
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.outputs import Restarted, TextDelta, TextReplaced
from modelwire.testing.session import Item, Session, is_printable, shown

START, WOKEN = Start(b""), Woken()
REQUEST = Request(method="GET", url="https://a.example/")
SEND = SendRequest(1, REQUEST, 20.0)
HEAD, BODY, END = ResponseStarted(1, 200, ()), BodyReceived(1, b"a"), ResponseEnded(1)


class Scripted:
    """Answers one call after the other with what it was told to, and keeps time as a flow does."""

    default_timeout = 100.0
    job_id: str | None = None

    def __init__(self, batches: Sequence[Sequence[object]], limits: Limits, deadlines: Sequence[float]) -> None:
        self.limits = limits
        self.now = 0.0
        self.deadline = 0.0
        self._batches = iter(batches)
        self._deadlines = iter(deadlines)

    def handle(self, event: Event, now: float) -> list[Item]:
        self.now = max(self.now, now)
        batch = cast("list[Item]", list(next(self._batches)))
        for item in batch:
            if isinstance(item, SendRequest | Sleep):
                self.deadline = item.deadline if isinstance(item, SendRequest) else item.until
        self.deadline = next(self._deadlines, self.deadline)
        return batch


def play(
    *steps: tuple[Event, Sequence[object]],
    times: Sequence[float] = (),
    deadlines: Sequence[float] = (),
    total: float = 30.0,
) -> Session:
    """A session of these events and batches; all at 10 s, or at these times."""
    flow = Scripted([batch for _, batch in steps], Limits(total=total), deadlines)
    session = Session(lambda: cast(Flow, flow), 10.0)
    for number, (event, _) in enumerate(steps):
        session.now = times[number] if times else 10.0
        session.deliver(event)
    return session


def failed(message: str = "no", text: str = "") -> Finished:
    return Finished(Failure(kind="network", message=message, text=text))


def test_what_keeps_the_contract() -> None:
    session = play(
        (START, [SEND]),
        (WOKEN, [SEND]),
        (HEAD, []),
        (BODY, [TextDelta("a")]),
        (BODY, [TextReplaced("b")]),
        (END, [Sleep(15.0)]),
        (WOKEN, [SendRequest(2, REQUEST, 30.0)]),
        (RequestFailed(2, "network"), [failed(text="b")]),
        (WOKEN, []),
        times=[10, 11, 12, 13, 14, 15, 15, 16, 17],
        deadlines=[20, 20, 20, 25, 30, 15, 30],
        total=40.0,
    )
    assert session.is_over
    assert session.failure == Failure(kind="network", message="no", text="b")
    assert len(list(session.items)) == 7
    assert (session.last_request, session.open_request) == (2, None)


BREACHES: dict[str, list[tuple[Event, Sequence[object]]]] = {
    "more than one wait": [(START, [Sleep(11.0), SEND])],
    "the wait is not the last item": [(START, [SEND, TextDelta("a")])],
    "after Finished": [(START, [Finished()]), (WOKEN, [TextDelta("a")])],
    "neither a command nor an output": [(START, ["a"])],
    "request 1 is aborted, which is not open": [(START, [AbortRequest(1), Finished()])],
    "a request was left open": [(START, [SEND]), (HEAD, [Sleep(12.0)])],
    "a request was left open ": [(START, [SEND]), (HEAD, [Finished()])],
    "a request before the last was over": [(START, [SEND]), (HEAD, [SendRequest(2, REQUEST, 20.0)])],
    "the request id 1 was used before": [(START, [SEND]), (END, [SEND])],
    "the same wait again, though nobody woke the flow": [(START, [SEND]), (HEAD, [SEND])],
    "another request under the id": [
        (START, [SEND]),
        (WOKEN, [SendRequest(1, Request(method="PUT", url="https://a.example/"), 20.0)]),
    ],
    "a deadline at 10.0": [(START, [SendRequest(1, REQUEST, 10.0)])],
    "a deadline at 41.0": [(START, [SendRequest(1, REQUEST, 41.0)])],
    "a deadline at nan": [(START, [SendRequest(1, REQUEST, float("nan"))])],
    "a sleep until 9.0": [(START, [Sleep(9.0)])],
    "a sleep until 41.0": [(START, [Sleep(41.0)])],
    "no failure of kind 'bad'": [(START, [Finished(Failure(kind="bad", message="no"))])],  # type: ignore[arg-type]
    "a failure that says nothing": [(START, [failed(" ")])],
    "a message of 1201 characters": [(START, [failed("x" * 1201)])],
    "not fit to be printed": [(START, [failed("a\x1bb")])],
    "text is not what was told": [(START, [TextDelta("a"), failed(text="b")])],
}


@pytest.mark.parametrize("said", BREACHES)
def test_a_breach_is_seen(said: str) -> None:
    with pytest.raises(AssertionError, match=said.strip()):
        play(*BREACHES[said])


def test_a_deadline_that_is_not_that_of_the_wait() -> None:
    with pytest.raises(AssertionError, match="the flow's deadline is not that of its wait"):
        play((START, [SEND]), deadlines=[21.0])


@pytest.mark.parametrize("event", [WOKEN, HEAD])
def test_a_deadline_that_passes_without_a_word(event: Event) -> None:
    with pytest.raises(AssertionError, match="the deadline has passed, and the wait goes on"):
        play((START, [SEND]), (event, []), times=[10, 20])


def test_bytes_do_not_move_a_deadline_that_has_passed() -> None:
    with pytest.raises(AssertionError, match="the deadline has passed, and the wait goes on"):
        play((START, [SEND]), (HEAD, []), (BODY, []), times=[10, 11, 20])


def test_a_deadline_that_moves_for_nothing() -> None:
    with pytest.raises(AssertionError, match="the deadline moved, though nothing was told"):
        play((START, [SEND]), (HEAD, []), (BODY, []), deadlines=[20, 20, 25])


@pytest.mark.parametrize(
    ("kind", "snapshot", "is_lost"), [("network", None, True), ("network", "{}", False), ("job_failed", None, False)]
)
def test_a_job_that_is_lost(kind: FailureKind, snapshot: str | None, is_lost: bool) -> None:
    class Accepted(Scripted):
        job_id = "job-1"

    finished = Finished(Failure(kind=kind, message="no", snapshot=snapshot))
    session = Session(lambda: cast(Flow, Accepted([[finished]], Limits(), [])), 10.0)
    with pytest.raises(AssertionError, match="no snapshot of it") if is_lost else nullcontext():
        session.deliver(START)


def test_stale_events_say_nothing_of_a_deadline() -> None:
    session = play((START, [SEND]), (ResponseStarted(7, 200, ()), []), (BODY, []), times=[10, 25, 25])
    assert session.wait == SEND


def test_a_time_of_its_own() -> None:
    class Backward(Scripted):
        def handle(self, event: Event, now: float) -> list[Item]:
            self.now = now
            return []

    session = Session(lambda: cast(Flow, Backward([], Limits(), [])), 10.0)
    session.deliver(START)
    session.now = 9.0
    with pytest.raises(AssertionError, match="the flow's time is not that of its caller"):
        session.deliver(WOKEN)


@pytest.mark.parametrize("text", ["a\nb", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066", "\ud800"])
def test_what_is_not_fit_to_be_printed(text: str) -> None:
    assert not is_printable(text)


def test_what_can_be_printed() -> None:
    assert is_printable("Grüße, 世界! 🐉\u00a0\ufffd")


def test_what_is_on_the_screen() -> None:
    assert shown([TextDelta("a"), TextDelta("b")], "x") == "xab"
    assert shown([TextDelta("a"), Restarted(), TextDelta("b")]) == "b"
    assert shown([TextDelta("a"), TextReplaced("c"), TextDelta("d")]) == "cd"
