"""A simulation: a flow, an emulator and a clock of their own. The test decides what goes wrong between them."""

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

from .watched_flow import Item, WatchedFlow, screen_text
from .wire import ScriptedResponse, operation_of, response_events, response_of

NOW = 1_700_000_000.25
SECRET_ENTROPY = b"what is drawn from this is never recorded"
# Events: a session without faults needs fewer, with all its polls and retries. More mean that the flow never ends.
MAX_EVENTS = 2000
# Seconds: from the end of one process to the start of the next.
RESTART_SECONDS = 0.25
# Units of `Stage.trouble`: more than any flow has tries, so that it may fail.
FATAL_TROUBLE = 1000
_NUMBER = re.compile(r"[0-9]+")

# Method and path of a request.
Operation = tuple[str, str]


class Subject(NamedTuple):
    """The flow under test: how to make it and its emulator, and the credentials that a user supplies."""

    make_flow: Callable[[JsonObject | None, Limits], Flow]
    make_emulator: Callable[[], Emulator]
    credentials: JsonObject | None


class Past(NamedTuple):
    """The state of the world at the start of a session: the service, the user's stored credentials, the time.

    `sessions` is the number of earlier sessions.
    """

    emulator: Emulator  # each session gets a copy
    credentials: JsonObject | None
    now: float = NOW
    sessions: int = 0


class Outcome(NamedTuple):
    """The text and the number of images that the user has received.

    Each number in the text is replaced by `#`, because an emulator may count sessions or draw an id.
    """

    text: str
    images: int
    failure: FailureKind | None = None


