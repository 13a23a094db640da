"""Tables of moves. A move is one call of a method of `Stage`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import methodcaller as move
from typing import TypeVar

from hypothesis import strategies as st

from modelwire.events import BodyReceived, Cancel, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.testing.stage import Stage
from modelwire.testing.wire import ScriptedResponse

from .hostile import BODIES, HEADERS

T = TypeVar("T")
StageMove = Callable[[Stage], object]

# Moves that no flow may fail on.
HARMLESS: list[StageMove] = [
    *[move("go_on")] * 6,
    *[move("go_on", size) for size in (0, 1, 2, 7, 50, 500)],
    move("deliver_stale"),
    move("wake"),
    move("pass_time", 0.5),
]
WITH_CRASHES: list[StageMove] = [*HARMLESS, *[move("crash")] * 3]

# Faults: some of them a flow must get over if there are few, the others may end it.
FAULTS: list[StageMove] = [
    move("fail", "connect"),
    *[move("fail", kind, arrives) for kind in ("timeout", "network", "protocol") for arrives in (False, True)],
    *[move("refuse", status, retry_after) for status in (429, 503) for retry_after in (None, "1", "60")],
    move("refuse", 503, "1", True),
    move("refuse", 500, None, True),
    move("refuse", 429, "Tue, 14 Nov 2023 22:13:27 GMT"),
    move("refuse", 429, "100000"),
    *[move("refuse", status) for status in (302, 400, 401, 403, 404, 408)],
    move("time_out"),
    move("time_out", 0.5),
    move("time_out", 700.0),
    *[move("pass_time", seconds) for seconds in (5.0, 130.0, 4000.0, -50.0)],
    move("reset_service"),
    move("replace_credentials"),
    move("cancel"),
]
# Events of every kind. Their request ids are relative to the last one that the flow used.
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
INJECTED: list[StageMove] = [move("inject", event) for event in EVENTS]
_BODY_NAMES = ("nothing", "a page", "null", "an event", "half an object", "a huge number", "a lone surrogate", "zeros")
RESPONSES: list[StageMove] = [
    move("respond", ScriptedResponse(status, (), BODIES[name]), (), failure)
    for status, failure in ((200, None), (200, "network"), (302, None), (401, None), (404, None), (503, None))
    for name in _BODY_NAMES
]
# About half of them harmless: otherwise hardly any session would get past its first request.
ANYTHING: list[StageMove] = [*HARMLESS * 12, *WITH_CRASHES, *FAULTS, *INJECTED, *RESPONSES]

# Sequences of moves for every state, and further ones for the states that wait for the head of a response.
_SINGLE: list[StageMove] = [*INJECTED, *FAULTS, move("wake"), move("crash")]
ANY_TIME: list[Sequence[StageMove]] = [
    *[[one] for one in _SINGLE],
    *[[move("pass_time", 130.0), move("go_on", most)] for most in (None, 0, 1)],
    [move("pass_time", 130.0), move("inject", BodyReceived(0, b": comment\n\n"))],
    [move("pass_time_until_left", 1.0), *[move("go_on")] * 4],
]
BEFORE_HEAD: list[Sequence[StageMove]] = [[one] for one in RESPONSES]


def lists_of(moves: Sequence[T]) -> st.SearchStrategy[list[T]]:
    """Lists of these moves, in any order."""
    return st.lists(st.sampled_from(moves), max_size=30)


def play_moves(moves: Iterable[Callable[[T], object]], stage: T) -> T:
    """Make these moves on a stage, one after the other. Returns the stage."""
    for one in moves:
        one(stage)
    return stage
