"""Every exception, in one tree, and `Failure`, the same as data.

    ModelwireError
        LocalProtocolError      you called something that must not be called now
        InvalidInput            you gave a value that cannot work: unknown model, empty prompt, bad option
            RecordingError      a recording is damaged, cut off, or of a newer release
        SnapshotError           a snapshot is damaged, or another version's
        TextRevised             `.text()` cannot go on: the server took back what it had said
        FlowFailed              a flow ended without what it was for; `.failure` is the same as data
            ConnectError, DeadlineExceeded, NetworkError, TruncatedError, RemoteProtocolError, LimitExceeded,
            StatusError (RateLimited, Refused), LoginRequiredError, PageLost, NoAnswer, JobFailed, InDoubt, Cancelled

Inside a phase a `FlowFailed` ends the flow; `Flow.handle` turns it into `Finished(Failure(...))`, and a driver turns
that back into the exception. Neither holds a secret.
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
    """Why a flow ended without what it was for.

    `phase` is the state it was in. `status` is the HTTP status, `retry_after` the seconds that the server asked to be
    left alone for; `text` is what had been delivered; `snapshot` is there when a job goes on without us: restore it.
    """

    kind: FailureKind
    message: str
    phase: str = ""
    status: int | None = None
    retry_after: float | None = None
    text: str = ""
    snapshot: str | None = None

    def __repr__(self) -> str:
        # The answer and the prompt may be long, and are nobody's business in a log.
        text, snapshot = f"<{len(self.text)} characters>", f"<{len(self.snapshot or '')} characters>"
        return (
            f"Failure(kind={self.kind!r}, message={self.message!r}, phase={self.phase!r}, status={self.status},"
            f" retry_after={self.retry_after}, text={text}, snapshot={snapshot})"
        )

    def exception(self) -> FlowFailed:
        """The exception of this kind, ready to be raised."""
        return EXCEPTIONS[self.kind](self.message, status=self.status, retry_after=self.retry_after, failure=self)


class ModelwireError(Exception):
    """Everything that modelwire raises on purpose."""


class LocalProtocolError(ModelwireError):
    """The caller broke the rules of the object that it called."""


class InvalidInput(ModelwireError, ValueError):
    """A value that the caller gave cannot work; the message says which, and what would."""


class RecordingError(InvalidInput):
    """A recording cannot be played back: damaged, cut off, of a newer release, or of a flow that is not at hand."""


class SnapshotError(ModelwireError, ValueError):
    """A snapshot cannot be restored: damaged, of another flow, or of a version that this one does not read."""


class TextRevised(ModelwireError):
    """The server replaced text that was already handed out; `whole` is the answer as it now stands."""

    def __init__(self, whole: str) -> None:
        super().__init__("the server revised its answer after part of it had been delivered")
        self.whole = whole


class FlowFailed(ModelwireError):
    """A flow ended without what it was for. `failure` says why, as data."""

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
    """No connection could be made; not one byte of the request left."""

    kind = "connect"


class DeadlineExceeded(FlowFailed):
    """The flow, or the other side's silence, took longer than allowed."""

    kind = "timeout"


class NetworkError(FlowFailed):
    """The connection broke."""

    kind = "network"


class TruncatedError(FlowFailed):
    """The answer stopped before its end; `failure.text` is what came of it."""

    kind = "truncated"


class RemoteProtocolError(FlowFailed):
    """The other side sent what its protocol does not allow."""

    kind = "protocol"


class LimitExceeded(FlowFailed):
    """The other side sent more than a limit allows."""

    kind = "limit"


class StatusError(FlowFailed):
    """The server answered with an HTTP status that means no."""

    kind: ClassVar[FailureKind] = "status"


class RateLimited(StatusError):
    """The server asks to be left alone (status 429, or 503 with Retry-After); `retry_after` says for how long."""

    kind = "rate_limited"


class Refused(StatusError):
    """The server did not accept the credentials (status 401 or 403)."""

    kind = "refused"


class LoginRequiredError(FlowFailed):
    """The provider answers only those who have logged in, or who bring a key of their own."""

    kind = "login_required"


class PageLost(FlowFailed):
    """The page that was to be read is gone: the person closed it, or the browser could not show it."""

    kind = "page_lost"


class NoAnswer(FlowFailed):
    """The response was complete, and held no answer."""

    kind = "no_answer"


class JobFailed(FlowFailed):
    """The provider took the job and gave it up."""

    kind = "job_failed"


class InDoubt(FlowFailed):
    """A request that must not be sent twice may have arrived: nobody can say whether the job exists."""

    kind = "in_doubt"


class Cancelled(FlowFailed):
    """The caller asked for the end."""

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
