"""The engine: a flow is a state machine whose states are short generators.

Theory of operation. A provider is a subclass of `Flow`. Its dataclass fields are its state as JSON; its generator
methods are its states ("phases"). A phase waits with `yield from self.fetch(...)`, `self.stream(...)` or
`self.sleep(...)`, and returns the phase that follows, or None at the end. `Flow.handle` takes one event, runs the
phases until the next wait, and answers with everything there is to do and to tell, the wait last.

Three rules of a phase. End it once you learn something you would hate to lose. It may be begun again. Only fields
survive. A snapshot is the name of a phase and the fields as they were when it was entered, so nothing half done can
leak into it.

The bytes of a stream never resume a generator: they go from `handle` straight to the sink's `feed`, one call a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Self, TypeVar, assert_never, get_type_hints

import msgspec

from .commands import AbortRequest, Command, Finished, SendRequest, Sleep
from .cookies import Cookie
from .dates import parse_retry_after
from .entropy import Entropy, as_choice, as_fraction, as_uuid
from .errors import (
    EXCEPTIONS,
    Cancelled,
    DeadlineExceeded,
    Failure,
    FlowFailed,
    InDoubt,
    LimitExceeded,
    LocalProtocolError,
    ModelwireError,
    RateLimited,
    Refused,
    RemoteProtocolError,
    SnapshotError,
    StatusError,
)
from .events import (
    BodyReceived,
    Cancel,
    Event,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from .exchange import Exchange, Nap, RequestBuilder, Sink, Wait
from .http import Headers, Reply, find_header, header_size, without_query
from .limits import DEFAULT_LIMITS, Limits
from .outputs import JobAccepted, Output, Restarted, TextDelta, TextReplaced
from .redaction import explain, printable, redact
from .retry import retry_pause
from .snapshot import Snapshot, decode_snapshot, encode_snapshot

T = TypeVar("T")

# A phase: a method without arguments that waits, and returns the next phase or None at the end.
Steps = Generator[Wait, None, Any]
Phase = Callable[[], Steps]

# Fields with this metadata are not part of a snapshot: they belong to the process, not to the work.
NOT_KEPT = {"kept": False}
# Strings shorter than this say nothing about a secret, and replacing them would garble every message.
SHORTEST_SECRET = 4
# Seconds; in the year 5138. What is later was not meant as Unix time in seconds.
LATEST_TIME = 1e11
# CPython's mark of a generator function (inspect.CO_GENERATOR; `inspect` itself is too heavy to import here).
_CO_GENERATOR = 0x20


@dataclass(kw_only=True)
class Flow:
    """One piece of work with one provider, from `Start` to `Finished`, without any I/O.

    `limits` bounds what it puts up with; `credentials` are what earlier flows told in `CredentialsChanged`.
    """

    version: ClassVar[int] = 1
    default_timeout: ClassVar[float] = 600.0

    limits: Limits = field(default=DEFAULT_LIMITS, metadata=NOT_KEPT)
    credentials: Any = field(default=None, metadata=NOT_KEPT, repr=False)

    def __post_init__(self) -> None:
        self._now = 0.0
        self._handling = False
        self._started = False
        self._over = False
        self._batch: list[Command | Output] = []
        self._phase: str | None = "start"
        self._fields = b""  # as they were when the phase was entered; empty before that
        self._steps: Steps = (wait for wait in tuple[Wait, ...]())  # none so far
        self._exchange: Exchange | None = None
        self._nap: Nap | None = None
        self._request_id = 0
        self._end_of_time = 0.0  # when the whole flow must be over
        self._deadline = 0.0  # when the wait under way must be
        self._text: list[str] = []
        self._committed = False  # a piece of the exchange's content was delivered
        self._restart_due = False
        self._in_doubt = False
        self._job_accepted = False
        self._secrets: set[str] = set()
        self._draws = self._secret_draws = Entropy(b"")
        self._conceal_all(self.credentials)

    # The boundary.

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """Take one event, and answer with everything there is to do and to tell, in order.

        `now` is Unix time in seconds. At most one item is a wait (`SendRequest`, `Sleep`, `Finished`), and it is the
        last. Events after the end, events of a request that is over and events before `Start` are ignored.

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
        except BaseException:
            self._die()
            raise
        finally:
            self._handling = False
        return batch

    @property
    def deadline(self) -> float:
        """When the wait under way must be over (Unix time, seconds): deliver `Woken` by then.

        It is what the last `SendRequest` or `Sleep` said, but for a stream it moves on with each piece of content.
        """
        return self._nap.until if self._nap is not None else self._deadline

    @property
    def secrets(self) -> frozenset[str]:
        """Every string that must not be shown or recorded, as far as the flow has learnt them."""
        return frozenset(self._secrets)

    def snapshot(self) -> str:
        """The flow's state as JSON, without credentials, valid at any moment: "begin this phase again"."""
        return encode_snapshot(
            Snapshot(
                flow=type(self).__name__,
                version=self.version,
                phase=self._phase,
                fields=msgspec.Raw(self._fields or _encode_fields(self)),
                request_id=self._request_id,
                text_delivered=bool(self._text) or self._restart_due,
                in_doubt=self._in_doubt,
                job_accepted=self._job_accepted,
            )
        )

    @classmethod
    def restore(
        cls,
        data: str | bytes,
        *,
        credentials: Any = None,
        limits: Limits = DEFAULT_LIMITS,
        resend: bool = False,
    ) -> Self:
        """The flow of a snapshot, in this process or another, to be begun with a `Start` of its own.

        Its deadlines count from that `Start`. If text had been delivered, its first output is `Restarted`.

        Raises `SnapshotError` for a snapshot that is damaged, of another flow, or of another version; `InDoubt`
        when it was taken while a request that must not be repeated was on the wire, unless `resend` allows that.
        """
        snapshot = decode_snapshot(data)
        if snapshot.flow != cls.__name__:
            raise SnapshotError(f"this is a snapshot of {printable(snapshot.flow, 60)!r}, not of {cls.__name__!r}")
        if snapshot.version != cls.version:
            raise SnapshotError(
                f"this snapshot has version {snapshot.version}, and this {cls.__name__} reads version {cls.version}:"
                " continue it with the release of modelwire that wrote it"
            )
        if snapshot.phase is not None and not cls._is_phase(snapshot.phase):
            raise SnapshotError(f"{cls.__name__} has no phase {printable(snapshot.phase, 60)!r}")
        if snapshot.in_doubt and not resend:
            raise InDoubt(
                "the snapshot was taken while a request that must not be sent twice was on its way:"
                " it may have arrived. Restore with resend=True to send it again all the same"
            )
        flow = _decode_fields(cls, bytes(snapshot.fields), credentials, limits)
        flow._phase = snapshot.phase
        flow._request_id = snapshot.request_id
        flow._in_doubt = snapshot.in_doubt
        flow._restart_due = snapshot.text_delivered
        flow._job_accepted = snapshot.job_accepted
        return flow

    # What a phase uses. Those that wait are to be used with `yield from`.

    def start(self) -> Steps:
        """The first phase."""
        raise NotImplementedError("a flow begins with a phase named start")

    def fetch(self, build: RequestBuilder, *, allow: Collection[int] = ()) -> Generator[Wait, None, Reply]:
        """Wait for a whole response. `build` makes the request, anew for each try.

        A status that is not 2xx, nor one of `allow`, is a failure, as is everything else that keeps the reply from
        being whole; failures that may pass are tried again first.
        """
        exchange = yield from self._try(build, None, allow)
        return Reply(exchange.status, exchange.headers, b"".join(exchange.body))

    def stream(
        self, build: RequestBuilder, open_sink: Callable[[], Sink], *, allow: Collection[int] = ()
    ) -> Generator[Wait, None, Reply]:
        """Wait for a response whose body goes, as it comes, to a sink; each try gets a request and a sink of its own.

        After the first piece of content nothing is tried again. The reply holds a body only if its status is one of
        `allow`, which no sink gets to see.
        """
        exchange = yield from self._try(build, open_sink, allow)
        return Reply(exchange.status, exchange.headers, b"".join(exchange.body))

    def sleep(self, seconds: float) -> Generator[Wait, None, None]:
        """Wait for a time."""
        yield Nap(self._now + seconds)

    def emit(self, output: Output) -> None:
        """Tell the user something, in the batch under way."""
        kind = type(output)
        if kind is TextDelta:
            self._text.append(output.text)  # type: ignore[union-attr]
            self._committed = True
        elif kind is TextReplaced:
            self._text = [output.text]  # type: ignore[union-attr]
            self._committed = True
        elif kind is JobAccepted:
            self._job_accepted = True
        self._batch.append(output)

    @property
    def now(self) -> float:
        """Unix time in seconds, as the last event brought it; it never goes back."""
        return self._now

    def conceal(self, secret: str) -> str:
        """Keep this string out of every message from now on; returns it."""
        if len(secret) >= SHORTEST_SECRET:
            self._secrets.add(secret)
        return secret

    def excerpt(self, reply: Reply) -> str:
        """What an error reply says, fit to be shown to a person."""
        return printable(redact(explain(reply.headers, reply.body), self._secrets))

    def random_bytes(self, size: int) -> bytes:
        """Up to 32 bytes that nobody can guess who does not know the entropy."""
        return self._draws.draw(size, self._request_id)

    def nonce(self) -> str:
        """32 hexadecimal digits, never the same twice."""
        return self.random_bytes(16).hex()

    def uuid(self) -> str:
        """A random UUID (version 4)."""
        return as_uuid(self.random_bytes(16))

    def random(self) -> float:
        """A number in [0, 1)."""
        return as_fraction(self.random_bytes(7))

    def choice(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return as_choice(self.random_bytes(32), options)

    def secret_text(self, alphabet: str, length: int) -> str:
        """`length` (at most 32) characters of `alphabet` that no recording of the session can give away."""
        data = self._secret_draws.draw(32, self._request_id)
        # 256 values onto the alphabet: a bias of at most 1/256 a character, harmless at this length.
        return self.conceal("".join(alphabet[byte % len(alphabet)] for byte in data[:length]))

    # The engine.

    def _take(self, event: Event) -> None:
        """Any event but the bytes of a body."""
        exchange = self._exchange
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
        if event.kind == "connect":
            self._in_doubt = exchange.was_in_doubt
        detail = printable(redact(event.detail, self._secrets)) or "no reason given"
        target = without_query(exchange.request.url)
        self._settle(exchange, EXCEPTIONS[event.kind](f"{_FAILURE_TEXTS[event.kind]} {target}: {detail}"))

    def _enter(self, phase: Phase) -> None:
        self._phase = phase.__name__
        self._fields = _encode_fields(self)
        self._in_doubt = False
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
        self._deadline = min(self._now + self.limits.idle, self._end_of_time)

    def _wake(self) -> None:
        """The time of a wait came, or an early `Woken`, which gets the same wait again."""
        nap, exchange = self._nap, self._exchange
        if nap is not None:
            if self._now < nap.until:
                self._batch.append(Sleep(nap.until))
            else:
                self._nap = None
                self._run()
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
        return DeadlineExceeded(f"not finished within {total:g} seconds; allow more time, or try again later")

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
            if event.status < 500:
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
            exchange.body.append(data)
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
        said = self.excerpt(Reply(status, exchange.headers, b"".join(exchange.body)))
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

    def _try(
        self, build: RequestBuilder, open_sink: Callable[[], Sink] | None, allow: Collection[int]
    ) -> Generator[Wait, None, Exchange]:
        """Send until there is a response to be had, or no further try is allowed."""
        tries = 0
        while True:
            sink = None if open_sink is None else open_sink()
            exchange = Exchange(build(), sink, allow, self.limits.body)
            yield exchange
            tries += 1
            error = exchange.error
            if error is None:
                return exchange
            pause = None
            if not self._committed:
                pause = retry_pause(
                    tries=tries,
                    kind=error.kind,
                    status=error.status,
                    retry_after=error.retry_after,
                    repeatable=exchange.request.repeatable,
                    remaining=self._end_of_time - self._now,
                    jitter=self.random(),
                    limits=self.limits,
                )
            if pause is None:
                raise error
            yield Nap(self._now + pause)

    def _fail(self, error: FlowFailed) -> None:
        if self._exchange is not None:
            self._abort()
        kind, message = error.kind, redact(str(error), self._secrets)
        if self._in_doubt and kind not in ("cancelled", "job_failed"):
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
                snapshot=self.snapshot() if self._job_accepted and kind != "job_failed" else None,
            )
        )

    def _finish(self, failure: Failure | None) -> None:
        self._batch.append(Finished(failure))
        self._die()

    def _die(self) -> None:
        self._over = True
        self._exchange = self._nap = None
        self._steps.close()

    def _conceal_all(self, value: object) -> None:
        """Conceal every string in a piece of credentials: but not what everybody has, nor where a cookie belongs."""
        if isinstance(value, str):
            self.conceal(value)
        elif isinstance(value, dict):
            self._conceal_all(list(value.values()))
        elif isinstance(value, list | tuple):
            for item in value:
                self._conceal_all(item)
        elif isinstance(value, Cookie):
            self.conceal(value.value)
        elif isinstance(value, msgspec.Struct):
            for entry in msgspec.structs.fields(value):
                held = getattr(value, entry.name)
                if held != entry.default:
                    self._conceal_all(held)

    @classmethod
    def _is_phase(cls, name: str) -> bool:
        if name.startswith("_") or name in ("fetch", "stream", "sleep"):
            return False
        code = getattr(getattr(cls, name, None), "__code__", None)
        return code is not None and bool(code.co_flags & _CO_GENERATOR)


