"""What to do: the commands that `Flow.handle` answers with.

A flow waits for exactly one thing at a time. The wait (`SendRequest`, `Sleep` or `Finished`) is the last item of
the batch that begins it.
"""

from __future__ import annotations

import msgspec

from .errors import Failure
from .http import Request


class SendRequest(msgspec.Struct, frozen=True, tag=True):
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


class Sleep(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Deliver `Woken` at `until` (Unix time, seconds)."""

    until: float


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The flow is over; `failure` says why when it did not get what it was for."""

    failure: Failure | None = None


Command = SendRequest | AbortRequest | Sleep | Finished
