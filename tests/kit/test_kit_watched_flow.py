"""The kit detects every batch that breaks the contract of `handle`."""

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
from modelwire.testing.watched_flow import Item, WatchedFlow, is_printable, screen_text

START, WOKEN = Start(b""), Woken()
REQUEST = Request(method="GET", url="https://a.example/")
SEND = SendRequest(1, REQUEST, 20.0)
HEAD, BODY, END = ResponseStarted(1, 200, ()), BodyReceived(1, b"a"), ResponseEnded(1)


class ScriptedFlow:
    """Returns the given batches one after the other, and keeps time as a flow does."""

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
    *calls: tuple[Event, Sequence[object]],
    times: Sequence[float] = (),
    deadlines: Sequence[float] = (),
    total: float = 30.0,
) -> WatchedFlow:
    """A flow after these events, for which it returned these batches. Each comes at 10 s, or at its time in `times`."""
    flow = ScriptedFlow([batch for _, batch in calls], Limits(total=total), deadlines)
    watched = WatchedFlow(lambda: cast(Flow, flow), 10.0)
    for number, (event, _) in enumerate(calls):
        watched.now = times[number] if times else 10.0
        watched.deliver(event)
    return watched


def finished_with_failure(message: str = "no", text: str = "") -> Finished:
    return Finished(Failure(kind="network", message=message, text=text))


def test_a_flow_that_keeps_the_contract_passes() -> None:
    watched = play(
        (START, [SEND]),
        (WOKEN, [SEND]),
        (HEAD, []),
        (BODY, [TextDelta("a")]),
        (BODY, [TextReplaced("b")]),
        (END, [Sleep(15.0)]),
        (WOKEN, [SendRequest(2, REQUEST, 30.0)]),
        (RequestFailed(2, "network"), [finished_with_failure(text="b")]),
        (WOKEN, []),
        times=[10, 11, 12, 13, 14, 15, 15, 16, 17],
        deadlines=[20, 20, 20, 25, 30, 15, 30],
        total=40.0,
    )
    assert watched.is_over
    assert watched.failure == Failure(kind="network", message="no", text="b")
    assert len(list(watched.items)) == 7
    assert (watched.last_request, watched.open_request) == (2, None)


BREACHES: dict[str, list[tuple[Event, Sequence[object]]]] = {
    "more than one wait": [(START, [Sleep(11.0), SEND])],
    "the wait is not the last item": [(START, [SEND, TextDelta("a")])],
    "after Finished": [(START, [Finished()]), (WOKEN, [TextDelta("a")])],
    "neither a command nor an output": [(START, ["a"])],
    "the flow aborts request 1, which is not open": [(START, [AbortRequest(1), Finished()])],
    "request 1 was left open": [(START, [SEND]), (HEAD, [Sleep(12.0)])],
    "request 1 was left open ": [(START, [SEND]), (HEAD, [Finished()])],
    "sends request 2 before request 1 has ended": [(START, [SEND]), (HEAD, [SendRequest(2, REQUEST, 20.0)])],
    "the request id 1 is not new": [(START, [SEND]), (END, [SEND])],
    "only Woken may repeat a wait": [(START, [SEND]), (HEAD, [SEND])],
    "another request under the same id": [
        (START, [SEND]),
        (WOKEN, [SendRequest(1, Request(method="PUT", url="https://a.example/"), 20.0)]),
    ],
    "the wait's deadline 10.0": [(START, [SendRequest(1, REQUEST, 10.0)])],
    "the wait's deadline 41.0": [(START, [SendRequest(1, REQUEST, 41.0)])],
    "the wait's deadline nan": [(START, [SendRequest(1, REQUEST, float("nan"))])],
    "a sleep until 9.0": [(START, [Sleep(9.0)])],
    "a sleep until 41.0": [(START, [Sleep(41.0)])],
    "unknown kind of failure: 'bad'": [(START, [Finished(Failure(kind="bad", message="no"))])],  # type: ignore[arg-type]
    "the failure has an empty message": [(START, [finished_with_failure(" ")])],
    "the failure's message has 1201 characters": [(START, [finished_with_failure("x" * 1201)])],
    "the failure's message is not printable": [(START, [finished_with_failure("a\x1bb")])],
    "it must be the text that was emitted": [(START, [TextDelta("a"), finished_with_failure(text="b")])],
}


