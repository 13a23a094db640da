"""A flow is a state machine whose states are short generators. A provider is written with the methods of `Flow`.

A provider is a subclass of `Flow`. Its dataclass fields are its state, as JSON. Its generator methods are its states
("phases"). A phase waits with `yield from self.fetch(...)`, `self.stream(...)`, `self.evaluate(...)` or
`self.sleep(...)`, and returns the phase that follows, or None at the end. `Flow.handle` takes one event, runs the
phases until the next wait, and returns a batch: the commands and outputs, the wait last.

Three rules of a phase. End it once you learn something you would hate to lose. It may be begun again. Only fields
survive. A snapshot is the name of a phase and the fields as they were when it was entered, so nothing half done leaks
into it. `modelwire/engine/engine.py` explains the machine below.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, KeysView, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from .commands import Command, OpenPage
from .engine.engine import Engine, Phase, Steps
from .engine.entropy import as_choice, as_fraction, as_uuid
from .engine.retry import retry_pause
from .engine.snapshot import decode_fields, decode_snapshot, saved_fields, struct_of_field, validate_fields
from .engine.waits import Attempt, Evaluation, Pause, RequestBuilder, Sink, Wait
from .errors import InDoubt, ModelwireError, SnapshotError
from .events import Event, PageEvaluated
from .http import Request, Response, add_query, origin, secrets_in_query
from .json import convert_input
from .limits import DEFAULT_LIMITS, Limits
from .outputs import Output
from .redaction import printable

__all__ = ["NOT_SAVED", "Flow", "Phase", "Steps", "credentials_field"]

T = TypeVar("T")

# Fields with this metadata are not part of a snapshot: they belong to the process, not to the work.
NOT_SAVED = {"saved": False}
# CPython's flag of a generator function (inspect.CO_GENERATOR; `inspect` itself takes long to import).
_CO_GENERATOR = 0x20


def credentials_field() -> Any:
    """The field of a flow's credentials: `credentials: MyCredentials | None = credentials_field()`.

    It is not saved in snapshots, and not shown. The Struct in its annotation is the type of the credentials.
    """
    return field(default=None, metadata=NOT_SAVED, repr=False)


@dataclass(kw_only=True)
class Flow:
    """One conversation with one provider, from `Start` to `Finished`, without any I/O.

    `limits` bounds time, tries and sizes. `credentials` is what `CredentialsChanged` emitted, as it was emitted or as
    the provider's own Struct. `base_query` is the query of the base URL in `endpoints`: each request to one of their
    hosts carries it. It may hold a key, so it is not part of `endpoints`, and not saved.
    """

    version: ClassVar[int] = 1
    # Seconds for the whole flow if `limits.total` is None.
    default_timeout: ClassVar[float] = 600.0
    # The phases whose requests ask for new credentials. If other ones are supplied, the flow begins again with them.
    credential_phases: ClassVar[frozenset[str]] = frozenset()

    limits: Limits = field(default=DEFAULT_LIMITS, metadata=NOT_SAVED)
    credentials: Any = field(default=None, metadata=NOT_SAVED, repr=False)
    base_query: str = field(default="", metadata=NOT_SAVED, repr=False)

    def __post_init__(self) -> None:
        self._engine = Engine(self)
        # The engine's own methods replace these, unless a subclass overrides them: 60 ns less for each chunk, and 40 ns
        # less for each output that a sink emits, of 260 in all.
        if type(self).handle is Flow.handle:
            self.handle = self._engine.handle  # type: ignore[method-assign]
        if type(self).emit is Flow.emit:
            self.emit = self._engine.emit  # type: ignore[method-assign]
        shape = self.credentials_type()
        if self.credentials is not None and shape is not None:
            self.credentials = convert_input(self.credentials, shape, "credentials")
        validate_fields(self)
        self._engine.secrets.add_all(self.credentials)
        for secret in secrets_in_query(self.base_query):
            self.conceal(secret)

    def __copy__(self) -> Self:
        raise TypeError("a flow cannot be copied: restore another from its snapshot")

    @classmethod
    def credentials_type(cls) -> type[msgspec.Struct] | None:
        """The Struct of the credentials, from the annotation of that field; None if the flow takes none."""
        return struct_of_field(cls, "credentials")

    @classmethod
    def restore(
        cls,
        data: str | bytes,
        *,
        credentials: Any = None,
        limits: Limits = DEFAULT_LIMITS,
        base_query: str = "",
        resend: bool = False,
    ) -> Self:
        """The flow of a snapshot, in this process or another, to be begun with a `Start` of its own.

        Its deadlines count from that `Start`. If text had been delivered, its first output is `Restarted`.

        Raises `SnapshotError` for a snapshot that is damaged, of another flow, or of another version; `InDoubt`
        if it was taken while a request that must not be repeated was on the wire, unless `resend` allows that.
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
        flow = cls._of_fields(bytes(snapshot.fields), credentials, limits, base_query)
        flow._engine.restore(snapshot)
        return flow

    @classmethod
    def _of_fields(cls, data: bytes, credentials: Any, limits: Limits, base_query: str) -> Self:
        try:
            state = decode_fields(cls, data)
            init = {entry.name: getattr(state, entry.name) for entry in saved_fields(cls) if entry.init}
            flow = cls(credentials=credentials, limits=limits, base_query=base_query, **init)
        except (msgspec.DecodeError, UnicodeError, RecursionError, ModelwireError) as error:
            reason = printable(str(error), 300)
            raise SnapshotError(f"the fields of this snapshot do not fit {cls.__name__}: {reason}") from None
        for entry in saved_fields(cls):
            if not entry.init:
                setattr(flow, entry.name, getattr(state, entry.name))
        return flow

    # For drivers.

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """Take one event, and return a batch: everything that there is to do and to show, in order.

        `now` is Unix time in seconds. At most one item is a wait (`SendRequest`, `Evaluate`, `Sleep`, `Finished`),
        and it is the last. Events after the end, events of a request that is over and, but for `Cancel`, events
        before `Start` are ignored.

        Raises `LocalProtocolError` if called from inside itself or with an impossible `now`; never for anything that
        the server sent.
        """
        return self._engine.handle(event, now)

    @property
    def deadline(self) -> float:
        """The moment (Unix time, seconds) by which the current wait must end: deliver `Woken` by then.

        It is the one of the last `SendRequest`, `Evaluate` or `Sleep`, but for a stream each piece of content moves
        it on.
        """
        return self._engine.deadline

    @property
    def awaits_credentials(self) -> bool:
        """True if the current wait is for new credentials.

        A driver that shares credentials first checks whether another flow has new ones: `CredentialsReplaced` hands
        them over.
        """
        return self._engine.awaits_credentials

    @property
    def job_id(self) -> str | None:
        """The provider's name for the job that it has accepted, or None."""
        return self._engine.job_id or None

    @property
    def secrets(self) -> KeysView[str]:
        """A copy of every string that must not be shown or recorded, in the order in which the flow learnt them."""
        return dict.fromkeys(self._engine.secrets.values).keys()

    def snapshot(self) -> str:
        """The flow's state as JSON, without credentials, valid at any moment: "begin this phase again"."""
        return self._engine.snapshot(self)

    # For phases. The methods that wait are used with `yield from`.

    def start(self) -> Steps:
        """The first phase."""
        raise NotImplementedError("a flow begins with a phase named start")

    def fetch(self, build: RequestBuilder, *, allow: Collection[int] = ()) -> Generator[Wait, None, Response]:
        """Wait for a whole response. `build` makes the request, a new one for each attempt.

        A status that is not 2xx, nor one of `allow`, is a failure, and so is a response that is not whole. Failures
        that may pass are retried first.
        """
        attempt = yield from self._try(build, None, allow)
        return Response(attempt.status, attempt.headers, bytes(attempt.body))

    def stream(
        self,
        build: RequestBuilder,
        open_sink: Callable[[], Sink],
        *,
        allow: Collection[int] = (),
        limit: int | None = None,
    ) -> Generator[Wait, None, Response]:
        """Wait for a response whose body goes, as it arrives, to a sink. Each attempt has its own request and sink.

        After the first piece of content nothing is retried. The response holds a body only if its status is one of
        `allow`; such a body goes to no sink. `limit` is bytes of body; by default `limits.body`.
        """
        attempt = yield from self._try(build, open_sink, allow, limit)
        return Response(attempt.status, attempt.headers, bytes(attempt.body))

    def open_page(self, url: str) -> None:
        """Open a page in a browser, for a person to see. Its contents are read with `evaluate`.

        Raises `InvalidInput` for a URL that is not http(s).
        """
        self._engine.command(OpenPage(Request(method="GET", url=url).url))

    def evaluate(self, script: str) -> Generator[Wait, None, PageEvaluated]:
        """Wait for the value of a JavaScript expression in the open page, with the cookies of the page's host.

        Raises `PageLost` if there is no such page, or no longer.
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
        yield Pause(self.now + seconds)

    def emit(self, output: Output) -> None:
        """Emit an output, in the current batch."""
        self._engine.emit(output)

    @property
    def now(self) -> float:
        """Unix time in seconds, from the latest event. It never goes back."""
        return self._engine.now

    def timeout_message(self, seconds: float) -> str:
        """The message of a flow that did not finish within its time."""
        return f"not finished within {seconds:g} seconds; allow more time, or try again later"

    def excerpt(self, response: Response) -> str:
        """The words of an error response, safe to show to a person."""
        return self._engine.excerpt(response)

    def conceal(self, secret: str) -> str:
        """Hide this string from every message and recording from now on; returns it."""
        self._engine.secrets.add(secret)
        return secret

    def random_bytes(self, size: int) -> bytes:
        """Up to 32 bytes that nobody can guess without the entropy of `Start`."""
        return self._engine.draws.draw(size, self._engine.request_id)

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
        """`length` (at most 32) characters of `alphabet` that no recording of the session reveals."""
        data = self._engine.secret_draws.draw(32, self._engine.request_id)
        # 256 values onto the alphabet: a bias of at most 1/256 a character, harmless at this length.
        return self.conceal("".join(alphabet[byte % len(alphabet)] for byte in data[:length]))

    def _try(
        self,
        build: RequestBuilder,
        open_sink: Callable[[], Sink] | None,
        allow: Collection[int],
        limit: int | None = None,
    ) -> Generator[Wait, None, Attempt]:
        """Send the request, retrying as `retry_pause` allows."""
        tries = 0
        while True:
            sink = None if open_sink is None else open_sink()
            attempt = Attempt(self._completed(build()), sink, allow, limit or self.limits.body)
            yield attempt
            tries += 1
            error = attempt.error
            if error is None:
                return attempt
            pause = None
            if not self._engine.delivered.is_committed:
                pause = retry_pause(
                    tries=tries,
                    kind=error.kind,
                    status=error.status,
                    retry_after=error.retry_after,
                    repeatable=attempt.request.repeatable,
                    remaining=self._engine.end_of_time - self.now,
                    jitter=self.random(),
                    limits=self.limits,
                )
            if pause is None:
                raise error
            yield Pause(self.now + pause)

    def _completed(self, request: Request) -> Request:
        """The request with the flow's own silence, unless the provider set another, and with the base URL's query."""
        timeout = self.limits.silence if request.timeout is None else request.timeout
        url = request.url
        if self.base_query and self._is_own_host(url):
            url = add_query(url, self.base_query)
        return msgspec.structs.replace(request, timeout=timeout, url=url)

    def _is_own_host(self, url: str) -> bool:
        endpoints = getattr(self, "endpoints", None)
        if not isinstance(endpoints, msgspec.Struct):
            return False
        hosts = (value for value in msgspec.structs.asdict(endpoints).values() if value.startswith(("http:", "https:")))
        return origin(url) in map(origin, hosts)

    @classmethod
    def _is_phase(cls, name: str) -> bool:
        if name.startswith("_") or name in ("fetch", "stream", "evaluate", "sleep"):
            return False
        code = getattr(getattr(cls, name, None), "__code__", None)
        return code is not None and bool(code.co_flags & _CO_GENERATOR) and code.co_argcount == 1
