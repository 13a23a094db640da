"""What an answer that never ends costs: how much of it is taken, how much memory, and how much time."""

from __future__ import annotations

import time
import tracemalloc

from modelwire.events import BodyReceived, ResponseEnded, ResponseStarted
from modelwire.limits import KIB, Limits
from modelwire.testing.rehearsal import Scene
from modelwire.testing.stage import Stage

# Small, so that the ends of them are soon reached.
SMALL = Limits(body=64 * KIB, stream=128 * KIB, line=16 * KIB, event=16 * KIB, error_body=8 * KIB, tries=1)
CHUNK = 4 * KIB  # bytes
# What may be held at once: the largest limit, the text that was told, and what tests remember of both.
MOST_MEMORY = 16 * SMALL.stream
# Sizes of answers, and how much longer the larger may take: 16 times as long, and never 256 times.
SIZE, TIMES, SLOWEST = 16 * KIB, 16, 80
# Less than this is not measured: seconds.
SHORTEST = 0.0005
ATTEMPTS = 6
# The pieces in which an answer comes: bytes.
WHOLE, PIECE = SIZE * TIMES, 16


def check_bounds(scene: Scene, number: int, status: int, unit: bytes) -> None:
    """An answer to the request of this number that repeats the unit for ever is soon given up."""
    stage = scene.stage(SMALL)
    if not stage.reach(number):
        return
    chunk = (unit * CHUNK)[:CHUNK]
    tracemalloc.start()
    try:
        taken = _feed_for_ever(stage, status, chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= SMALL.stream + CHUNK, f"{taken} bytes were taken, and more would have been"
    assert peak <= MOST_MEMORY, f"{peak} bytes of memory were held"


def _feed_for_ever(stage: Stage, status: int, chunk: bytes) -> int:
    """The bytes that were taken before the flow wanted no more; or one chunk more than any limit allows."""
    request_id = stage.session.last_request
    stage.deliver(ResponseStarted(request_id, status, ()))
    taken = 0
    while stage.session.open_request == request_id and taken <= SMALL.stream + CHUNK:
        stage.deliver(BodyReceived(request_id, chunk))
        taken += len(chunk)
    return taken


def check_time(scene: Scene, number: int, unit: bytes, piece: int) -> None:
    """An answer that is longer takes longer in proportion, in pieces of so many bytes."""
    slowest = 0.0
    for _ in range(ATTEMPTS):
        # What comes between adds to a time and never takes from it.
        short = max(SHORTEST, min(seconds_for(scene, number, unit, SIZE, piece) for _ in range(3)))
        slowest = seconds_for(scene, number, unit, SIZE * TIMES, piece) / short
        if slowest <= SLOWEST:
            return
    raise AssertionError(f"{TIMES} times as much takes {slowest:.0f} times as long")


def seconds_for(scene: Scene, number: int, unit: bytes, size: int, piece: int) -> float:
    """The seconds of work that an answer of this size makes."""
    stage = scene.stage()
    stage.reach(number)
    flow, now, request_id = stage.flow, stage.now, stage.session.last_request
    body = (unit * (size // len(unit) + 1))[:size]
    flow.handle(ResponseStarted(request_id, 200, ()), now)
    events = [BodyReceived(request_id, body[start : start + piece]) for start in range(0, size, piece)]
    began = time.process_time()
    for event in events:
        flow.handle(event, now)
    flow.handle(ResponseEnded(request_id), now)
    return time.process_time() - began
