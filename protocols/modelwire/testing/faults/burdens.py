"""Check what a very long response costs: the bytes that the flow takes, its memory, its CPU time."""

from __future__ import annotations

import time
import tracemalloc

from modelwire.events import BodyReceived, ResponseEnded, ResponseStarted
from modelwire.limits import KIB, Limits
from modelwire.testing.rehearsal import Scene
from modelwire.testing.stage import Stage

# Small limits, which a test reaches soon.
SMALL_LIMITS = Limits(body=64 * KIB, stream=128 * KIB, line=16 * KIB, event=16 * KIB, error_body=8 * KIB, tries=1)
# Bytes: size of a chunk of an endless body.
CHUNK_BYTES = 4 * KIB
# Bytes: most memory in use at once. It covers the largest limit, the emitted text, and the kit's own records of both.
MAX_MEMORY = 16 * SMALL_LIMITS.stream
# Bytes: size of the short body. The long one has LENGTH_RATIO times as many.
SHORT_BODY, LENGTH_RATIO = 16 * KIB, 16
# Ratio of CPU times: linear work gives 16, quadratic work 256.
MAX_SLOWDOWN = 80
# Seconds: a shorter CPU time counts as this much, because it is mostly noise.
MIN_SECONDS = 0.0005
# Measurements before the check fails: noise can exceed the limit, quadratic work always does.
ATTEMPTS = 6
# Bytes: sizes of the chunks in which a body arrives.
ONE_CHUNK, SMALL_CHUNK = SHORT_BODY * LENGTH_RATIO, 16


def check_bounds(scene: Scene, number: int, status: int, unit: bytes) -> None:
    """Check that the flow soon gives up a response that repeats the unit without end, and holds little of it."""
    stage = scene.stage(SMALL_LIMITS)
    if not stage.reach(number):
        return
    chunk = (unit * CHUNK_BYTES)[:CHUNK_BYTES]
    tracemalloc.start()
    try:
        taken = _feed_until_stopped(stage, status, chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= SMALL_LIMITS.stream + CHUNK_BYTES, (
        f"the flow took {taken} bytes of an endless response and did not abort it: it must enforce its limits"
    )
    assert peak <= MAX_MEMORY, (
        f"{peak} bytes of memory were held for an endless response: at most {MAX_MEMORY} are allowed"
    )


def _feed_until_stopped(stage: Stage, status: int, chunk: bytes) -> int:
    """Send chunks until the flow aborts the request or has one chunk more than any limit allows. Returns the bytes."""
    request_id = stage.watched.last_request
    stage.deliver(ResponseStarted(request_id, status, ()))
    taken = 0
    while stage.watched.open_request == request_id and taken <= SMALL_LIMITS.stream + CHUNK_BYTES:
        stage.deliver(BodyReceived(request_id, chunk))
        taken += len(chunk)
    return taken


def check_time(scene: Scene, number: int, unit: bytes, chunk_size: int) -> None:
    """Check that the CPU time for a response grows linearly with its length. Chunks have `chunk_size` bytes."""
    slowdown = 0.0
    for _ in range(ATTEMPTS):
        # Interruptions can only add time, so the smallest value is the best one.
        short = max(MIN_SECONDS, min(cpu_seconds(scene, number, unit, SHORT_BODY, chunk_size) for _ in range(3)))
        slowdown = cpu_seconds(scene, number, unit, SHORT_BODY * LENGTH_RATIO, chunk_size) / short
        if slowdown <= MAX_SLOWDOWN:
            return
    raise AssertionError(
        f"a response {LENGTH_RATIO} times as long takes {slowdown:.0f} times as much CPU time: the work must be linear"
    )


def cpu_seconds(scene: Scene, number: int, unit: bytes, size: int, chunk_size: int) -> float:
    """CPU seconds that the flow spends on a body of this size."""
    stage = scene.stage()
    stage.reach(number)
    flow, now, request_id = stage.flow, stage.now, stage.watched.last_request
    body = (unit * (size // len(unit) + 1))[:size]
    flow.handle(ResponseStarted(request_id, 200, ()), now)
    events = [BodyReceived(request_id, body[start : start + chunk_size]) for start in range(0, size, chunk_size)]
    began = time.process_time()
    for event in events:
        flow.handle(event, now)
    flow.handle(ResponseEnded(request_id), now)
    return time.process_time() - began
