"""What a flow can wait for: an answer to a request, an answer of a page, a time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from modelwire.errors import FlowFailed
from modelwire.events import PageEvaluated
from modelwire.http import Headers, Request


class Sink(Protocol):
    """Where the body of a streamed answer goes. A new one is made for each try."""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; True once the answer is complete and nothing more of the body is wanted."""
        ...

    def end(self) -> None:
        """The body ended. Raises `TruncatedError` (or another `FlowFailed`) where the answer had not."""
        ...


class Exchange:
    """One sending of one request. The engine fills it in, the phase that waits for it reads it when it is over."""

    __slots__ = ("allow", "body", "error", "headers", "limit", "request", "sink", "size", "status", "was_in_doubt")

    def __init__(self, request: Request, sink: Sink | None, allow: Collection[int], limit: int) -> None:
        self.request = request
        self.sink = sink
        self.allow = allow
        self.limit = limit  # bytes of body
        self.status = 0  # 0 until the head came
        self.headers: Headers = ()
        self.body = bytearray()  # what no sink took
        self.size = 0
        self.error: FlowFailed | None = None
        self.was_in_doubt = False  # something before it in its phase may have been carried out

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Evaluation:
    """One script in a page, and what came of it: the engine fills it in."""

    __slots__ = ("outcome", "script")

    def __init__(self, script: str) -> None:
        self.script = script
        self.outcome: PageEvaluated | FlowFailed | None = None


class Nap:
    """A wait for a time (Unix, seconds)."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until


Wait = Exchange | Evaluation | Nap
RequestBuilder = Callable[[], Request]
