"""The machine under every flow: what it does with each event, and when it gives up waiting.

Phases are its programme: generators that yield what they wait for, an `Exchange`, an `Evaluation` or a `Nap`. The
engine turns a wait into a command, takes the events that come of it, and resumes the phase when the wait is over. The
bytes of a stream never resume a generator: they go from `handle` straight to the sink's `feed`, one call a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar, assert_never

import msgspec

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, SendRequest, Sleep
from modelwire.errors import (
    EXCEPTIONS,
    Cancelled,
    DeadlineExceeded,
    Failure,
    FlowFailed,
    LimitExceeded,
    LocalProtocolError,
    ModelwireError,
    PageLost,
    RateLimited,
    Refused,
    RemoteProtocolError,
    StatusError,
)
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
from modelwire.formats.dates import parse_retry_after
from modelwire.http import Headers, Response, find_header, header_size, without_query
from modelwire.limits import LATEST_TIME, Limits
from modelwire.outputs import Output, Restarted
from modelwire.redaction import explain, printable, redact

from .entropy import Entropy
from .fields import encode_fields
from .snapshot import Snapshot, encode_snapshot
from .waits import Evaluation, Exchange, Nap, Wait

# A phase: a method without arguments that waits, and returns the next phase or None at the end.
Steps = Generator[Wait, None, Any]
Phase = Callable[[], Steps]

# Characters of a failure's message. Part of it may be what the service said, or the names of what it has.
LONGEST_MESSAGE = 1000

_FAILURE_TEXTS = {
    "connect": "could not connect to",
    "timeout": "no answer in time from",
    "network": "the connection broke while talking to",
    "protocol": "what came back is not HTTP from",
}


class Engine:
    """The state of one flow that is not its fields, and what events do to it."""

    version: ClassVar[int] = 1
    default_timeout: ClassVar[float] = 600.0
    # The phases whose requests are for new credentials. Given other ones instead, a flow goes on from its first phase.
    credential_phases: ClassVar[frozenset[str]] = frozenset()

    limits: Limits

    def _reset(self) -> None:
        """Before `Start`."""
        self._now = 0.0
        self._handling = False
        self._started = False
        self._over = False
        self._batch: list[Command | Output] = []
        self._phase: str | None = "start"
        self._fields = b""  # as they were when the phase was entered; empty before that
        self._steps: Steps = (wait for wait in tuple[Wait, ...]())  # none so far
        self._exchange: Exchange | None = None
        self._evaluation: Evaluation | None = None
        self._nap: Nap | None = None
        self._request_id = 0
        self._end_of_time = 0.0  # when the whole flow must be over
        self._deadline = 0.0  # when the wait under way must be
        self._text: list[str] = []
        self._committed = False  # a piece of the exchange's content was delivered
        self._restart_due = False
        self._in_doubt = False
        self._doubt_before = False  # another process sent what must not be repeated, and nobody knows what became of it
        self._phase_has_text = False
        self._job_id = ""  # what the provider calls the job that it has taken
        self._secrets: dict[str, None] = {}  # a set that keeps its order
        self._draws = self._secret_draws = Entropy(b"")

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """Take one event, and answer with everything there is to do and to tell, in order.

        `now` is Unix time in seconds. At most one item is a wait (`SendRequest`, `Evaluate`, `Sleep`, `Finished`),
        and it is the last. Events after the end, events of a request that is over and, but for `Cancel`, events
        before `Start` are ignored.

        Raises `LocalProtocolError` when called from inside itself or with a `now` that is no time; never for
        anything that the other side sent.
        """
        if self._handling:
            raise LocalProtocolError("handle() was called again before it returned: give it one event at a time")
        if not 0 <= now < LATEST_TIME:
            raise LocalProtocolError("now must be Unix time in seconds, a finite number that is not negative")
        self._handling = True
        batch: list[Command | Output] = []
        self._batch = batch
        try:
            if now > self._now:
                self._now = now
            if type(event) is BodyReceived:
                exchange = self._exchange
                if exchange is not None and event.request_id == self._request_id and exchange.status:
                    self._receive(exchange, event.data)
            elif not self._over:
                self._take(event)
        except LocalProtocolError:
            raise
        except BaseException:
            self._die()
            raise
        finally:
            self._handling = False
        return batch

    @property
    def deadline(self) -> float:
        """When the wait under way must be over (Unix time, seconds): deliver `Woken` by then.

        It is what the last `SendRequest`, `Evaluate` or `Sleep` said, but for a stream it moves on with each piece of
        content.
        """
        return self._nap.until if self._nap is not None else self._deadline

    @property
    def awaits_credentials(self) -> bool:
        """Whether what it waits for is to bring new credentials.

        Whoever shares them sees first whether somebody else has new ones: `CredentialsReplaced` hands these over.
        """
        return self._started and not self._over and self._phase in self.credential_phases

    @property
    def job_id(self) -> str | None:
        """What the provider calls the job that it has taken, or None while it has taken none."""
        return self._job_id or None

    def snapshot(self) -> str:
        """The flow's state as JSON, without credentials, valid at any moment: "begin this phase again"."""
        return encode_snapshot(
            Snapshot(
                flow=type(self).__name__,
                version=self.version,
                phase=self._phase,
                fields=msgspec.Raw(self._fields or encode_fields(self)),
                request_id=self._request_id,
                text_delivered=self._phase_has_text or self._restart_due,
                in_doubt=self._in_doubt,
                job_id=self._job_id,
            )
        )

    def _take(self, event: Event) -> None:
        """Any event but the bytes of a body."""
        exchange, evaluation = self._exchange, self._evaluation
        match event:
            case Start():
                if not self._started:
                    self._begin(event)
            case Cancel():
                self._fail(Cancelled("cancelled by the caller"))
            case Woken():
                self._wake()
            case ResponseStarted() | ResponseEnded() | RequestFailed():
                # Anything else is stale: its request is over.
                if exchange is not None and event.request_id == self._request_id:
                    self._take_response(exchange, event)
            case PageEvaluated() | PageClosed():
                if evaluation is not None and event.request_id == self._request_id:
                    self._take_page(evaluation, event)
            case _:
                raise LocalProtocolError(f"{type(event).__name__} is not an event")

    def _take_response(self, exchange: Exchange, event: ResponseStarted | ResponseEnded | RequestFailed) -> None:
        match event:
            case ResponseStarted():
                self._receive_head(exchange, event)
            case ResponseEnded():
                self._receive_end(exchange)
            case RequestFailed():
                self._receive_failure(exchange, event)
            case _:
                assert_never(event)

    def _take_page(self, evaluation: Evaluation, event: PageEvaluated | PageClosed) -> None:
        if isinstance(event, PageClosed):
            evaluation.outcome = self._lost(event)
        elif len(event.value) > self.limits.body:
            evaluation.outcome = LimitExceeded(f"what the page holds exceeds {self.limits.body} characters")
        else:
            evaluation.outcome = event
        self._evaluation = None
        self._run()

    def _lost(self, event: PageClosed) -> PageLost:
        if event.kind == "closed":
            return PageLost("the page was closed too early")
        detail = printable(redact(event.detail, self._secrets)) or "no reason given"
        return PageLost(f"the browser could not show the page: {detail}")

    def _begin(self, event: Start) -> None:
        self._started = True
        self._draws = Entropy(event.entropy)
        self._secret_draws = Entropy(event.secret_entropy or b"secret:" + event.entropy)
        total = self.limits.total if self.limits.total is not None else self.default_timeout
        self._end_of_time = self._now + total
        if self._phase is None:
            # Nothing will be sent again: the text that was shown stays.
            self._finish(None)
            return
        if self._restart_due:
            self._restart_due = False
            self._batch.append(Restarted())
        self._enter(getattr(self, self._phase))
        self._run()

    def _receive_failure(self, exchange: Exchange, event: RequestFailed) -> None:
        if exchange.status and not exchange.is_success:
            # A reply that says no was cut off: it has said no all the same.
            self._settle(exchange, self._refusal(exchange))
            return
        kind = event.kind
        if kind == "connect":
            # Whoever has had an answer has had a connection.
            kind = "network" if exchange.status else kind
            self._in_doubt = self._in_doubt if exchange.status else exchange.was_in_doubt
        detail = printable(redact(event.detail, self._secrets)) or "no reason given"
        target = without_query(exchange.request.url)
        self._settle(exchange, EXCEPTIONS[kind](f"{_FAILURE_TEXTS[kind]} {target}: {detail}"))

    def _enter(self, phase: Phase) -> None:
        self._phase = phase.__name__
        self._fields = encode_fields(self)
        self._in_doubt = self._doubt_before
        self._phase_has_text = False
        self._steps = phase()

    def _run(self) -> None:
        """Run phases until the next wait, or the end."""
        while not self._over:
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
                # A request could not be built from what the other side had sent.
                self._fail(RemoteProtocolError(str(error)))
            else:
                self._wait_for(wait)
                return

    def _wait_for(self, wait: Wait) -> None:
        if self._now >= self._end_of_time:
            self._fail(self._out_of_time())
        elif isinstance(wait, Nap):
            wait.until = min(wait.until, self._end_of_time)
            self._nap = wait
            self._batch.append(Sleep(wait.until))
        elif isinstance(wait, Evaluation):
            # A page has no silence: a person takes as long as it takes.
            self._request_id += 1
            self._evaluation = wait
            self._deadline = self._end_of_time
            self._batch.append(Evaluate(self._request_id, wait.script, self._deadline))
        else:
            self._request_id += 1
            self._exchange = wait
            self._committed = False
            wait.was_in_doubt = self._in_doubt
            self._in_doubt = self._in_doubt or not wait.request.repeatable
            self._extend()
            self._batch.append(SendRequest(self._request_id, wait.request, self._deadline))

    def _extend(self) -> None:
        """The clock of the content starts anew: at the sending, and at each piece."""
        # Once for each piece of content: `min` takes as long as all the rest of this.
        deadline = self._now + self.limits.idle
        self._deadline = deadline if deadline < self._end_of_time else self._end_of_time

    def _wake(self) -> None:
        """The time of a wait came, or an early `Woken`, which gets the same wait again."""
        nap, exchange, evaluation = self._nap, self._exchange, self._evaluation
        if nap is not None:
            if self._now < nap.until:
                self._batch.append(Sleep(nap.until))
            else:
                self._nap = None
                self._run()
        elif evaluation is not None:
            if self._now < self._end_of_time:
                self._batch.append(Evaluate(self._request_id, evaluation.script, self._deadline))
            else:
                self._fail(self._out_of_time())
        elif exchange is not None and not self._expire(exchange):
            self._batch.append(SendRequest(self._request_id, exchange.request, self._deadline))

    def _expire(self, exchange: Exchange) -> bool:
        """Whether the exchange's time is over; if so, end it."""
        if self._now < self._deadline:
            return False
        if self._now >= self._end_of_time:
            self._fail(self._out_of_time())
        else:
            target = without_query(exchange.request.url)
            silence = f"nothing of use came from {target} for {self.limits.idle:g} seconds"
            self._abort()
            self._settle(exchange, DeadlineExceeded(silence))
        return True

    def _out_of_time(self) -> DeadlineExceeded:
        total = self.limits.total if self.limits.total is not None else self.default_timeout
        return DeadlineExceeded(self.timeout_message(total))

    def timeout_message(self, seconds: float) -> str:
        """What is said when the flow's whole time, so many seconds, is over."""
        return f"not finished within {seconds:g} seconds; allow more time, or try again later"

    def _receive_head(self, exchange: Exchange, event: ResponseStarted) -> None:
        if exchange.status:
            return
        if len(event.headers) > self.limits.headers or header_size(event.headers) > self.limits.head:
            self._break_off(exchange, LimitExceeded("the head of the response exceeds its limits"))
            return
        if not 200 <= event.status <= 599:
            self._break_off(exchange, RemoteProtocolError(f"{event.status} is no status of a final response"))
            return
        exchange.status = event.status
        exchange.headers = event.headers
        if not exchange.is_success:
            exchange.sink = None
            exchange.limit = self.limits.error_body
            if 400 <= event.status < 500:
                self._in_doubt = exchange.was_in_doubt
        self._expire(exchange)

    def _receive(self, exchange: Exchange, data: bytes) -> None:
        """Bytes of the body: the hot path."""
        exchange.size += len(data)
        excess = exchange.size - exchange.limit
        if excess > 0:
            data = data[: len(data) - excess] if excess < len(data) else b""
        sink = exchange.sink
        if sink is None:
            exchange.body += data
            if excess > 0:
                self._overflow(exchange)
            elif self._now >= self._deadline:
                self._expire(exchange)
            return
        batch = self._batch
        try:
            complete = sink.feed(data)
        except FlowFailed as error:
            self._break_off(exchange, error)
            return
        if batch:
            self._extend()
        if complete:
            self._abort()
            self._settle(exchange, None)
        elif excess > 0:
            self._overflow(exchange)
        elif self._now >= self._deadline:
            self._expire(exchange)

    def _overflow(self, exchange: Exchange) -> None:
        """The body is over its limit. Of a reply that says no, what came is enough to tell why."""
        if exchange.is_success:
            self._break_off(exchange, LimitExceeded(f"the body of the response exceeds {exchange.limit} bytes"))
        else:
            self._abort()
            self._settle(exchange, self._refusal(exchange))

    def _receive_end(self, exchange: Exchange) -> None:
        error: FlowFailed | None = None
        if not exchange.status:
            error = RemoteProtocolError("the response ended before it began")
        elif not exchange.is_success:
            error = self._refusal(exchange)
        elif exchange.sink is not None:
            try:
                exchange.sink.end()
            except FlowFailed as failed:
                error = failed
        self._settle(exchange, error)

    def _refusal(self, exchange: Exchange) -> FlowFailed | None:
        """What a status other than 2xx comes to."""
        status = exchange.status
        if status in exchange.allow:
            return None
        said = self.excerpt(Response(status, exchange.headers, bytes(exchange.body)))
        message = f"{without_query(exchange.request.url)} answered with status {status}" + (f": {said}" if said else "")
        if status < 400:
            return StatusError(f"{message} (redirects are not followed)", status=status)
        retry_after = self._retry_after(exchange.headers)
        if status == 429 or (status == 503 and retry_after is not None):
            pause = "" if retry_after is None else f"; it asks to be left alone for {retry_after:g} seconds"
            return RateLimited(message + pause, status=status, retry_after=retry_after)
        if status in (401, 403):
            return Refused(message, status=status)
        return StatusError(message, status=status, retry_after=retry_after)

    def _retry_after(self, headers: Headers) -> float | None:
        value = find_header(headers, "retry-after")
        return None if value is None else parse_retry_after(value, self._now)

    def _break_off(self, exchange: Exchange, error: FlowFailed) -> None:
        self._abort()
        self._settle(exchange, error)

    def _abort(self) -> None:
        self._batch.append(AbortRequest(self._request_id))

    def _settle(self, exchange: Exchange, error: FlowFailed | None) -> None:
        """The exchange is over: let the phase that waits for it go on."""
        exchange.error = error
        self._exchange = None
        self._run()

    def _fail(self, error: FlowFailed) -> None:
        if self._exchange is not None:
            self._abort()
        kind, message = error.kind, printable(redact(str(error), self._secrets), LONGEST_MESSAGE)
        if kind == "job_failed":
            self._in_doubt = False  # the service has said what became of it
        if self._in_doubt and kind != "cancelled":
            kind = "in_doubt"
            message = f"the request may have been carried out, and was not sent again ({message})"
        self._finish(
            Failure(
                kind=kind,
                message=message,
                phase=self._phase or "",
                status=error.status,
                retry_after=error.retry_after,
                text="".join(self._text),
                snapshot=self.snapshot() if self._job_id and kind != "job_failed" else None,
            )
        )

    def _finish(self, failure: Failure | None) -> None:
        self._batch.append(Finished(failure))
        self._die()

    def _die(self) -> None:
        self._over = True
        self._exchange = self._evaluation = self._nap = None
        self._steps.close()

    def excerpt(self, response: Response) -> str:
        """What an error reply says, fit to be shown to a person."""
        # Twice: what was escaped in JSON is plain only after it was read.
        return printable(redact(explain(response.headers, response.body, self._secrets), self._secrets))
