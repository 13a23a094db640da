"""The engine under every flow: it turns waits into commands, and events into the ends of waits.

Theory of operation.

**The wait.** A flow waits for exactly one thing at a time. Its phases are generators that yield a `Wait`: an `Attempt`
(one sending of one request), an `Evaluation` (a script in a page) or a `Pause` (until a moment). The engine keeps it in
one field, `_wait`, and puts one command for it at the end of the batch: `SendRequest`, `Evaluate` or `Sleep`. Events
complete the wait; then `_run` resumes the phase until it yields the next wait, returns the next phase, or returns None.
Then the batch ends with `Finished`. Events that do not concern the wait are stale, and ignored: this is decided in
`_on_event` alone, by the type of the wait and by the request id.

The bytes of a streamed body never resume a generator. `handle` hands them to the attempt's sink (`_on_body`), one call
for each chunk, and the sink emits outputs into the batch. The generator continues once, when the response is over.

**Two deadlines.** `_end_of_time` bounds the whole flow; it is set by `Start` and never moves. `_deadline` bounds the
current wait. For an attempt it is also the content-idle deadline: `limits.idle` seconds after the sending, and again
after each chunk for which the sink emitted something (`_extend_deadline`), so keep-alives do not move it. It never lies
after `_end_of_time`. The silence of a connection (`Request.timeout`) is the transport's to watch, because only the
transport sees bytes that are not content.

**`Woken`** says that the deadline may have come. The engine looks at `now`: too early, it answers with the same wait
under the same request id, for which nothing is to be sent again. So a driver may wake a flow at any time, and need not
cancel a timer when the deadline moves. At the deadline of an attempt the attempt fails with `DeadlineExceeded`, and the
phase may retry; at `_end_of_time` the flow fails.

**The commit point.** `Delivered` knows whether a piece of the current attempt's content was emitted. Before that, a
failed attempt may be retried (`retry.py` decides); after it, an attempt that fails ends the flow with the text so far.

**Doubt.** A request that is not `repeatable` (a paid submit) puts the flow in doubt when it is sent. The doubt ends if
the request certainly had no effect: it never left (`connect`), or the server refused it (4xx). It also ends if
`JobAccepted` says that it worked. A flow that fails while in doubt fails with kind `in_doubt`, and a snapshot taken
then says so, in order that nobody pays twice without knowing. See `Doubt`.

**Snapshots** hold the fields as they were when the phase was entered (`_fields`), so nothing half done leaks into them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar, Protocol, assert_never

import msgspec

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import (
    EXCEPTIONS,
    Cancelled,
    DeadlineExceeded,
    Failure,
    FlowFailed,
    InvalidInput,
    LimitExceeded,
    LocalProtocolError,
    ModelwireError,
    PageLost,
    RemoteProtocolError,
)
from modelwire.events import (
    BodyReceived,
    Cancel,
    CredentialsReplaced,
    Event,
    PageClosed,
    PageEvaluated,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.http import Response, header_size, without_query
from modelwire.json import JsonObject, convert_input
from modelwire.limits import LATEST_TIME, Limits
from modelwire.outputs import JobAccepted, Output, Restarted, TextDelta, TextReplaced
from modelwire.redaction import error_text, printable, redact

from .entropy import Entropy
from .progress import Delivered, Doubt
from .refusals import status_error
from .secrets import Secrets
from .snapshot import Snapshot, encode_fields, encode_snapshot
from .waits import Attempt, Evaluation, Pause, Wait

# A phase: a method without arguments that yields waits, and returns the next phase or None at the end.
Steps = Generator[Wait, None, Any]
Phase = Callable[[], Steps]

# Characters: the longest message of a failure. It may quote the server, or list the names that exist.
LONGEST_MESSAGE = 1000

_FAILURE_TEXTS = {
    "connect": "could not connect to",
    "timeout": "no response in time from",
    "network": "the connection broke while talking to",
    "protocol": "no valid HTTP response from",
}


class EngineFlow(Protocol):
    """The flow that an engine runs. Its fields are its state, its phases are looked up by name."""

    version: ClassVar[int]
    default_timeout: ClassVar[float]
    credential_phases: ClassVar[frozenset[str]]
    credentials: Any
    limits: Limits

    @classmethod
    def credentials_type(cls) -> type[msgspec.Struct] | None: ...

    def start(self) -> Steps: ...

    def timeout_message(self, seconds: float) -> str: ...


class Engine:
    """The state of one flow apart from its fields, and what each event does to it."""

    def __init__(self, flow: EngineFlow) -> None:
        self._flow = flow
        self.secrets = Secrets()
        self.now = 0.0
        self.request_id = 0
        self.job_id = ""
        self.end_of_time = 0.0
        self.delivered = Delivered()
        self._add_text = self.delivered.pieces.append  # kept: 40 ns less for each output, of 260
        self.doubt = Doubt()
        self.draws = self.secret_draws = Entropy(b"")
        self._is_handling = False
        self._is_started = False
        self._is_over = False
        self._batch: list[Command | Output] = []
        self._phase: str | None = "start"
        self._fields = b""  # as JSON; empty before `Start`
        self._steps: Steps = (wait for wait in tuple[Wait, ...]())  # no step
        self._wait: Wait | None = None
        self._deadline = 0.0
        self._idle = 0.0  # `limits.idle`

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from a snapshot when `Start` comes."""
        self._phase = snapshot.phase
        self.request_id = snapshot.request_id
        self.doubt.inherit(snapshot.in_doubt)
        self.delivered.restart_due = snapshot.text_delivered
        self.job_id = snapshot.job_id

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """See `Flow.handle`."""
        if self._is_handling:
            raise LocalProtocolError("handle() was called again before it returned: give it one event at a time")
        if not 0 <= now < LATEST_TIME:
            raise LocalProtocolError("now must be Unix time in seconds, a finite number that is not negative")
        self._is_handling = True
        batch: list[Command | Output] = []
        self._batch = batch
        try:
            if now > self.now:
                self.now = now
            if type(event) is BodyReceived:
                wait = self._wait
                if type(wait) is Attempt and event.request_id == self.request_id and wait.status:
                    self._on_body(wait, event.data)
            elif not self._is_over:
                self._on_event(event)
        except LocalProtocolError:
            raise
        except BaseException:
            self._close()
            raise
        finally:
            self._is_handling = False
        return batch

    def emit(self, output: Output) -> None:
        """Put an output into the current batch."""
        if type(output) is TextDelta:
            self._add_text(output.text)
        elif isinstance(output, TextReplaced):
            self.delivered.replace(output.text)
        elif isinstance(output, JobAccepted):
            self.doubt.resolve()
            self.job_id = output.job_id
        self._batch.append(output)

    def command(self, command: OpenPage) -> None:
        """Put a command that is not a wait into the current batch."""
        self._batch.append(command)

    @property
    def deadline(self) -> float:
        """See `Flow.deadline`."""
        wait = self._wait
        return wait.until if type(wait) is Pause else self._deadline

    @property
    def awaits_credentials(self) -> bool:
        """See `Flow.awaits_credentials`."""
        return self._is_started and not self._is_over and self._phase in self._flow.credential_phases

    def snapshot(self, flow: EngineFlow) -> str:
        """See `Flow.snapshot`."""
        return encode_snapshot(
            Snapshot(
                flow=type(flow).__name__,
                version=flow.version,
                phase=self._phase,
                fields=msgspec.Raw(self._fields or encode_fields(flow)),
                request_id=self.request_id,
                text_delivered=self.delivered.would_repeat,
                in_doubt=self.doubt.exists,
                job_id=self.job_id,
            )
        )

    def excerpt(self, response: Response) -> str:
        """The words of an error response, safe to show to a person."""
        # Redacted twice: text that was escaped in JSON is plain only after it was decoded.
        secrets = self.secrets.values
        return printable(redact(error_text(response.headers, response.body, secrets), secrets))

    # Events.

    def _on_event(self, event: Event) -> None:
        """Any event but the bytes of a body."""
        wait = self._wait
        match event:
            case Start():
                if not self._is_started:
                    self._on_start(event)
            case Cancel():
                self._fail(Cancelled("cancelled by the caller"))
            case Woken():
                self._on_woken()
            case ResponseStarted() | ResponseEnded() | RequestFailed():
                if type(wait) is Attempt and event.request_id == self.request_id:
                    self._on_response(wait, event)
            case PageEvaluated() | PageClosed():
                if type(wait) is Evaluation and event.request_id == self.request_id:
                    self._on_page(wait, event)
            case CredentialsReplaced():
                self._on_credentials(event.credentials)
            case _:
                raise LocalProtocolError(f"{type(event).__name__} is not an event")

    def _on_start(self, event: Start) -> None:
        self._is_started = True
        self.draws = Entropy(event.entropy)
        self.secret_draws = Entropy(event.secret_entropy or b"secret:" + event.entropy)
        self.end_of_time = self.now + self._total
        self._idle = self._flow.limits.idle
        if self._phase is None:
            # The restored flow had finished: nothing is sent again, and the text that the user saw stays.
            self._finish(None)
            return
        if self.delivered.restart_due:
            self.delivered.restart_due = False
            self._batch.append(Restarted())
        self._enter(getattr(self._flow, self._phase))
        self._run()

    def _on_woken(self) -> None:
        """The deadline of the wait came; if not, the driver gets the same wait again."""
        wait = self._wait
        match wait:
            case Pause():
                if self.now < wait.until:
                    self._batch.append(Sleep(wait.until))
                else:
                    self._wait = None
                    self._run()
            case Evaluation():
                if self.now < self.end_of_time:
                    self._batch.append(Evaluate(self.request_id, wait.script, self._deadline))
                else:
                    self._fail(self._out_of_time())
            case Attempt():
                if not self._check_deadline(wait):
                    self._batch.append(SendRequest(self.request_id, wait.request, self._deadline))
            case None:
                pass
            case _:
                assert_never(wait)

    def _on_response(self, attempt: Attempt, event: ResponseStarted | ResponseEnded | RequestFailed) -> None:
        match event:
            case ResponseStarted():
                self._on_head(attempt, event)
            case ResponseEnded():
                self._on_end(attempt)
            case RequestFailed():
                self._on_failure(attempt, event)
            case _:
                assert_never(event)

    def _on_head(self, attempt: Attempt, event: ResponseStarted) -> None:
        if attempt.status:
            return
        limits = self._flow.limits
        if len(event.headers) > limits.headers or header_size(event.headers) > limits.head:
            self._abort_with(attempt, LimitExceeded("the head of the response exceeds its limits"))
            return
        if not 200 <= event.status <= 599:
            message = f"the server sent status {event.status} where a final response was expected"
            self._abort_with(attempt, RemoteProtocolError(message))
            return
        attempt.status = event.status
        attempt.headers = event.headers
        if not attempt.is_success:
            attempt.sink = None
            attempt.limit = limits.error_body
            if 400 <= event.status < 500:
                self.doubt.had_no_effect()
        self._check_deadline(attempt)

    def _on_body(self, attempt: Attempt, data: bytes) -> None:
        """Bytes of the body: the hot path."""
        attempt.size += len(data)
        excess = attempt.size - attempt.limit
        if excess > 0:
            data = data[: len(data) - excess] if excess < len(data) else b""
        sink = attempt.sink
        if sink is None:
            attempt.body += data
            if excess > 0:
                self._on_body_too_long(attempt)
            elif self.now >= self._deadline:
                self._check_deadline(attempt)
            return
        batch = self._batch
        try:
            is_complete = sink.feed(data)
        except FlowFailed as error:
            self._abort_with(attempt, error)
            return
        if batch:
            self._extend_deadline()
        if is_complete:
            self._abort_with(attempt, None)
        elif excess > 0:
            self._on_body_too_long(attempt)
        elif self.now >= self._deadline:
            self._check_deadline(attempt)

    def _on_body_too_long(self, attempt: Attempt) -> None:
        """The body exceeds its limit. For an error response that is fine: its beginning says enough."""
        if attempt.is_success:
            self._abort_with(attempt, LimitExceeded(f"the body of the response exceeds {attempt.limit} bytes"))
        else:
            self._abort_with(attempt, self._status_error(attempt))

    def _on_end(self, attempt: Attempt) -> None:
        error: FlowFailed | None = None
        if not attempt.status:
            error = RemoteProtocolError("the response ended before it began")
        elif not attempt.is_success:
            error = self._status_error(attempt)
        elif attempt.sink is not None:
            try:
                attempt.sink.end()
            except FlowFailed as failed:
                error = failed
        self._end_attempt(attempt, error)

    def _on_failure(self, attempt: Attempt, event: RequestFailed) -> None:
        if attempt.status and not attempt.is_success:
            # An error response was cut off: its status says enough.
            self._end_attempt(attempt, self._status_error(attempt))
            return
        kind = event.kind
        if kind == "connect":
            if attempt.status:
                kind = "network"  # there was a response, so there was a connection
            else:
                self.doubt.had_no_effect()
        detail = self._shown(event.detail) or "no reason given"
        target = without_query(attempt.request.url)
        self._end_attempt(attempt, EXCEPTIONS[kind](f"{_FAILURE_TEXTS[kind]} {target}: {detail}"))

    def _on_page(self, evaluation: Evaluation, event: PageEvaluated | PageClosed) -> None:
        if isinstance(event, PageClosed):
            evaluation.outcome = self._page_lost(event)
        elif len(event.value) > self._flow.limits.body:
            evaluation.outcome = LimitExceeded(f"the page's value exceeds {self._flow.limits.body} characters")
        else:
            evaluation.outcome = event
        self._wait = None
        self._run()

    def _page_lost(self, event: PageClosed) -> PageLost:
        if event.kind == "closed":
            return PageLost("the page was closed too early")
        return PageLost(f"the browser could not show the page: {self._shown(event.detail) or 'no reason given'}")

    def _on_credentials(self, supplied: JsonObject) -> None:
        """Use these if the flow is about to get new ones. They are secret in any case."""
        shape = self._flow.credentials_type()
        try:
            credentials = supplied if shape is None else convert_input(supplied, shape, "credentials")
        except InvalidInput as error:
            raise LocalProtocolError(str(error)) from None
        self.secrets.add_all(credentials)
        if not self.awaits_credentials:
            return
        self._leave_wait()
        self._steps.close()
        self._flow.credentials = credentials
        self._enter(self._flow.start)
        self._run()

    # Phases and waits.

    def _enter(self, phase: Phase) -> None:
        self._phase = phase.__name__
        self._fields = encode_fields(self._flow)
        self.doubt.begin_phase()
        self.delivered.begin_phase()
        self._steps = phase()

    def _run(self) -> None:
        """Run phases until the next wait, or the end."""
        while not self._is_over:
            try:
                wait = next(self._steps)
            except StopIteration as stop:
                if stop.value is None:
                    self._phase = None
                    self._finish(None)
                else:
                    self._enter(stop.value)
            except FlowFailed as error:
                self._fail(error)
            except ModelwireError as error:
                # A request could not be built from what the server had sent.
                self._fail(RemoteProtocolError(str(error)))
            else:
                self._begin_wait(wait)
                return

    def _begin_wait(self, wait: Wait) -> None:
        if self.now >= self.end_of_time:
            self._fail(self._out_of_time())
            return
        self._wait = wait
        match wait:
            case Pause():
                wait.until = min(wait.until, self.end_of_time)
                self._batch.append(Sleep(wait.until))
            case Evaluation():
                # Only the whole flow's time bounds it: a person may take long.
                self.request_id += 1
                self._deadline = self.end_of_time
                self._batch.append(Evaluate(self.request_id, wait.script, self._deadline))
            case Attempt():
                self.request_id += 1
                self.delivered.begin_attempt()
                self.doubt.begin_attempt(is_repeatable=wait.request.repeatable)
                self._extend_deadline()
                self._batch.append(SendRequest(self.request_id, wait.request, self._deadline))
            case _:
                assert_never(wait)

    def _extend_deadline(self) -> None:
        """Allow `limits.idle` seconds from now: at the sending, and at each piece of content."""
        # A comparison, because `min` takes as long as the rest of this, and it is done for each piece.
        deadline = self.now + self._idle
        self._deadline = deadline if deadline < self.end_of_time else self.end_of_time

    def _check_deadline(self, attempt: Attempt) -> bool:
        """End the attempt, or the flow, if its deadline has come. True if it has."""
        if self.now < self._deadline:
            return False
        if self.now >= self.end_of_time:
            self._fail(self._out_of_time())
        else:
            target = without_query(attempt.request.url)
            self._abort_with(attempt, DeadlineExceeded(f"no content came from {target} for {self._idle:g} seconds"))
        return True

    @property
    def _total(self) -> float:
        total = self._flow.limits.total
        return self._flow.default_timeout if total is None else total

    def _out_of_time(self) -> DeadlineExceeded:
        return DeadlineExceeded(self._flow.timeout_message(self._total))

    def _status_error(self, attempt: Attempt) -> FlowFailed | None:
        """The error that a status other than 2xx means, or None if the phase allows it."""
        if attempt.status in attempt.allow:
            return None
        response = Response(attempt.status, attempt.headers, bytes(attempt.body))
        return status_error(attempt.request.url, response, self.excerpt(response), self.now)

    # Ends.

    def _leave_wait(self) -> None:
        """Wait for nothing any more; a request under way is aborted."""
        if type(self._wait) is Attempt:
            self._batch.append(AbortRequest(self.request_id))
        self._wait = None

    def _abort_with(self, attempt: Attempt, error: FlowFailed | None) -> None:
        """End an attempt before its response is over: with an error, or because the answer is complete."""
        self._batch.append(AbortRequest(self.request_id))
        self._end_attempt(attempt, error)

    def _end_attempt(self, attempt: Attempt, error: FlowFailed | None) -> None:
        attempt.error = error
        self._wait = None
        self._run()

    def _fail(self, error: FlowFailed) -> None:
        self._leave_wait()
        kind, message = error.kind, printable(redact(str(error), self.secrets.values), LONGEST_MESSAGE)
        if kind == "job_failed":
            self.doubt.resolve()
        if self.doubt.exists and kind != "cancelled":
            kind = "in_doubt"
            message = f"the request may have been carried out, and was not sent again ({message})"
        self._finish(
            Failure(
                kind=kind,
                message=message,
                phase=self._phase or "",
                status=error.status,
                retry_after=error.retry_after,
                text=self.delivered.text,
                snapshot=self.snapshot(self._flow) if self.job_id and kind != "job_failed" else None,
            )
        )

    def _finish(self, failure: Failure | None) -> None:
        self._batch.append(Finished(failure))
        self._close()

    def _close(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._wait = None
        self._steps.close()
        # Without this cycle a finished flow is freed at once, and not by the garbage collector: 45 ns of 700 an event.
        del self._flow

    def _shown(self, text: str) -> str:
        return printable(redact(text, self.secrets.values))
