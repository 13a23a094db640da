"""One flow under watch: every batch that it answers is held to the contract of `handle`."""

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
Wait = SendRequest | Evaluate | Sleep | Finished

WAITS = (SendRequest, Evaluate, Sleep, Finished)
OUTPUTS = get_args(Output)
# Characters: more than an engine says, less than a wall of text.
LONGEST_MESSAGE = 1200
# Control characters, lone surrogates, the ends of lines and of paragraphs; and what turns the direction of a text.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Step(NamedTuple):
    """One call of `handle`: when it was (Unix time, seconds), what it was given, what it answered."""

    now: float
    event: Event
    batch: list[Item]


class Session:
    """A flow, and all that passed between it and its caller, whose clock `now` is.

    `make_flow` makes the flow, and could make another of the same. `last_request` is the id of the last request that
    was sent, here or before a restore.
    """

    def __init__(self, make_flow: Callable[[], Flow], now: float, last_request: int = 0) -> None:
        self.make_flow = make_flow
        self.flow = make_flow()
        self.now = now
        self.last_request = last_request
        self.steps: list[Step] = []
        self.wait: Wait | None = None  # none before `Start`
        self.open_request: int | None = None  # sent, and neither ended nor aborted
        self.has_head = False  # of the response to it
        self.open_script: int | None = None  # under way in a page
        self._has_page = False
        self.end_of_time = math.inf  # when the whole flow must be over; known from `Start` on
        self._text: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether the flow has finished."""
        return type(self.wait) is Finished

    @property
    def failure(self) -> Failure | None:
        """Why it ended without what it was for; None where it went well, or goes on."""
        return self.wait.failure if isinstance(self.wait, Finished) else None

    @property
    def items(self) -> Iterator[Item]:
        """All that the flow has answered."""
        return (item for step in self.steps for item in step.batch)

    def deliver(self, event: Event) -> list[Item]:
        """Hand over one event. Raises `AssertionError` where the answer breaks the contract."""
        wait, deadline, now = self.wait, self.flow.deadline, self.flow.now
        is_timed = self._note(event)
        batch = self.flow.handle(event, self.now)
        self.steps.append(Step(self.now, event, batch))
        if batch:
            self._check_batch(event, batch)
        assert self.flow.now == max(now, self.now), "the flow's time is not that of its caller"
        if self.wait is wait:
            self._check_deadline(deadline, batch, is_timed=is_timed)
        return batch

    def _check_deadline(self, before: float, batch: list[Item], *, is_timed: bool) -> None:
        """The wait goes on: its deadline moves for what was told, and for nothing else."""
        if not batch:
            assert self.flow.deadline == before, "the deadline moved, though nothing was told"
        if is_timed:
            assert self.flow.now < self.flow.deadline, "the deadline has passed, and the wait goes on"

    def _note(self, event: Event) -> bool:
        """Note what begins and ends a response. Whether the flow has to look at its deadline when this comes."""
        match event:
            case Start() if self.wait is None:
                limits = self.flow.limits
                total = limits.total if limits.total is not None else self.flow.default_timeout
                self.end_of_time = max(self.now, self.flow.now) + total
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
        assert not self.is_over, f"{batch} after Finished"
        waits = [item for item in batch if isinstance(item, WAITS)]
        assert len(waits) <= 1, f"more than one wait in {batch}"
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
                assert self.open_request == request_id, f"request {request_id} is aborted, which is not open"
                self.open_request = None
            case OpenPage(url):
                assert url.startswith(("http:", "https:")), f"a page at {url!r}"
                self._check_nothing_open()
                self._has_page = True
            case Evaluate():
                self._check_script(event, item)
            case Sleep(until):
                self._check_nothing_open()
                assert self.flow.now <= until <= self.end_of_time, f"a sleep until {until}"
            case Finished(failure):
                # A script ends with its page.
                self.open_script = None
                self._check_nothing_open()
                self._check_failure(failure)
            case _:
                assert isinstance(item, OUTPUTS), f"{item!r} is neither a command nor an output"

    def _check_request(self, event: Event, send: SendRequest) -> None:
        if send.request_id == self.open_request:
            assert isinstance(event, Woken), "the same wait again, though nobody woke the flow"
            assert isinstance(self.wait, SendRequest), "the same wait again, though it was another"
            assert send.request == self.wait.request, "another request under the id of the one under way"
        else:
            assert self.open_request is None, "a request before the last was over"
            assert send.request_id > self.last_request, f"the request id {send.request_id} was used before"
            self.has_head = False
        self.open_request = self.last_request = send.request_id
        assert self.flow.now < send.deadline <= self.end_of_time, f"a deadline at {send.deadline}"
        assert self.flow.deadline == send.deadline, "the flow's deadline is not that of its wait"

    def _check_script(self, event: Event, evaluate: Evaluate) -> None:
        assert self._has_page, "a script, and no page to evaluate it in"
        if evaluate.request_id == self.open_script:
            assert isinstance(event, Woken), "the same wait again, though nobody woke the flow"
            assert evaluate == self.wait, "another script under the id of the one under way"
        else:
            self._check_nothing_open()
            assert evaluate.request_id > self.last_request, f"the request id {evaluate.request_id} was used before"
        self.open_script = self.last_request = evaluate.request_id
        assert self.flow.now < evaluate.deadline <= self.end_of_time, f"a deadline at {evaluate.deadline}"
        assert self.flow.deadline == evaluate.deadline, "the flow's deadline is not that of its wait"

    def _check_nothing_open(self) -> None:
        assert self.open_request is None, "a request was left open"
        assert self.open_script is None, "a script was left under way"

    def _check_failure(self, failure: Failure | None) -> None:
        if failure is not None:
            assert failure.kind in EXCEPTIONS, f"there is no failure of kind {failure.kind!r}"
            assert failure.message.strip(), "a failure that says nothing"
            assert is_printable(failure.message), f"a message that is not fit to be printed: {failure.message!r}"
            assert len(failure.message) <= LONGEST_MESSAGE, f"a message of {len(failure.message)} characters"
            assert failure.text == "".join(self._text), "the failure's text is not what was told"
            has_job = self.flow.job_id is not None and failure.kind != "job_failed"
            assert failure.snapshot is not None or not has_job, "the job goes on, and the failure has no snapshot of it"
            assert msgspec.json.decode(msgspec.json.encode(failure), type=Failure) == failure


def is_printable(text: str) -> bool:
    """Whether a text is one line, and does nothing to a terminal or a log."""
    return not any(unicodedata.category(character) in _UNPRINTABLE or character in _TURNING for character in text)


def shown(items: Iterable[object], before: str = "") -> str:
    """The text that a person has on the screen after these outputs."""
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