@pytest.mark.parametrize("message", BREACHES)
def test_a_breach_is_detected(message: str) -> None:
    with pytest.raises(AssertionError, match=message.strip()):
        play(*BREACHES[message])


def test_the_flows_deadline_must_be_that_of_its_wait() -> None:
    with pytest.raises(AssertionError, match=r"flow\.deadline is 21\.0: it must be that of the current wait, 20\.0"):
        play((START, [SEND]), deadlines=[21.0])


@pytest.mark.parametrize("event", [WOKEN, HEAD])
def test_a_deadline_must_not_pass_in_silence(event: Event) -> None:
    with pytest.raises(AssertionError, match=r"the deadline 20\.0 has passed, but the flow waits on"):
        play((START, [SEND]), (event, []), times=[10, 20])


def test_bytes_do_not_move_a_deadline_that_has_passed() -> None:
    with pytest.raises(AssertionError, match=r"the deadline 20\.0 has passed, but the flow waits on"):
        play((START, [SEND]), (HEAD, []), (BODY, []), times=[10, 11, 20])


def test_an_empty_batch_must_not_move_the_deadline() -> None:
    with pytest.raises(AssertionError, match="the deadline moved from 20 to 25, although nothing was emitted"):
        play((START, [SEND]), (HEAD, []), (BODY, []), deadlines=[20, 20, 25])


@pytest.mark.parametrize(
    ("kind", "snapshot", "is_lost"), [("network", None, True), ("network", "{}", False), ("job_failed", None, False)]
)
def test_the_failure_of_an_accepted_job_needs_a_snapshot(
    kind: FailureKind, snapshot: str | None, is_lost: bool
) -> None:
    class Accepted(ScriptedFlow):
        job_id = "job-1"

    finished = Finished(Failure(kind=kind, message="no", snapshot=snapshot))
    watched = WatchedFlow(lambda: cast(Flow, Accepted([[finished]], Limits(), [])), 10.0)
    with pytest.raises(AssertionError, match="no snapshot to resume it from") if is_lost else nullcontext():
        watched.deliver(START)


def test_stale_events_do_not_check_the_deadline() -> None:
    watched = play((START, [SEND]), (ResponseStarted(7, 200, ()), []), (BODY, []), times=[10, 25, 25])
    assert watched.wait == SEND


def test_the_flows_time_must_be_the_callers() -> None:
    class Backward(ScriptedFlow):
        def handle(self, event: Event, now: float) -> list[Item]:
            self.now = now
            return []

    watched = WatchedFlow(lambda: cast(Flow, Backward([], Limits(), [])), 10.0)
    watched.deliver(START)
    watched.now = 9.0
    with pytest.raises(AssertionError, match=r"flow\.now is 9\.0: it must be the latest `now` of any call, 10\.0"):
        watched.deliver(WOKEN)


@pytest.mark.parametrize("text", ["a\nb", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066", "\ud800"])
def test_text_that_is_not_printable(text: str) -> None:
    assert not is_printable(text)


def test_text_that_is_printable() -> None:
    assert is_printable("Grüße, 世界! 🐉\u00a0\ufffd")


def test_text_on_the_screen() -> None:
    assert screen_text([TextDelta("a"), TextDelta("b")], "x") == "xab"
    assert screen_text([TextDelta("a"), Restarted(), TextDelta("b")]) == "b"
    assert screen_text([TextDelta("a"), TextReplaced("c"), TextDelta("d")]) == "cd"
