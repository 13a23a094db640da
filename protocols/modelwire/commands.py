"""What to do: the commands that `Flow.handle` answers with.

A flow waits for exactly one thing at a time. The wait (`SendRequest`, `Evaluate`, `Sleep` or `Finished`) is the last
item of the batch that begins it.
"""

from __future__ import annotations

import msgspec

from .errors import Failure
from .http import Request


class SendRequest(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Send this request, and deliver `Woken` at `deadline` (Unix time, seconds) even in the middle of a read.

    A `SendRequest` with the id of the request that is already on its way asks for nothing to be sent again: an
    early `Woken` gets the same wait back, and only its deadline may have moved.
    """

    request_id: int
    request: Request
    deadline: float


class AbortRequest(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Close the exchange: nothing more of it is wanted. Events that still come from it are ignored."""

    request_id: int


class OpenPage(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Open this page in a browser, for a person to see; the page that was open is left.

    It is no wait. That the browser does not start, or the page does not load, is told in answer to the `Evaluate`
    that follows.
    """

    url: str


class Evaluate(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Evaluate this JavaScript expression in the page that is open, and answer `PageEvaluated` or `PageClosed`.

    Deliver `Woken` at `deadline` (Unix time, seconds) if neither came before. A page that is on its way to another
    one is no page yet: evaluate the script in the next. An early `Woken` gets the same wait back, under the same id.
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
    """The flow is over; `failure` says why when it did not get what it was for."""

    failure: Failure | None = None


Command = SendRequest | AbortRequest | OpenPage | Evaluate | Sleep | Finished
