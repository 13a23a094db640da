"""What may happen on a stage, in tables: a move is one call of a method of `Stage`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import methodcaller as move
from typing import TypeVar

from hypothesis import strategies as st

from modelwire.events import BodyReceived, Cancel, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.testing.stage import Stage
from modelwire.testing.wire import Answer

from .hostile import BODIES, HEADERS

T = TypeVar("T")
Move = Callable[[Stage], object]

# What a flow must bear without any harm.
GENTLE: list[Move] = [
    *[move("go_on")] * 6,
    *[move("go_on", size) for size in (0, 1, 2, 7, 50, 500)],
    move("stale"),
    move("wake"),
    move("pass_time", 0.5),
]
CRASHING: list[Move] = [*GENTLE, *[move("crash")] * 3]

# What it may bear once or twice, and what ends it.
FAULTS: list[Move] = [
    move("fail", "connect"),
    *[move("fail", kind, arrives) for kind in ("timeout", "network", "protocol") for arrives in (False, True)],
    *[move("refuse", status, retry_after) for status in (429, 503) for retry_after in (None, "1", "60")],
    move("refuse", 503, "1", True),
    move("refuse", 500, None, True),
    move("refuse", 429, "Tue, 14 Nov 2023 22:13:27 GMT"),
    move("refuse", 429, "100000"),
    *[move("refuse", status) for status in (302, 400, 401, 403, 404, 408)],
    move("oversleep"),
    move("oversleep", 0.5),
    move("oversleep", 700.0),
    *[move("pass_time", seconds) for seconds in (5.0, 130.0, 4000.0, -50.0)],
    move("forget"),
    move("share"),
    move("cancel"),
]
# Any event. The ids of requests are counted from the last that was sent.
EVENTS: list[Event] = [
    Start(b""),
    Woken(),
    Cancel(),
    *[ResponseStarted(0, status, ()) for status in (-1, 0, 100, 199, 200, 204, 302, 400, 401, 404, 429, 500, 600)],
    *[ResponseStarted(0, status, headers) for status in (200, 302, 503) for headers in HEADERS.values()],
    *[BodyReceived(0, body) for body in BODIES.values()],
    ResponseEnded(0),
    *[RequestFailed(0, kind, "\x1b[31m\ud800\r\n") for kind in ("connect", "timeout", "network", "protocol")],
    *[ResponseStarted(id, 200, ()) for id in (-1, 1)],
    *[BodyReceived(id, b"data: x\n\n") for id in (-1, 1)],
    *[ResponseEnded(id) for id in (-1, 1)],
    *[RequestFailed(id, "network") for id in (-1, 1)],
]
RAW: list[Move] = [move("raw", event) for event in EVENTS]
_TELLING = ("nothing", "a page", "null", "an event", "half an object", "a huge number", "a lone surrogate", "zeros")
ANSWERS: list[Move] = [
    move("answer", Answer(status, (), BODIES[name]), (), broken)
    for status, broken in ((200, None), (200, "network"), (302, None), (401, None), (404, None), (503, None))
    for name in _TELLING
]
# Half of it good will: without that, no session would come far.
WILD: list[Move] = [*GENTLE * 12, *CRASHING, *FAULTS, *RAW, *ANSWERS]

# What may happen in any state that a flow can be in, and what besides where it waits for an answer to begin.
_SINGLE: list[Move] = [*RAW, *FAULTS, move("wake"), move("crash")]
ANY_TIME: list[Sequence[Move]] = [
    *[[one] for one in _SINGLE],
    *[[move("pass_time", 130.0), move("go_on", most)] for most in (None, 0, 1)],
    [move("pass_time", 130.0), move("raw", BodyReceived(0, b": comment\n\n"))],
    [move("pass_all_but", 1.0), *[move("go_on")] * 4],
]
INSTEAD: list[Sequence[Move]] = [[one] for one in ANSWERS]


def some(moves: Sequence[T]) -> st.SearchStrategy[list[T]]:
    """Any of them, in any order."""
    return st.lists(st.sampled_from(moves), max_size=30)


def make(moves: Iterable[Callable[[T], object]], stage: T) -> T:
    """Make these moves on a stage, one after the other."""
    for one in moves:
        one(stage)
    return stage
