"""Exceptions, all in one tree, and `Failure`, which describes a failed flow as data.

    ModelwireError
        LocalProtocolError      a method was called at the wrong time
        InvalidInput            a value of the caller is invalid: unknown model, empty prompt, bad option
            RecordingError      a recording is damaged, cut off, or of a newer release
        SnapshotError           a snapshot is damaged, or of another version
        TextRevised             `.text()` cannot continue: the server revised text that it had sent
        FlowFailed              a flow ended without its result; `.failure` is the same as data
            ConnectError, DeadlineExceeded, NetworkError, TruncatedError, RemoteProtocolError, LimitExceeded,
            StatusError (RateLimited, Refused), LoginRequiredError, PageLost, NoAnswer, JobFailed, InDoubt, Cancelled

A phase raises `FlowFailed` to end its flow. `Flow.handle` turns it into `Finished(Failure(...))`, and a driver turns
that back into the exception. Neither contains a secret.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

FailureKind = Literal[
    "connect",
    "timeout",
    "network",
    "truncated",
    "protocol",
    "limit",
    "status",
    "rate_limited",
    "refused",
    "login_required",
    "page_lost",
    "no_answer",
    "job_failed",
    "in_doubt",
    "cancelled",
]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a flow ended without its result.

    `phase` is the phase in which it failed. `status` is the HTTP status, `retry_after` the seconds that the server asks
    the client to wait, and `text` the text emitted so far. If the provider still works on a job, `snapshot` is set:
    restore it to get the result.
    """

    kind: FailureKind
    message: str
    phase: str = ""
    status: int | None = None
    retry_after: float | None = None
    text: str = ""
    snapshot: str | None = None

    def __repr__(self) -> str:
        # Answers and prompts may be long, and must not get into a log.
        text, snapshot = f"<{len(self.text)} characters>", f"<{len(self.snapshot or '')} characters>"
        return (
            f"Failure(kind={self.kind!r}, message={self.message!r}, phase={self.phase!r}, status={self.status},"
            f" retry_after={self.retry_after}, text={text}, snapshot={snapshot})"
        )

    def exception(self) -> FlowFailed:
        """The failure as the exception of its kind, not yet raised."""
        return EXCEPTIONS[self.kind](self.message, status=self.status, retry_after=self.retry_after, failure=self)


class ModelwireError(Exception):
    """Base class of all exceptions of modelwire."""


class LocalProtocolError(ModelwireError):
    """The caller used an object wrongly, for example at the wrong time."""


class InvalidInput(ModelwireError, ValueError):
    """A value that the caller supplied is invalid. The message says which one, and what would be valid."""


class RecordingError(InvalidInput):
    """A recording cannot be played: it is damaged, cut off, of a newer release, or of a flow that is not installed."""


class SnapshotError(ModelwireError, ValueError):
    """A snapshot cannot be restored: it is damaged, of another flow, or of an unsupported version."""


class TextRevised(ModelwireError):
    """The server revised text that was already delivered; `whole` is the whole answer as it is now."""

    def __init__(self, whole: str) -> None:
        super().__init__("the server revised its answer after part of it had been delivered")
        self.whole = whole


class FlowFailed(ModelwireError):
    """A flow ended without its result. `failure` says why, as data."""

    kind: ClassVar[FailureKind] = "protocol"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        failure: Failure | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.failure = failure or Failure(kind=self.kind, message=message, status=status, retry_after=retry_after)


class ConnectError(FlowFailed):
    """No connection could be made; no byte of the request was sent."""

    kind = "connect"


class DeadlineExceeded(FlowFailed):
    """The flow took too long, or the server was silent for too long."""

    kind = "timeout"


class NetworkError(FlowFailed):
    """The connection broke."""

    kind = "network"


class TruncatedError(FlowFailed):
    """The answer was cut off; `failure.text` is the part that arrived."""

    kind = "truncated"


class RemoteProtocolError(FlowFailed):
    """The server violated its protocol."""

    kind = "protocol"


class LimitExceeded(FlowFailed):
    """The server sent more than a limit allows."""

    kind = "limit"


class StatusError(FlowFailed):
    """The server responded with an HTTP status that is an error."""

    kind: ClassVar[FailureKind] = "status"


class RateLimited(StatusError):
    """The server asks the client to wait (status 429, or 503 with Retry-After); `retry_after` is in seconds."""

    kind = "rate_limited"


class Refused(StatusError):
    """The server did not accept the credentials (status 401 or 403)."""

    kind = "refused"


class LoginRequiredError(FlowFailed):
    """The provider requires a login, or a key."""

    kind = "login_required"


class PageLost(FlowFailed):
    """The page of a login is gone: the person closed it, or the browser could not show it."""

    kind = "page_lost"


class NoAnswer(FlowFailed):
    """The response was complete, but contained no answer."""

    kind = "no_answer"


class JobFailed(FlowFailed):
    """The provider accepted the job, but did not complete it."""

    kind = "job_failed"


class InDoubt(FlowFailed):
    """A request that must not be sent twice may have arrived, so it is unknown if the job exists."""

    kind = "in_doubt"


class Cancelled(FlowFailed):
    """The caller cancelled the flow."""

    kind = "cancelled"


EXCEPTIONS: dict[FailureKind, type[FlowFailed]] = {
    exception.kind: exception
    for exception in (
        ConnectError,
        DeadlineExceeded,
        NetworkError,
        TruncatedError,
        RemoteProtocolError,
        LimitExceeded,
        StatusError,
        RateLimited,
        Refused,
        LoginRequiredError,
        PageLost,
        NoAnswer,
        JobFailed,
        InDoubt,
        Cancelled,
    )
}
