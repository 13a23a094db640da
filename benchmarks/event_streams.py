"""What decoding an event stream costs, beside `bytes.split`, which no decoder in Python can beat.

    python benchmarks/event_streams.py

Prints, for chunks of several sizes, the nanoseconds of CPU time an event, medians of interleaved rounds, and the ratio.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from modelwire.sse import EventStreamDecoder

EVENT = (
    b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"delta":{"content":"hello"}}]}'.ljust(250) + b"\n\n"
)
EVENTS = 4000
STREAM = EVENT * EVENTS
ROUNDS = 9
CHUNK_SIZES = {"64 KiB": 65536, "one event": len(EVENT), "16 B": 16}


def decode(size: int) -> None:
    """Feed the stream to a decoder, so many bytes at a time."""
    decoder = EventStreamDecoder()
    events = 0
    for start in range(0, len(STREAM), size):
        events += len(decoder.feed(STREAM[start : start + size]))
    assert events == EVENTS


def split(size: int) -> None:
    """Cut each chunk at blank lines, and no more."""
    for start in range(0, len(STREAM), size):
        STREAM[start : start + size].split(b"\n\n")


def cost(work: Callable[[int], None], size: int) -> float:
    """Nanoseconds of CPU time an event, once."""
    begun = time.process_time_ns()
    work(size)
    return (time.process_time_ns() - begun) / EVENTS


def main() -> None:
    """Measure, and print a table."""
    print(f"{'CHUNKS OF':<12}{'DECODER':>10}{'SPLIT':>10}{'RATIO':>8}")
    for name, size in CHUNK_SIZES.items():
        rounds = [(cost(decode, size), cost(split, size)) for _ in range(ROUNDS)]
        ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:<12}{ours:>7,.0f} ns{floor:>7,.0f} ns{ours / floor:>8.2f}")


if __name__ == "__main__":
    main()
