"""Commands: instructions from a flow to its driver, returned by `Flow.handle`.

A flow waits for exactly one thing at a time. That wait (`SendRequest`, `Evaluate`, `Sleep` or `Finished`) is the last
item of its batch.
"""

from __future__ import annotations

import msgspec

from .errors import Failure
from .http import Request


class SendRequest(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Send this request, and deliver `Woken` at `deadline` (Unix time, seconds) even in the middle of a read.

    If the request with this id is already under way, do not send it again: the flow repeats its wait after an early
    `Woken`, perhaps with another deadline.
    """

    request_id: int
    request: Request
    deadline: float


class AbortRequest(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Abort the request and close its exchange. The flow ignores further events of it."""

    request_id: int


class OpenPage(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Show this page to a person in a browser, instead of the page that is open.

    The flow does not wait for it. If the browser does not start or the page does not load, deliver `PageClosed` for the
    next `Evaluate`.
    """

    url: str


class Evaluate(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Evaluate this JavaScript expression in the open page, and deliver `PageEvaluated` or `PageClosed`.

    Deliver `Woken` at `deadline` (Unix time, seconds) if neither came before. If the page is navigating, evaluate the
    expression in the next page. After an early `Woken`, the flow repeats its wait with the same id.
    """

    request_id: int
    script: str
    deadline: float

    def __repr__(self) -> str:
        script = f"<{len(self.script)} characters>"
        return f"Evaluate(request_id={self.request_id}, script={script}, deadline={self.deadline})"


class Sleep(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Deliver `Woken` at `until` (Unix time, seconds)."""

    until: float


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The flow has ended. `failure` says why it has no result; None after a success."""

    failure: Failure | None = None


Command = SendRequest | AbortRequest | OpenPage | Evaluate | Sleep | Finished
