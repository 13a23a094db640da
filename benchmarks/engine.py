"""The cost of `handle()` for a streamed event, beyond decoding and JSON.

The same events of about 250 bytes go to a flow, and to the decoder and the typed JSON alone: one event at a time, as if
each arrived by itself, and 64 KiB at a time.

    python benchmarks/engine.py
"""

from __future__ import annotations

import time
from functools import partial

from clients.openai_flow import OpenAiChat
from clients.openai_response import decode_chunk
from machine import CLIENT_CORE, pin
from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import Costs, interleave

from modelwire.commands import SendRequest
from modelwire.events import BodyReceived, ResponseStarted, Start
from modelwire.sse import EventStreamDecoder

EVENT = (
    b'data: {"id":"chatcmpl-A1b2C3d4","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
    b'"system_fingerprint":"fp_xxxxxxxxxxxx","choices":[{"index":0,"delta":{"content":"hello"},"logprobs":null,'
    b'"finish_reason":null}]}\n\n'
)
EVENTS = 10_000
SIZES = {"an event at a time": 1, "64 KiB at a time": 64 * 1024 // len(EVENT)}
NOW = 1_700_000_000.0


def main() -> None:
    chosen = options(__doc__)
    pin(CLIENT_CORE)
    measured = {}
    for name, events in SIZES.items():
        pieces = [EVENT * events] * (EVENTS // events)
        measured[name] = interleave(
            {"handle()": partial(with_flow, pieces), "decoder and JSON": partial(without_flow, pieces)}, chosen.rounds
        )
    rows, goals = [], []
    for name, found in measured.items():
        added = beyond(found)
        rows.append([name, found["handle()"].median, found["decoder and JSON"].median, added])
        goals.append(Goal(f"{name}: beyond decoding and JSON", added, 1000, "ns an event"))
    plot = bars(
        "CPU time of a streamed event inside a flow",
        "nanoseconds",
        {f"{who}, {name}": {"": costs.median} for name, found in measured.items() for who, costs in found.items()},
        ours="handle",
    )
    parts = [
        table(["ns of CPU an event", "handle()", "decoder and JSON", "beyond them"], rows),
        goals_table(goals),
    ]
    publish("engine", parts, chosen, plot)


def beyond(found: dict[str, Costs]) -> float:
    """The cost that the engine adds: the median of the differences of each round."""
    whole, part = found["handle()"].each, found["decoder and JSON"].each
    return Costs([ours - theirs for ours, theirs in zip(whole, part, strict=True)]).median


def with_flow(pieces: list[bytes]) -> float:
    """Nanoseconds an event of a flow that gets each piece as a `BodyReceived`."""
    flow = OpenAiChat(url="http://127.0.0.1/v1", model="emulated")
    sent = flow.handle(Start(bytes(32)), NOW)[-1]
    assert isinstance(sent, SendRequest)
    flow.handle(ResponseStarted(sent.request_id, 200, ()), NOW)
    texts = 0
    begun = time.process_time_ns()
    for piece in pieces:
        texts += len(flow.handle(BodyReceived(1, piece), NOW))
    return (time.process_time_ns() - begun) / texts


def without_flow(pieces: list[bytes]) -> float:
    """Nanoseconds an event of the decoder and typed JSON."""
    decoder = EventStreamDecoder()
    texts: list[str | None] = []
    begun = time.process_time_ns()
    for piece in pieces:
        texts += [decode_chunk(event.raw).choices[0].delta.content for event in decoder.feed(piece)]
    return (time.process_time_ns() - begun) / len(texts)


if __name__ == "__main__":
    main()