_FAILURE_TEXTS = {
    "connect": "could not connect to",
    "timeout": "no answer in time from",
    "network": "the connection broke while talking to",
    "protocol": "what came back is not HTTP from",
}


def _kept(flow: type[Flow]) -> list[Field[Any]]:
    return [entry for entry in fields(flow) if entry.metadata.get("kept", True)]


@cache
def _state_type(flow: type[Flow]) -> type[msgspec.Struct]:
    """The kept fields of a flow as a Struct, so that msgspec checks their types when they are read back."""
    hints = get_type_hints(flow)
    shape: list[tuple[str, Any]] = [
        (entry.name, entry.metadata.get("stored", hints[entry.name])) for entry in _kept(flow)
    ]
    return msgspec.defstruct(f"{flow.__name__}State", shape, kw_only=True)


def _encode_fields(flow: Flow) -> bytes:
    return msgspec.json.encode({entry.name: getattr(flow, entry.name) for entry in _kept(type(flow))})


FlowT = TypeVar("FlowT", bound=Flow)


def _decode_fields(cls: type[FlowT], data: bytes, credentials: Any, limits: Limits) -> FlowT:
    try:
        state = msgspec.json.decode(data, type=_state_type(cls))  # type: ignore[arg-type]
        init = {entry.name: getattr(state, entry.name) for entry in _kept(cls) if entry.init}
        flow = cls(credentials=credentials, limits=limits, **init)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ModelwireError) as error:
        raise SnapshotError(f"the fields of this snapshot do not fit {cls.__name__}: {error}") from None
    for entry in _kept(cls):
        if not entry.init:
            setattr(flow, entry.name, getattr(state, entry.name))
    flow._fields = data
    return flow
