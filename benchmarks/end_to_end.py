"""The cost of a streamed event from end to end, beside other clients, if each read brings many events.

Events of about 250 bytes over loopback, each an HTTP chunk, sent as fast as the client takes them: one stream, 100
streams and 1,000 at a time. CPU time of the client alone, from connecting to the end of the last stream. Then the
memory of a stream while 1,000 are open.

    python benchmarks/end_to_end.py
"""

from __future__ import annotations

import statistics

from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import Costs, interleave
from stream_clients import (
    CONCURRENT,
    FLOOR,
    H11,
    H11_ASYNCIO,
    H11_CALLBACK,
    H11_TRIO,
    KINDS,
    LITELLM,
    OPENAI,
    Clients,
    stream_clients,
)

# Streams at a time, and the events of each.
SHAPES = {1: 10_000, 100: 1_000, 1_000: 20}
# Divisors of the number of events, for slow clients. Not used for 1,000 streams, where connecting is most of the cost.
FEWER = {LITELLM: 10, OPENAI: 2}
MANY = 1_000
MEMORY_EVENTS = 20
MEMORY_ROUNDS = 3
KIB = 1024

Measured = dict[int, dict[str, Costs]]


def main() -> None:
    chosen = options(__doc__)
    with stream_clients() as clients:
        measured = {streams: measure(clients, streams, chosen.rounds) for streams in SHAPES}
    memory = measure_memory()
    medians = {name: {f"{n:,}": measured[n][name].median for n in SHAPES if name in measured[n]} for name in KINDS}
    plot = bars("CPU time of a streamed event, by streams at a time", "microseconds", medians)
    parts = [
        table(
            ["us of CPU an event, streams:", *(f"{streams:,}" for streams in SHAPES), "KiB a stream at 1,000"],
            [
                [name, *(row.get(f"{streams:,}", "") for streams in SHAPES), kib(memory, name)]
                for name, row in medians.items()
            ],
        ),
        goals_table(goals(measured, memory)),
    ]
    publish("end_to_end", parts, chosen, plot)


def measure(clients: Clients, streams: int, rounds: int) -> dict[str, Costs]:
    """Microseconds an event of all clients that can read this number of streams at a time."""
    names = list(KINDS) if streams == 1 else CONCURRENT
    contestants = {}
    for name in names:
        events = SHAPES[streams] // (FEWER.get(name, 1) if streams < MANY else 1)
        contestants[name] = clients.cost(name, "coalesced", events=events, streams=streams)
    return interleave(contestants, rounds)


def measure_memory() -> dict[str, float]:
    """Bytes a stream while 1,000 are open.

    Each round has new processes, because a process does not give memory back; each reads one stream first.
    """
    streams = max(SHAPES)
    found: dict[str, list[float]] = {name: [] for name in CONCURRENT}
    for _ in range(MEMORY_ROUNDS):
        with stream_clients(CONCURRENT) as clients:
            for name in CONCURRENT:
                clients.ask(name, "cpu", "coalesced", events=MEMORY_EVENTS)
                result = clients.ask(name, "memory", "half", events=MEMORY_EVENTS, streams=streams)
                found[name].append(result["bytes"] / streams)
    return {name: statistics.median(each) for name, each in found.items()}


def kib(memory: dict[str, float], name: str) -> str | float:
    """A cell of the table: KiB, or empty for a client that was not measured."""
    return memory[name] / KIB if name in memory else ""


def goals(measured: Measured, memory: dict[str, float]) -> list[Goal]:
    one, many, most = (measured[streams] for streams in SHAPES)
    drivers = (H11_ASYNCIO, H11_CALLBACK, H11_TRIO)
    return [
        *(
            Goal(f"1 stream: {name}, over own chunk reader", one[name].over(one[FLOOR]), 1.5)
            for name in (H11, *drivers)
        ),
        *(Goal(f"100 streams: {name}, over own chunk reader", many[name].over(many[FLOOR]), 1.5) for name in drivers),
        Goal("1 stream: openai over modelwire, h11", one[OPENAI].over(one[H11]), 40, is_least=True),
        Goal("1 stream: litellm over modelwire, h11", one[LITELLM].over(one[H11]), 150, is_least=True),
        *(
            Goal(f"1,000 streams: openai over {name}", most[OPENAI].over(most[name]), 10, is_least=True)
            for name in drivers
        ),
        *(Goal(f"1,000 streams: memory, {name}", memory[name] / 1000, 30, "KB a stream") for name in drivers),
    ]


if __name__ == "__main__":
    main()
