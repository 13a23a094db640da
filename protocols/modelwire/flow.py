"""A flow is a state machine whose states are short generators; this is what they are written with.

Theory of operation. A provider is a subclass of `Flow`. Its dataclass fields are its state as JSON; its generator
methods are its states ("phases"). A phase waits with `yield from self.fetch(...)`, `self.stream(...)`,
`self.evaluate(...)` or `self.sleep(...)`, and returns the phase that follows, or None at the end. `Flow.handle` takes
one event, runs the phases until the next wait, and answers with everything there is to do and to tell, the wait last.

Three rules of a phase. End it once you learn something you would hate to lose. It may be begun again. Only fields
survive. A snapshot is the name of a phase and the fields as they were when it was entered, so nothing half done can
leak into it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, KeysView, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from .commands import OpenPage
from .engine.engine import Engine, Phase, Steps
from .engine.entropy import as_choice, as_fraction, as_uuid
from .engine.fields import decode_fields, saved_fields, validate_fields
from .engine.retry import retry_pause
from .engine.snapshot import decode_snapshot
from .engine.waits import Evaluation, Exchange, Nap, RequestBuilder, Sink, Wait
from .errors import InDoubt, InvalidInput, LocalProtocolError, ModelwireError, SnapshotError
from .events import CredentialsReplaced, Event, PageEvaluated
from .formats.cookies import Cookie
from .http import Request, Response
from .json import JsonObject, convert_input
from .limits import DEFAULT_LIMITS, Limits
from .outputs import JobAccepted, Output, TextDelta, TextReplaced
from .redaction import SHORTEST_SECRET, printable

__all__ = ["NOT_SAVED", "Flow", "Phase", "Steps"]

T = TypeVar("T")

# Fields with this metadata are not part of a snapshot: they belong to the process, not to the work.
NOT_SAVED = {"kept": False}
# CPython's mark of a generator function (inspect.CO_GENERATOR; `inspect` itself is too heavy to import here).
_CO_GENERATOR = 0x20


@dataclass(kw_only=True)
class Flow(Engine):
    """One piece of work with one provider, from `Start` to `Finished`, without any I/O.

    `limits` bounds what it puts up with; `credentials` are what earlier flows told in `CredentialsChanged`, as they
    told it or as the provider's own Struct.
    """

    limits: Limits = field(default=DEFAULT_LIMITS, metadata=NOT_SAVED)
    credentials: Any = field(default=None, metadata=NOT_SAVED, repr=False)
    credentials_type: ClassVar[type[msgspec.Struct] | None] = None

    def __post_init__(self) -> None:
        self._reset()
        if self.credentials is not None and self.credentials_type is not None:
            self.credentials = convert_input(self.credentials, self.credentials_type, "credentials")
        validate_fields(self)
        self._conceal_all(self.credentials)

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
        flow = cls._of_fields(bytes(snapshot.fields), credentials, limits)
        flow._phase = snapshot.phase
        flow._request_id = snapshot.request_id
        flow._in_doubt = flow._doubt_before = snapshot.in_doubt
        flow._restart_due = snapshot.text_delivered
        flow._job_id = snapshot.job_id
        return flow

    @classmethod
    def _of_fields(cls, data: bytes, credentials: Any, limits: Limits) -> Self:
        try:
            state = decode_fields(cls, data)
            init = {entry.name: getattr(state, entry.name) for entry in saved_fields(cls) if entry.init}
            flow = cls(credentials=credentials, limits=limits, **init)
        except (msgspec.DecodeError, UnicodeError, RecursionError, ModelwireError) as error:
            what = printable(str(error), 300)
            raise SnapshotError(f"the fields of this snapshot do not fit {cls.__name__}: {what}") from None
        for entry in saved_fields(cls):
            if not entry.init:
                setattr(flow, entry.name, getattr(state, entry.name))
        return flow

    @property
    def secrets(self) -> KeysView[str]:
        """Every string that must not be shown or recorded, in the order in which the flow has learnt them."""
        return dict(self._secrets).keys()

    # What a phase uses. Those that wait are to be used with `yield from`.

    def start(self) -> Steps:
        """The first phase."""
        raise NotImplementedError("a flow begins with a phase named start")

    def fetch(self, build: RequestBuilder, *, allow: Collection[int] = ()) -> Generator[Wait, None, Response]:
        """Wait for a whole response. `build` makes the request, anew for each try.

        A status that is not 2xx, nor one of `allow`, is a failure, as is everything else that keeps the reply from
        being whole; failures that may pass are tried again first.
        """
        exchange = yield from self._try(build, None, allow)
        return Response(exchange.status, exchange.headers, bytes(exchange.body))

    def stream(
        self,
        build: RequestBuilder,
        open_sink: Callable[[], Sink],
        *,
        allow: Collection[int] = (),
        limit: int | None = None,
    ) -> Generator[Wait, None, Response]:
        """Wait for a response whose body goes, as it comes, to a sink; each try gets a request and a sink of its own.

        After the first piece of content nothing is tried again. The reply holds a body only if its status is one of
        `allow`, which no sink gets to see. `limit` is bytes of body; by default `limits.body`.
        """
        exchange = yield from self._try(build, open_sink, allow, limit)
        return Response(exchange.status, exchange.headers, bytes(exchange.body))

    def open_page(self, url: str) -> None:
        """Have a page opened in a browser, for a person to see; what it holds is read with `evaluate`.

        Raises `InvalidInput` for what is no http(s) URL.
        """
        self._batch.append(OpenPage(Request(method="GET", url=url).url))

    def evaluate(self, script: str) -> Generator[Wait, None, PageEvaluated]:
        """Wait for what a JavaScript expression comes to in the open page, with the cookies of the page's host.

        That there is no such page, or no longer, raises `PageLost`.
        """
        evaluation = Evaluation(script)
        yield evaluation
        outcome = evaluation.outcome
        if not isinstance(outcome, PageEvaluated):
            assert outcome is not None
            raise outcome
        for cookie in outcome.cookies:
            self.conceal(cookie.value)
        return outcome

    def sleep(self, seconds: float) -> Generator[Wait, None, None]:
        """Wait for a time."""
        yield Nap(self._now + seconds)

    def emit(self, output: Output) -> None:
        """Tell the user something, in the batch under way."""
        kind = type(output)
        if kind is TextDelta:
            self._text.append(output.text)  # type: ignore[union-attr]
            self._committed = self._phase_has_text = True
        elif kind is TextReplaced:
            self._text = [output.text]  # type: ignore[union-attr]
            self._committed = self._phase_has_text = True
        elif kind is JobAccepted:
            self._in_doubt = self._doubt_before = False
            self._job_id = output.job_id  # type: ignore[union-attr]
        self._batch.append(output)

    @property
    def now(self) -> float:
        """Unix time in seconds, as the last event brought it; it never goes back."""
        return self._now

    def conceal(self, secret: str) -> str:
        """Keep this string out of every message from now on; returns it."""
        if len(secret) >= SHORTEST_SECRET:
            self._secrets[secret] = None
        return secret

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

    def _try(
        self,
        build: RequestBuilder,
        open_sink: Callable[[], Sink] | None,
        allow: Collection[int],
        limit: int | None = None,
    ) -> Generator[Wait, None, Exchange]:
        """Send until there is a response to be had, or no further try is allowed."""
        tries = 0
        while True:
            sink = None if open_sink is None else open_sink()
            exchange = Exchange(build(), sink, allow, limit or self.limits.body)
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
            for entry in _fields_of(type(value)):
                held = getattr(value, entry.name)
                if held != entry.default:
                    self._conceal_all(held)

    def _take(self, event: Event) -> None:
        if isinstance(event, CredentialsReplaced):
            self._replace_credentials(event.credentials)
        else:
            super()._take(event)

    def _replace_credentials(self, given: JsonObject) -> None:
        """Go on with these, if new ones are wanted. They are secret in any case."""
        shape = self.credentials_type
        try:
            credentials = given if shape is None else convert_input(given, shape, "credentials")
        except InvalidInput as error:
            raise LocalProtocolError(str(error)) from None
        self._conceal_all(credentials)
        if not self.awaits_credentials:
            return
        if self._exchange is not None:
            self._abort()
        self._exchange = self._nap = None
        self._steps.close()
        self.credentials = credentials
        self._enter(self.start)
        self._run()

    @classmethod
    def _is_phase(cls, name: str) -> bool:
        if name.startswith("_") or name in ("fetch", "stream", "evaluate", "sleep"):
            return False
        code = getattr(getattr(cls, name, None), "__code__", None)
        return code is not None and bool(code.co_flags & _CO_GENERATOR) and code.co_argcount == 1


@cache
def _fields_of(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    # msgspec reads all annotations anew each time.
    return msgspec.structs.fields(shape)
