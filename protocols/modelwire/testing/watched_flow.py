"""A flow under test: every batch is checked against the contract of `Flow.handle`."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, get_args

import msgspec

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import EXCEPTIONS, Failure
from modelwire.events import (
    BodyReceived,
    Event,
    PageClosed,
    PageEvaluated,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.flow import Flow
from modelwire.outputs import Output, Restarted, TextDelta, TextReplaced

Item = Command | Output
WaitCommand = SendRequest | Evaluate | Sleep | Finished

WAIT_COMMANDS = (SendRequest, Evaluate, Sleep, Finished)
OUTPUTS = get_args(Output)
# Characters: longest message of a failure. The engine cuts its own at 1000 and may add a few words.
LONGEST_MESSAGE = 1200
# Unicode categories: control characters, lone surrogates, line separators, paragraph separators.
_UNPRINTABLE_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Characters that change the direction of a text, so that a terminal shows it in another order.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Call(NamedTuple):
    """One call of `handle`: its time (Unix time, seconds), its event, the batch that it returned."""

    now: float
    event: Event
    batch: list[Item]


class WatchedFlow:
    """A flow, and every call of its `handle` so far. `now` is the time of the next call.

    `make_flow` makes the flow, and can make an equal one again. `last_request` is the highest request id so far,
    including those from before a restore.
    """

    def __init__(self, make_flow: Callable[[], Flow], now: float, last_request: int = 0) -> None:
        self.make_flow = make_flow
        self.flow = make_flow()
        self.now = now
        self.last_request = last_request
        self.calls: list[Call] = []
        self.wait: WaitCommand | None = None  # None before `Start`
        self.open_request: int | None = None  # sent, and neither ended nor aborted
        self.has_head = False  # of the response to the open request
        self.open_script: int | None = None  # under way in a page
        self._has_page = False
        self.total_deadline = math.inf  # when the whole flow must be over; known from `Start` on
        self._text: list[str] = []

    @property
    def is_over(self) -> bool:
        """True once the flow has emitted `Finished`."""
        return type(self.wait) is Finished

    @property
    def failure(self) -> Failure | None:
        """The failure that the flow ended with; None if it succeeded or still runs."""
        return self.wait.failure if isinstance(self.wait, Finished) else None

    @property
    def items(self) -> Iterator[Item]:
        """The items of all batches, in order."""
        return (item for call in self.calls for item in call.batch)

    def deliver(self, event: Event) -> list[Item]:
        """Hand the flow one event. Raises `AssertionError` if its batch breaks the contract."""
        wait, deadline, now = self.wait, self.flow.deadline, self.flow.now
        is_timed = self._record_event(event)
        batch = self.flow.handle(event, self.now)
        self.calls.append(Call(self.now, event, batch))
        if batch:
            self._check_batch(event, batch)
        assert self.flow.now == max(now, self.now), (
            f"flow.now is {self.flow.now}: it must be the latest `now` of any call, {max(now, self.now)}"
        )
        if self.wait is wait:
            self._check_deadline(deadline, batch, is_timed=is_timed)
        return batch

    def _check_deadline(self, before: float, batch: list[Item], *, is_timed: bool) -> None:
        """Check the deadline of a wait that continues: only something emitted may have moved it."""
        if not batch:
            assert self.flow.deadline == before, (
                f"the deadline moved from {before} to {self.flow.deadline}, although nothing was emitted"
            )
        if is_timed:
            assert self.flow.now < self.flow.deadline, (
                f"the deadline {self.flow.deadline} has passed, but the flow waits on: it must retry or fail"
            )

    def _record_event(self, event: Event) -> bool:
        """Note what begins or ends with this event. True if the flow must check its deadline on it."""
        match event:
            case Start() if self.wait is None:
                limits = self.flow.limits
                total = limits.total if limits.total is not None else self.flow.default_timeout
                self.total_deadline = max(self.now, self.flow.now) + total
            case Woken():
                return self.wait is not None and not self.is_over
            case ResponseStarted(request_id) if request_id == self.open_request:
                had_head, self.has_head = self.has_head, True
                return not had_head
            case BodyReceived(request_id):
                return request_id == self.open_request and self.has_head
            case ResponseEnded(request_id) | RequestFailed(request_id) if request_id == self.open_request:
                self.open_request = None
            case PageEvaluated(request_id) | PageClosed(request_id) if request_id == self.open_script:
                self.open_script = None
        return False

    def _check_batch(self, event: Event, batch: list[Item]) -> None:
        assert not self.is_over, f"after Finished, handle must return an empty batch, not {batch}"
        waits = [item for item in batch if isinstance(item, WAIT_COMMANDS)]
        assert len(waits) <= 1, f"more than one wait in {batch}: a flow waits for one thing at a time"
        assert not waits or batch[-1] is waits[0], f"the wait is not the last item of {batch}"
        for item in batch:
            self._check(event, item)
        if waits:
            self.wait = waits[0]

    def _check(self, event: Event, item: Item) -> None:
        match item:
            case TextDelta(text):
                self._text.append(text)
            case TextReplaced(text):
                self._text = [text]
            case SendRequest():
                self._check_request(event, item)
            case AbortRequest(request_id):
                assert self.open_request == request_id, f"the flow aborts request {request_id}, which is not open"
                self.open_request = None
            case OpenPage(url):
                assert url.startswith(("http:", "https:")), f"OpenPage takes an http(s) URL, not {url!r}"
                self._check_nothing_open()
                self._has_page = True
            case Evaluate():
                self._check_script(event, item)
            case Sleep(until):
                self._check_nothing_open()
                assert self.flow.now <= until <= self.total_deadline, (
                    f"a sleep until {until} must end between now ({self.flow.now}) "
                    f"and the end of the flow's time ({self.total_deadline})"
                )
            case Finished(failure):
                # A script ends with its page.
                self.open_script = None
                self._check_nothing_open()
                self._check_failure(failure)
            case _:
                assert isinstance(item, OUTPUTS), f"{item!r} in a batch is neither a command nor an output"

    def _check_request(self, event: Event, send: SendRequest) -> None:
        if send.request_id == self.open_request:
            assert isinstance(event, Woken), (
                f"the flow returned the same wait again after {event!r}: only Woken may repeat a wait"
            )
            assert isinstance(self.wait, SendRequest), "the flow repeated a wait, but its current wait is another one"
            assert send.request == self.wait.request, "the repeated wait has another request under the same id"
        else:
            assert self.open_request is None, (
                f"the flow sends request {send.request_id} before request {self.open_request} has ended or was aborted"
            )
            self._check_new_id(send.request_id)
            self.has_head = False
        self.open_request = self.last_request = send.request_id
        self._check_wait_deadline(send.deadline)

    def _check_script(self, event: Event, evaluate: Evaluate) -> None:
        assert self._has_page, "the flow evaluates a script, but there is no page: emit OpenPage first"
        if evaluate.request_id == self.open_script:
            assert isinstance(event, Woken), (
                f"the flow returned the same wait again after {event!r}: only Woken may repeat a wait"
            )
            assert evaluate == self.wait, "the repeated wait has another script under the same id"
        else:
            self._check_nothing_open()
            self._check_new_id(evaluate.request_id)
        self.open_script = self.last_request = evaluate.request_id
        self._check_wait_deadline(evaluate.deadline)

    def _check_new_id(self, request_id: int) -> None:
        assert request_id > self.last_request, (
            f"the request id {request_id} is not new: ids must increase, and the last one was {self.last_request}"
        )

    def _check_wait_deadline(self, deadline: float) -> None:
        assert self.flow.now < deadline <= self.total_deadline, (
            f"the wait's deadline {deadline} must be later than now ({self.flow.now}) "
            f"and not later than the end of the flow's time ({self.total_deadline})"
        )
        assert self.flow.deadline == deadline, (
            f"flow.deadline is {self.flow.deadline}: it must be that of the current wait, {deadline}"
        )

    def _check_nothing_open(self) -> None:
        assert self.open_request is None, (
            f"request {self.open_request} was left open: a flow must end or abort it before its next wait"
        )
        assert self.open_script is None, (
            f"script {self.open_script} was left under way: a flow must wait for it before its next wait"
        )

    def _check_failure(self, failure: Failure | None) -> None:
        if failure is not None:
            assert failure.kind in EXCEPTIONS, f"unknown kind of failure: {failure.kind!r}"
            assert failure.message.strip(), "the failure has an empty message"
            assert is_printable(failure.message), f"the failure's message is not printable: {failure.message!r}"
            assert len(failure.message) <= LONGEST_MESSAGE, (
                f"the failure's message has {len(failure.message)} characters: at most {LONGEST_MESSAGE} are allowed"
            )
            emitted = "".join(self._text)
            assert failure.text == emitted, (
                f"the failure's text is {failure.text!r}: it must be the text that was emitted, {emitted!r}"
            )
            has_job = self.flow.job_id is not None and failure.kind != "job_failed"
            assert failure.snapshot is not None or not has_job, (
                "the provider still works on the job, but the failure has no snapshot to resume it from"
            )
            assert msgspec.json.decode(msgspec.json.encode(failure), type=Failure) == failure


def is_printable(text: str) -> bool:
    """True if a text is a single line without characters that control a terminal or a log."""
    return not any(
        unicodedata.category(character) in _UNPRINTABLE_CATEGORIES or character in _BIDI_CONTROLS for character in text
    )


def screen_text(items: Iterable[object], before: str = "") -> str:
    """The text on the user's screen after these outputs, if it was `before` at the start."""
    screen = before
    for item in items:
        match item:
            case TextDelta(text):
                screen += text
            case TextReplaced(text):
                screen = text
            case Restarted():
                screen = ""
    return screen
