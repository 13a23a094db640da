"""A transport's errors as events."""

from __future__ import annotations

from ssl import SSLError

from modelwire.errors import FlowFailed
from modelwire.events import RequestFailed, RequestFailureKind


def request_failed(
    request_id: int, error: Exception, *, is_sent: bool, kind: RequestFailureKind = "network", detail: str = ""
) -> RequestFailed:
    """An error as an event. `kind` is for an error that is neither a `TimeoutError` nor our own.

    Until a byte of the request may have left, every error is a failure to connect, and so is a deadline that passes:
    the flow has to know that nothing was sent.
    """
    if not is_sent:
        kind = "connect"
    elif isinstance(error, TimeoutError):
        kind = "timeout"
    elif isinstance(error, FlowFailed):
        kind = "network" if error.kind in ("connect", "truncated") else "protocol"
    return RequestFailed(request_id, kind, detail or error_text(error))


def error_text(error: BaseException) -> str:
    """The error as text. For a failed connection, use its cause; for TLS, skip the source line that OpenSSL adds."""
    cause = error.__cause__
    if isinstance(error, OSError) and isinstance(cause, OSError):
        return error_text(cause)
    if isinstance(error, SSLError):
        return getattr(error, "verify_message", "") or error.reason or str(error)
    if isinstance(error, TimeoutError):
        return str(error) or "timed out"
    # httpcore hides the cause of some errors, but Python keeps it as their context.
    hidden = cause or error.__context__
    if not str(error) and isinstance(hidden, Exception):
        return error_text(hidden)
    return str(error) or type(error).__name__