class Stage:
    """A flow and the server that responds to it, with methods for whatever may happen between them.

    Responses come from `scripted` first, then from the emulator. `paid_operations` are those that the server must not
    carry out twice. `trouble` adds up the faults: while it is less than the flow's number of tries, the flow must
    succeed. Every event goes through a `WatchedFlow`, so each method raises `AssertionError` if the flow breaks the
    contract.
    """

    def __init__(
        self,
        subject: Subject,
        past: Past,
        *,
        limits: Limits = DEFAULT_LIMITS,
        paid_operations: frozenset[Operation] = frozenset(),
        scripted: Sequence[ScriptedResponse] = (),
    ) -> None:
        self.subject = subject
        self.limits = limits
        self.now = past.now
        self._past = past
        self._emulator: Emulator | None = None
        self.credentials = past.credentials
        self.requests: list[Request] = []
        self.responses: list[ScriptedResponse] = []
        self.watched_flows: list[WatchedFlow] = []
        self.job_operations: set[Operation] = set()  # those that a job was accepted for
        self.trouble = 0
        self.is_honest = True  # every response was the emulator's
        self._entropy = b"session %d" % past.sessions
        self._scripted = iter(scripted)
        self._paid_operations = paid_operations
        self._paid, self._max_paid = 0, 1
        self._may_be_in_doubt = False  # an unrepeatable request was sent, and no job accepted yet
        self._screen = ""
        self._images: set[int] = set()
        self._open(partial(subject.make_flow, past.credentials, limits))

    def _open(self, make_flow: Callable[[], Flow]) -> None:
        last_request = self.watched_flows[-1].last_request if self.watched_flows else 0
        self.watched = WatchedFlow(make_flow, self.now, last_request)
        self.watched_flows.append(self.watched)
        self._reset_exchange()

    def _reset_exchange(self) -> None:
        self._response: ScriptedResponse | None = None
        self._bytes_sent = -1  # of the body; -1 before the head
        self._has_content = False  # the flow has emitted text in this exchange
        self._has_paid = False  # the server has carried out a paid operation in this exchange

    # State.

    @property
    def flow(self) -> Flow:
        """The flow that runs now, after any number of restores."""
        return self.watched.flow

    @property
    def emulator(self) -> Emulator:
        """The service in its present state."""
        # Copied on first use: a session may need scripted responses alone.
        if self._emulator is None:
            self._emulator = deepcopy(self._past.emulator)
        return self._emulator

    @property
    def is_over(self) -> bool:
        """True once the flow has finished."""
        return self.watched.is_over

    @property
    def outcome(self) -> Outcome:
        """The outcome so far."""
        failure = self.watched.failure
        return Outcome(_NUMBER.sub("#", self._screen), len(self._images), None if failure is None else failure.kind)

    @property
    def request(self) -> SendRequest | None:
        """The request under way, or None."""
        wait = self.watched.wait
        return wait if isinstance(wait, SendRequest) and self.watched.open_request is not None else None

    @property
    def has_head(self) -> bool:
        """True if the flow has the head of the response under way."""
        return self._bytes_sent >= 0

    @property
    def has_body(self) -> bool:
        """True if the flow has some of its body."""
        return self._bytes_sent > 0

    # Progress without faults.

    def go_on(self, most: int | None = None) -> None:
        """Deliver the next regular event: `Start`, a due `Woken`, a head, up to `most` bytes of a body, or its end."""
        send = self.request
        if self.watched.wait is None:
            self.deliver(Start(self._entropy, SECRET_ENTROPY))
        elif send is None:
            self._wake_in_time()
        elif not self.has_head:
            self._bytes_sent = 0
            self.deliver(ResponseStarted(send.request_id, self.reach_server().status, self.reach_server().headers))
        else:
            self._send_more(send.request_id, self.reach_server(), most)

    def _send_more(self, request_id: int, response: ScriptedResponse, most: int | None) -> None:
        start, size = self._bytes_sent, len(response.body)
        if start < size:
            self._bytes_sent = size if most is None else min(start + most, size)
            self.deliver(BodyReceived(request_id, response.body[start : self._bytes_sent]))
        elif response.stays_open:
            self._wake_in_time()
        else:
            self.deliver(ResponseEnded(request_id))

    def _wake_in_time(self) -> None:
        self.now = max(self.now, self.flow.deadline)
        self.deliver(Woken())

    def go_on_in_halves(self) -> None:
        """Deliver the next regular event, each body in two chunks."""
        self.go_on(len(self.reach_server().body) // 2 + 1 if self.has_head else None)

    def finish(self) -> None:
        """Deliver regular events until the flow has finished."""
        for _ in range(MAX_EVENTS):
            if self.is_over:
                return
            self.go_on()
        raise AssertionError(f"the flow did not finish within {MAX_EVENTS} events: it waits for {self.watched.wait!r}")

    def reach(self, number: int) -> bool:
        """Deliver regular events until the request of this number (from 0) is sent. False if the flow ends before."""
        while not self.is_over and len(self.requests) <= number:
            self.go_on()
        return not self.is_over

    # Faults.

    def fail(self, kind: RequestFailureKind, arrives: bool = False, detail: str = "") -> None:
        """The request fails. If it `arrives`, the server has carried it out before."""
        send = self.request
        if send is None:
            return
        if arrives and kind != "connect":
            self.reach_server()
        is_temporary = kind != "protocol" and not self._has_content
        may_repeat = send.request.repeatable or (kind == "connect" and not self.has_head)
        self.trouble += 1 if is_temporary and may_repeat else FATAL_TROUBLE
        self.deliver(RequestFailed(send.request_id, kind, detail))

    def end_body_early(self) -> None:
        """The body ends early, in a way that its framing does not show."""
        send = self.request
        if send is not None:
            self.trouble += FATAL_TROUBLE
            self.deliver(ResponseEnded(send.request_id))

    def refuse(self, status: int, retry_after: str | None = None, arrives: bool = False) -> None:
        """A proxy refuses the request. If it `arrives`, the server has carried it out before.

        `retry_after` is seconds or a date.
        """
        send = self.request
        if send is None or self.has_head:
            return
        if arrives:
            self.reach_server()
        seconds = int(retry_after) if retry_after is not None and retry_after.isdigit() else 0
        is_temporary = (status in (408, 425, 429) or status >= 500) and seconds <= self.limits.retry_after / 2
        self.trouble += 1 if is_temporary and send.request.repeatable else FATAL_TROUBLE
        is_late = max(self.now, self.flow.now) >= self.flow.deadline
        headers = () if retry_after is None else (("retry-after", retry_after),)
        self._play(send.request_id, ScriptedResponse(status, headers, b"not now"))
        wait = self.watched.wait
        if isinstance(wait, Sleep) and self.is_honest and not is_late:
            assert wait.until >= self.flow.now + seconds, (
                f"the server sent Retry-After: {seconds}, but the flow sleeps for {wait.until - self.flow.now} s only"
            )

    def respond(
        self, response: ScriptedResponse, cuts: Sequence[int] = (), failure: RequestFailureKind | None = None
    ) -> None:
        """The request under way gets this response, its body cut at these positions. It ends well or with `failure`."""
        send = self.request
        if send is not None:
            self.trouble += FATAL_TROUBLE
            self.is_honest = False
            if self._has_paid and 400 <= response.status < 500:
                self._paid -= 1  # a server that refuses has not carried it out
            self._play(send.request_id, response, cuts, failure)

    def inject(self, event: Event) -> None:
        """Deliver any event. Its request id is relative to the last one that the flow used."""
        self.trouble += FATAL_TROUBLE
        self.is_honest = False
        if isinstance(event, ResponseStarted | BodyReceived | ResponseEnded | RequestFailed):
            event = msgspec.structs.replace(event, request_id=self.watched.last_request + event.request_id)
        self.deliver(event)

    def deliver_stale(self) -> None:
        """Deliver events of requests that are over or were never sent, and a second `Start`: the flow ignores them."""
        last = self.watched.last_request
        for request_id in {last - 1, last, last + 1} - {self.watched.open_request}:
            self._check_ignored(ResponseStarted(request_id, 200, ()))
            self._check_ignored(BodyReceived(request_id, b"stale"))
            self._check_ignored(ResponseEnded(request_id))
            self._check_ignored(RequestFailed(request_id, "network", "stale"))
        if self.watched.wait is not None:
            self._check_ignored(Start(b"another", b"another"))
        if self.request is not None:
            self._check_ignored(
                ResponseStarted(last, 500, ()) if self.watched.has_head else BodyReceived(last, b"early")
            )

    def _check_ignored(self, event: Event) -> None:
        batch = self.deliver(event)
        assert batch == [], f"{event!r} is stale, so the flow must ignore it, but handle returned {batch}"

    def wake(self) -> None:
        """Wake the flow, even if it is too early."""
        self.deliver(Woken())

    def time_out(self, seconds: float = 0.0) -> None:
        """Nothing happens until the wait's deadline and `seconds` longer; then the flow is woken."""
        send = self.request
        if send is not None:
            self.trouble += FATAL_TROUBLE if self._has_content or not send.request.repeatable else 2
        self.pass_time(seconds)
        self._wake_in_time()

    def pass_time(self, seconds: float) -> None:
        """The caller's clock jumps, forward or back, without a `Woken`."""
        self.trouble += 0 if 0 <= seconds <= 1 else FATAL_TROUBLE
        self.now += seconds

    def pass_time_until_left(self, seconds: float) -> None:
        """The caller's clock jumps to `seconds` before the end of the flow's time, without a `Woken`."""
        self.trouble += FATAL_TROUBLE
        self.now = min(self.watched.total_deadline, self.now + FATAL_TROUBLE) - seconds

    def crash(self) -> None:
        """The process ends; another one restores the flow from its snapshot and the stored credentials."""
        self.now += RESTART_SECONDS
        restore = partial(
            type(self.flow).restore, self.flow.snapshot(), credentials=self.credentials, limits=self.limits
        )
        try:
            self._open(restore)
        except InDoubt:
            assert self._may_be_in_doubt, "restore raised InDoubt, but no unrepeatable request was under way"
            self._max_paid += 1
            self._open(partial(restore, resend=True))

    def reset_service(self) -> None:
        """The service loses its memory: sessions, tokens, jobs."""
        self.trouble += FATAL_TROUBLE
        self._emulator = self.subject.make_emulator()

    def replace_credentials(self) -> None:
        """Another flow has got new credentials: this flow is handed those that were stored last."""
        self.trouble += FATAL_TROUBLE
        if self.credentials is not None:
            self.deliver(CredentialsReplaced(msgspec.to_builtins(self.credentials)))

    def cancel(self) -> None:
        """The caller cancels the flow."""
        was_over = self.is_over
        self.trouble += FATAL_TROUBLE
        self.deliver(Cancel())
        assert self.is_over, "the flow was cancelled, but did not return Finished"
        assert was_over or self.watched.failure is not None, "the flow was cancelled, but its Finished has no failure"

    def check_outcome(self, expected: Outcome) -> None:
        """The flow has finished: as expected if it had few faults, otherwise with no more than was expected."""
        assert self.is_over, "the flow has not finished"
        if self.trouble < self.limits.tries:
            assert self.outcome == expected, (
                f"the flow must get over these faults: it ended with {self.outcome} ({self.watched.failure}) "
                f"instead of {expected}"
            )
        else:
            assert self.outcome.images <= expected.images, "the flow emitted more images than there are"
            assert expected.text.startswith(self.outcome.text), (
                f"the flow emitted text that the answer does not have: {self._screen!r}, "
                f"which is not the start of {expected.text!r}"
            )

    # Delivery.

    def reach_server(self) -> ScriptedResponse:
        """The server's response to the last request. It carries the request out once."""
        if self._response is None:
            request = self.requests[-1]
            self._response = next(self._scripted, None) or response_of(self.emulator, request, self.now)
            self.responses.append(self._response)
            if operation_of(request) in self._paid_operations and 200 <= self._response.status < 300:
                self._has_paid = True
                self._paid += 1
                assert self._paid <= self._max_paid, (
                    f"{' '.join(operation_of(request))} was carried out twice. A request that starts a job needs "
                    f"repeatable=False, and its phase must end once the job is accepted"
                )
        return self._response

    def _play(
        self,
        request_id: int,
        response: ScriptedResponse,
        cuts: Sequence[int] = (),
        failure: RequestFailureKind | None = None,
    ) -> None:
        for event in response_events(request_id, response, cuts, failure):
            if self.watched.open_request != request_id:
                return
            self.deliver(event)

    def deliver(self, event: Event) -> list[Item]:
        """Hand the flow an event, and record the batch that it returns."""
        last = self.watched.last_request
        self.watched.now = self.now
        batch = self.watched.deliver(event)
        for item in batch:
            match item:
                case SendRequest(request_id, request) if request_id > last:
                    self._record_request(request)
                case TextDelta() | TextReplaced():
                    self._has_content = True
                case CredentialsChanged(credentials):
                    self.credentials = self.subject.credentials if credentials is None else credentials
                case JobAccepted():
                    self.job_operations.add(operation_of(self.requests[-1]))
                    self._may_be_in_doubt = False
                case ImageReady(_, index):
                    self._images.add(index)
        self._screen = screen_text(batch, self._screen)
        return batch

    def _record_request(self, request: Request) -> None:
        self.requests.append(request)
        self._may_be_in_doubt = self._may_be_in_doubt or not request.repeatable
        self._reset_exchange()
