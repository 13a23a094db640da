"""What went wrong with a request, in the words and kinds that a flow is told."""

from __future__ import annotations

from ssl import SSLError

from modelwire.errors import FlowFailed
from modelwire.events import RequestFailed, RequestFailureKind


def request_failed(
    request_id: int, error: Exception, *, is_sent: bool, kind: RequestFailureKind = "network", detail: str = ""
) -> RequestFailed:
    """An error as an event. `kind` is for one that is neither a `TimeoutError` nor our own.

    Until a byte of the request may have left, all is a failure to connect, a deadline that passes as well: the flow has
    to know that nothing was sent.
    """
    if not is_sent:
        kind = "connect"
    elif isinstance(error, TimeoutError):
        kind = "timeout"
    elif isinstance(error, FlowFailed):
        kind = "network" if error.kind in ("connect", "truncated") else "protocol"
    return RequestFailed(request_id, kind, detail or explain(error))


def explain(error: BaseException) -> str:
    """The reason. That for a failure to connect is what it was raised from; TLS names the line of its own source."""
    cause = error.__cause__
    if isinstance(error, OSError) and isinstance(cause, OSError):
        return explain(cause)
    if isinstance(error, SSLError):
        return getattr(error, "verify_message", "") or error.reason or str(error)
    return str(error) or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)
