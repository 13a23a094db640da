"""A flow and the other side of its wire, on a clock of their own. What goes wrong between them is up to the test."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import msgspec

from modelwire.commands import SendRequest, Sleep
from modelwire.emulators.emulator import Emulator
from modelwire.errors import FailureKind, InDoubt
from modelwire.events import (
    BodyReceived,
    Cancel,
    CredentialsReplaced,
    Event,
    RequestFailed,
    RequestFailureKind,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.flow import Flow
from modelwire.http import Request
from modelwire.json import JsonObject
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, TextDelta, TextReplaced

from .session import Item, Session, shown
from .wire import Answer, ask, events_of, place_of

NOW = 1_700_000_000.25
SECRET_ENTROPY = b"what is drawn from this is never recorded"
# More than a session needs in which nothing goes wrong: it polls, tries again, and ends.
MOST_STEPS = 2000
# Seconds that pass between the end of one process and the work of the next.
RESTART = 0.25
# More trouble than any flow has to bear.
FATAL_TROUBLE = 1000
_NUMBER = re.compile(r"[0-9]+")

Place = tuple[str, str]


class Subject(NamedTuple):
    """What is under test: how its flow and its emulator are made, and the credentials that a user brings."""

    make_flow: Callable[[JsonObject | None, Limits], Flow]
    make_emulator: Callable[[], Emulator]
    credentials: JsonObject | None


class Past(NamedTuple):
    """How things stand when a session begins: the service, what a user keeps, the time, the sessions before."""

    emulator: Emulator  # never asked anything itself: each session gets a copy
    credentials: JsonObject | None
    now: float = NOW
    sessions: int = 0


class Outcome(NamedTuple):
    """What a person has got: the text without its numbers (an emulator may count, or draw an id), and images."""

    text: str
    images: int
    failure: FailureKind | None = None


class Stage:
    """A flow that gets its answers from `tape`, then from an emulator, unless a fault is put between them.

    Everything goes through a `Session`: each method raises `AssertionError` where the flow breaks the contract.
    `paid_for` are method and path of the requests that must not be carried out twice. `trouble` counts what the flow
    had to bear: as long as that is less than the number of its tries, it has to do well.
    """

    def __init__(
        self,
        subject: Subject,
        past: Past,
        *,
        limits: Limits = DEFAULT_LIMITS,
        paid_for: frozenset[Place] = frozenset(),
        tape: Sequence[Answer] = (),
    ) -> None:
        self.subject = subject
        self.limits = limits
        self.now = past.now
        self._past = past
        self._emulator: Emulator | None = None
        self.credentials = past.credentials
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.sessions: list[Session] = []
        self.submits: set[Place] = set()  # what a job was accepted for
        self.trouble = 0
        self.is_honest = True  # all that came was the emulator's
        self._entropy = b"session %d" % past.sessions
        self._tape = iter(tape)
        self._paid_for = paid_for
        self._paid, self._may_pay = 0, 1
        self._is_unsettled = False  # what must not be repeated was sent, and no job accepted
        self._screen = ""
        self._images: set[int] = set()
        self._open(partial(subject.make_flow, past.credentials, limits))

    def _open(self, make_flow: Callable[[], Flow]) -> None:
        last_request = self.sessions[-1].last_request if self.sessions else 0
        self.session = Session(make_flow, self.now, last_request)
        self.sessions.append(self.session)
        self._forget_exchange()

    def _forget_exchange(self) -> None:
        self._answer: Answer | None = None
        self._sent = -1  # bytes of the body that came; -1 before the head
        self._has_told = False  # a piece of the answer, in the exchange under way
        self._has_paid = False  # for what is done in it

    # What a test reads.

    @property
    def flow(self) -> Flow:
        """The flow, as it is now."""
        return self.session.flow

    @property
    def emulator(self) -> Emulator:
        """The service, as it is now."""
        # Copied when it is needed: a tape may do.
        if self._emulator is None:
            self._emulator = deepcopy(self._past.emulator)
        return self._emulator

    @property
    def is_over(self) -> bool:
        """Whether the flow has finished."""
        return self.session.is_over

    @property
    def outcome(self) -> Outcome:
        """What a person has got by now."""
        failure = self.session.failure
        return Outcome(_NUMBER.sub("#", self._screen), len(self._images), None if failure is None else failure.kind)

    @property
    def request(self) -> SendRequest | None:
        """The request under way."""
        wait = self.session.wait
        return wait if isinstance(wait, SendRequest) and self.session.open_request is not None else None

    @property
    def has_head(self) -> bool:
        """Whether the head of the response under way has come."""
        return self._sent >= 0

    @property
    def has_body(self) -> bool:
        """Whether some of its body has come."""
        return self._sent > 0

    # What happens as it should.

    def go_on(self, most: int | None = None) -> None:
        """The next thing, as it should happen: the start, a waking, a head, `most` bytes of a body, its end."""
        send = self.request
        if self.session.wait is None:
            self.deliver(Start(self._entropy, SECRET_ENTROPY))
        elif send is None:
            self._wake_in_time()
        elif not self.has_head:
            self._sent = 0
            self.deliver(ResponseStarted(send.request_id, self.arrive().status, self.arrive().headers))
        else:
            self._send_more(send.request_id, self.arrive(), most)

    def _send_more(self, request_id: int, answer: Answer, most: int | None) -> None:
        start, size = self._sent, len(answer.body)
        if start < size:
            self._sent = size if most is None else min(start + most, size)
            self.deliver(BodyReceived(request_id, answer.body[start : self._sent]))
        elif answer.stays_open:
            self._wake_in_time()
        else:
            self.deliver(ResponseEnded(request_id))

    def _wake_in_time(self) -> None:
        self.now = max(self.now, self.flow.deadline)
        self.deliver(Woken())

    def go_halfway(self) -> None:
        """The next thing, as it should happen, but that every body comes in two pieces."""
        self.go_on(len(self.arrive().body) // 2 + 1 if self.has_head else None)

    def finish(self) -> None:
        """Let everything go as it should from here on, to the end."""
        for _ in range(MOST_STEPS):
            if self.is_over:
                return
            self.go_on()
        raise AssertionError(f"the flow does not end: it waits for {self.session.wait!r}")

    def reach(self, number: int) -> bool:
        """Let everything go as it should until the request of this number (from 0) is sent; whether it ever is."""
        while not self.is_over and len(self.requests) <= number:
            self.go_on()
        return not self.is_over

    # What goes wrong.

    def fail(self, kind: RequestFailureKind, arrives: bool = False, detail: str = "") -> None:
        """The request fails, with or without having reached the other side."""
        send = self.request
        if send is None:
            return
        if arrives and kind != "connect":
            self.arrive()
        may_pass = kind != "protocol" and not self._has_told
        may_repeat = send.request.repeatable or (kind == "connect" and not self.has_head)
        self.trouble += 1 if may_pass and may_repeat else FATAL_TROUBLE
        self.deliver(RequestFailed(send.request_id, kind, detail))

    def cut_short(self) -> None:
        """The body ends before its end, and nobody could tell by its framing."""
        send = self.request
        if send is not None:
            self.trouble += FATAL_TROUBLE
            self.deliver(ResponseEnded(send.request_id))

    def refuse(self, status: int, retry_after: str | None = None, arrives: bool = False) -> None:
        """The request is answered by somebody in between, who says no; `retry_after` is seconds, or a date."""
        send = self.request
        if send is None or self.has_head:
            return
        if arrives:
            self.arrive()
        seconds = int(retry_after) if retry_after is not None and retry_after.isdigit() else 0
        may_pass = (status in (408, 425, 429) or status >= 500) and seconds <= self.limits.retry_after / 2
        self.trouble += 1 if may_pass and send.request.repeatable else FATAL_TROUBLE
        is_late = max(self.now, self.flow.now) >= self.flow.deadline
        headers = () if retry_after is None else (("retry-after", retry_after),)
        self._play(send.request_id, Answer(status, headers, b"not now"))
        wait = self.session.wait
        if isinstance(wait, Sleep) and self.is_honest and not is_late:
            assert wait.until >= self.flow.now + seconds, "Retry-After is not obeyed"

    def answer(self, answer: Answer, cuts: Sequence[int] = (), broken: RequestFailureKind | None = None) -> None:
        """The request under way gets this answer, cut at these places; then its end, or its failure."""
        send = self.request
        if send is not None:
            self.trouble += FATAL_TROUBLE
            self.is_honest = False
            if self._has_paid and 400 <= answer.status < 500:
                self._paid -= 1  # who refuses has done nothing
            self._play(send.request_id, answer, cuts, broken)

    def raw(self, event: Event) -> None:
        """Any event at all. The id of its request is counted from that of the last that was sent."""
        self.trouble += FATAL_TROUBLE
        self.is_honest = False
        if isinstance(event, ResponseStarted | BodyReceived | ResponseEnded | RequestFailed):
            event = msgspec.structs.replace(event, request_id=self.session.last_request + event.request_id)
        self.deliver(event)

    def stale(self) -> None:
        """All that can come of requests that are over, or were never sent, and a second start: nothing comes of it."""
        last = self.session.last_request
        for request_id in {last - 1, last, last + 1} - {self.session.open_request}:
            self._ignored(ResponseStarted(request_id, 200, ()))
            self._ignored(BodyReceived(request_id, b"stale"))
            self._ignored(ResponseEnded(request_id))
            self._ignored(RequestFailed(request_id, "network", "stale"))
        if self.session.wait is not None:
            self._ignored(Start(b"another", b"another"))
        if self.request is not None:
            self._ignored(ResponseStarted(last, 500, ()) if self.session.has_head else BodyReceived(last, b"early"))

    def _ignored(self, event: Event) -> None:
        batch = self.deliver(event)
        assert batch == [], f"{event!r} is nothing to this flow, and was answered with {batch}"

    def wake(self) -> None:
        """The flow is woken, be it too early."""
        self.deliver(Woken())

    def oversleep(self, seconds: float = 0.0) -> None:
        """The time of the wait comes, some more passes, and nothing else happens."""
        send = self.request
        if send is not None:
            self.trouble += FATAL_TROUBLE if self._has_told or not send.request.repeatable else 2
        self.pass_time(seconds)
        self._wake_in_time()

    def pass_time(self, seconds: float) -> None:
        """The caller's clock jumps, forward or back, and nobody wakes the flow."""
        self.trouble += 0 if 0 <= seconds <= 1 else FATAL_TROUBLE
        self.now += seconds

    def pass_all_but(self, seconds: float) -> None:
        """The caller's clock jumps to shortly before the end of the flow's time, and nobody wakes the flow."""
        self.trouble += FATAL_TROUBLE
        self.now = min(self.session.end_of_time, self.now + FATAL_TROUBLE) - seconds

    def crash(self) -> None:
        """The process ends, and another goes on with the snapshot and the credentials that were kept."""
        self.now += RESTART
        restore = partial(
            type(self.flow).restore, self.flow.snapshot(), credentials=self.credentials, limits=self.limits
        )
        try:
            self._open(restore)
        except InDoubt:
            assert self._is_unsettled, "in doubt, though nothing was sent that must not be repeated"
            self._may_pay += 1
            self._open(partial(restore, resend=True))

    def forget(self) -> None:
        """The service forgets all that it knew."""
        self.trouble += FATAL_TROUBLE
        self._emulator = self.subject.make_emulator()

    def share(self) -> None:
        """Somebody else has got credentials: those that were kept last."""
        self.trouble += FATAL_TROUBLE
        if self.credentials is not None:
            self.deliver(CredentialsReplaced(msgspec.to_builtins(self.credentials)))

    def cancel(self) -> None:
        """The caller has had enough."""
        was_over = self.is_over
        self.trouble += FATAL_TROUBLE
        self.deliver(Cancel())
        assert self.is_over, "cancelled, and not over"
        assert was_over or self.session.failure is not None, "cancelled, and ended well"

    def check_outcome(self, expected: Outcome) -> None:
        """The session is over, and ended as it had to, if all that came was the emulator's."""
        assert self.is_over, "not over"
        if self.trouble < self.limits.tries:
            assert self.outcome == expected, f"it came to {self.outcome} ({self.session.failure})"
        else:
            assert self.outcome.images <= expected.images, "more images than there are"
            assert expected.text.startswith(self.outcome.text), f"what is shown was never said: {self._screen!r}"

    # How it is done.

    def arrive(self) -> Answer:
        """The last request reaches the other side: what that answers, once."""
        if self._answer is None:
            request = self.requests[-1]
            self._answer = next(self._tape, None) or ask(self.emulator, request, self.now)
            self.answers.append(self._answer)
            if place_of(request) in self._paid_for and 200 <= self._answer.status < 300:
                self._has_paid = True
                self._paid += 1
                assert self._paid <= self._may_pay, "what must not be repeated was carried out twice"
        return self._answer

    def _play(
        self, request_id: int, answer: Answer, cuts: Sequence[int] = (), broken: RequestFailureKind | None = None
    ) -> None:
        for event in events_of(request_id, answer, cuts, broken):
            if self.session.open_request != request_id:
                return
            self.deliver(event)

    def deliver(self, event: Event) -> list[Item]:
        """Hand the flow an event, and take note of what it answers."""
        last = self.session.last_request
        self.session.now = self.now
        batch = self.session.deliver(event)
        for item in batch:
            match item:
                case SendRequest(request_id, request) if request_id > last:
                    self._note(request)
                case TextDelta() | TextReplaced():
                    self._has_told = True
                case CredentialsChanged(credentials):
                    self.credentials = self.subject.credentials if credentials is None else credentials
                case JobAccepted():
                    self.submits.add(place_of(self.requests[-1]))
                    self._is_unsettled = False
                case ImageReady(_, index):
                    self._images.add(index)
        self._screen = shown(batch, self._screen)
        return batch

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        self._is_unsettled = self._is_unsettled or not request.repeatable
        self._forget_exchange()
