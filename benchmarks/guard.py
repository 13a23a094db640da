"""A check that nothing has become slow: costs over floors that every client has, each ratio with a generous bound.

It needs no other library. Absolute times do not matter, because work and floor take turns on the same machine. A ratio
over its bound is measured again; it fails after three measurements over the bound.

    python benchmarks/guard.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from clients.openai_response import decode_chunk
from engine import EVENT, with_flow, without_flow
from machine import CLIENT_CORE, pin
from report import table
from rounds import cpu_seconds, interleave
from stream_clients import FLOOR, FLOOR_ASYNCIO, H11, H11_ASYNCIO, H11_TRIO, Clients, stream_clients

from modelwire.events import Start
from modelwire.providers.cromicle import CromicleChat
from modelwire.sse import EventStreamDecoder, ServerSentEvent

ROUNDS = 5
# Measurements of a ratio before it fails.
TRIES = 3
KIB = 1024
EVENTS = 2_000
STREAM = EVENT * EVENTS
PAYLOAD = EVENT.removeprefix(b"data: ").strip()


class Check(NamedTuple):
    """`work` may cost at most `bound` times as much as `floor`."""

    name: str
    work: Callable[[], float]
    floor: Callable[[], float]
    bound: float


def main() -> None:
    """Measure all ratios. Exits with a message if one is over its bound."""
    pin(CLIENT_CORE)
    with stream_clients([FLOOR, FLOOR_ASYNCIO, H11, H11_ASYNCIO, H11_TRIO]) as clients:
        rows = [(check.name, ratio(check), check.bound) for check in [*in_memory(), *on_sockets(clients)]]
    print(table(["over its floor", "measured", "bound"], rows))
    slow = [name for name, measured, bound in rows if measured > bound]
    if slow:
        sys.exit(f"too slow: {', '.join(slow)}")


def ratio(check: Check) -> float:
    """The work's cost over its floor's. Measures again while that is over the bound, and returns the lowest ratio."""
    best = float("inf")
    for _ in range(TRIES):
        costs = interleave({"work": check.work, "floor": check.floor}, ROUNDS)
        best = min(best, costs["work"].over(costs["floor"]))
        if best <= check.bound:
            break
    return best


def in_memory() -> list[Check]:
    """The checks without sockets."""
    pieces = [EVENT] * EVENTS
    return [
        Check("decoder at 64 KiB, bytes.split", lambda: decode(64 * KIB), lambda: split(64 * KIB), 2.5),
        Check("decoder at an event a chunk, bytes.split", lambda: decode(len(EVENT)), lambda: split(len(EVENT)), 4.5),
        Check("decoder and typed JSON at 64 KiB, json.loads", lambda: typed(64 * KIB), loads, 0.6),
        Check("decoder and typed JSON at an event a chunk, json.loads", lambda: typed(len(EVENT)), loads, 0.9),
        Check("an event of 4 MiB, one of 64 KiB, 1 KiB a chunk", lambda: grown(4 * KIB), lambda: grown(64), 5.0),
        Check("handle(), decoder and typed JSON", lambda: with_flow(pieces), lambda: without_flow(pieces), 3.0),
        Check("snapshot and restore, json.dumps and loads of it", snapshots, plain_json, 6.0),
        Check(
            "import modelwire_io and Client, import asyncio and ssl",
            lambda: importing("import modelwire_io; modelwire_io.Client()"),
            lambda: importing("import asyncio, ssl"),
            6.0,
        ),
    ]


def on_sockets(clients: Clients) -> list[Check]:
    """The checks with sockets: coalesced events, and events that arrive alone."""

    def over(name: str, floor: str, mode: str, bound: float, *, events: int, streams: int = 1) -> Check:
        what = f"{name}, {floor}, {mode}" + (f", {streams} streams" if streams > 1 else "")
        work, least = (clients.cost(each, mode, events=events, streams=streams) for each in (name, floor))
        return Check(what, work, least, bound)

    return [
        over(H11, FLOOR, "coalesced", 2.5, events=5_000),
        over(H11_ASYNCIO, FLOOR, "coalesced", 3.0, events=5_000),
        over(H11_TRIO, FLOOR, "coalesced", 3.0, events=5_000),
        over(H11_ASYNCIO, FLOOR_ASYNCIO, "coalesced", 6.0, events=50, streams=100),
        over(H11_ASYNCIO, FLOOR_ASYNCIO, "one-a-write", 5.0, events=500),
        over(H11_TRIO, FLOOR_ASYNCIO, "one-a-write", 5.0, events=500),
    ]


def decode(size: int) -> float:
    """Seconds to decode the stream, `size` bytes at a time."""
    return cpu_seconds(lambda: [len(events) for events in _decoded(size)])


def typed(size: int) -> float:
    """The same, and the typed JSON of each event."""
    return cpu_seconds(lambda: [decode_chunk(event.raw) for events in _decoded(size) for event in events])


def _decoded(size: int) -> Iterator[list[ServerSentEvent]]:
    decoder = EventStreamDecoder()
    return (decoder.feed(STREAM[start : start + size]) for start in range(0, len(STREAM), size))


def split(size: int) -> float:
    """Seconds to cut each chunk of the stream at blank lines."""
    return cpu_seconds(lambda: [STREAM[start : start + size].split(b"\n\n") for start in range(0, len(STREAM), size)])


def loads() -> float:
    """Seconds to parse the JSON of each event with `json.loads`."""
    return cpu_seconds(lambda: [json.loads(PAYLOAD) for _ in range(EVENTS)])


def grown(kib: int) -> float:
    """Seconds to decode 4 MiB of events of `kib` KiB each, 1 KiB a chunk."""
    event = b"data: " + b"x" * (kib * KIB) + b"\n\n"

    def work() -> None:
        for _ in range(4 * KIB // kib):
            decoder = EventStreamDecoder(max_line=len(event), max_event=len(event))
            for start in range(0, len(event), KIB):
                decoder.feed(event[start : start + KIB])

    return cpu_seconds(work)


def _flow() -> CromicleChat:
    flow = CromicleChat(messages="Hello. " * 30)
    flow.handle(Start(bytes(32)), 1_700_000_000.0)
    return flow


def snapshots() -> float:
    """Seconds to take snapshots of a flow and restore each."""
    flow = _flow()
    return cpu_seconds(lambda: [CromicleChat.restore(flow.snapshot()) for _ in range(EVENTS)])


def plain_json() -> float:
    """Seconds for `json.dumps` and `json.loads` of the same snapshot."""
    snapshot = json.loads(_flow().snapshot())
    return cpu_seconds(lambda: [json.loads(json.dumps(snapshot)) for _ in range(EVENTS)])


def importing(statements: str) -> float:
    """Seconds of CPU time for these statements in a new interpreter."""
    script = f"import time; begun = time.process_time(); {statements}; print(time.process_time() - begun)"
    return float(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
