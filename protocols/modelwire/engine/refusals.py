"""HTTP statuses other than 2xx as errors of a flow."""

from __future__ import annotations

from modelwire.errors import FlowFailed, RateLimited, Refused, StatusError
from modelwire.formats.dates import parse_retry_after
from modelwire.http import Response, without_query


def status_error(url: str, response: Response, excerpt: str, now: float) -> FlowFailed:
    """The error for a response whose status is not 2xx. `excerpt` holds the server's words, safe to show."""
    status = response.status
    message = f"{without_query(url)} answered with status {status}" + (f": {excerpt}" if excerpt else "")
    if status < 400:
        return StatusError(f"{message} (redirects are not followed)", status=status)
    header = response.header("retry-after")
    retry_after = None if header is None else parse_retry_after(header, now)
    if status == 429 or (status == 503 and retry_after is not None):
        pause = "" if retry_after is None else f"; try again in {retry_after:g} seconds"
        return RateLimited(message + pause, status=status, retry_after=retry_after)
    if status in (401, 403):
        return Refused(message, status=status)
    return StatusError(message, status=status, retry_after=retry_after)
