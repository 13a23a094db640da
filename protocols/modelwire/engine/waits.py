"""The three things that a flow can wait for: the end of an attempt, a page's value, a moment."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from modelwire.errors import FlowFailed
from modelwire.events import PageEvaluated
from modelwire.http import Headers, Request


class Sink(Protocol):
    """The receiver of a streamed body. Each attempt gets a new one."""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes. True once the answer is complete and the rest of the body is not wanted."""
        ...

    def end(self) -> None:
        """The body ended. Raises `TruncatedError` (or another `FlowFailed`) if the answer had not."""
        ...


class Attempt:
    """One sending of one request, and its response. The engine fills it in; the phase reads it when it is over."""

    __slots__ = ("allow", "body", "error", "headers", "limit", "request", "sink", "size", "status")

    def __init__(self, request: Request, sink: Sink | None, allow: Collection[int], limit: int) -> None:
        self.request = request
        self.sink = sink
        self.allow = allow
        self.limit = limit  # bytes of body
        self.status = 0  # until the head arrives
        self.headers: Headers = ()
        self.body = bytearray()  # empty if a sink takes the body
        self.size = 0  # bytes of body so far
        self.error: FlowFailed | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Evaluation:
    """One script to evaluate in the open page, and its outcome. The engine fills it in."""

    __slots__ = ("outcome", "script")

    def __init__(self, script: str) -> None:
        self.script = script
        self.outcome: PageEvaluated | FlowFailed | None = None


class Pause:
    """A wait until a moment (Unix time, seconds)."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until


Wait = Attempt | Evaluation | Pause
RequestBuilder = Callable[[], Request]
