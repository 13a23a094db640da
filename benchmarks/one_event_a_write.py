"""What a streamed event costs a client when each comes alone and wakes it, beside other clients.

The server writes one event at a time, to each stream in turn, and only once the client sleeps. CPU time of the client
alone: from connecting to the end of the last stream, and while all streams were open ("steady").

    python benchmarks/one_event_a_write.py
"""

from __future__ import annotations

from collections.abc import Callable

from plot import bars
from report import Goal, Options, goals_table, options, publish, table
from rounds import Costs, interleave
from stream_clients import (
    CONCURRENT,
    H11_ADELIVER,
    H11_TRIO,
    HTTPX_SSE,
    KINDS,
    LITELLM,
    OPENAI,
    RAW,
    Clients,
    stream_clients,
)

# Streams at a time, and the events of each.
SHAPES = {1: 2_000, 100: 200, 1_000: 20}
FEWER = {LITELLM: 4, OPENAI: 2}

Measured = dict[int, dict[str, Costs]]


def main() -> None:
    """Measure, print, and write it down."""
    told = options(__doc__)
    steady: dict[int, dict[str, list[float]]] = {}
    with stream_clients() as clients:
        measured = {streams: measure(clients, streams, told, steady.setdefault(streams, {})) for streams in SHAPES}
    open_ones = {n: {name: Costs(each[1:]) for name, each in found.items()} for n, found in steady.items()}
    rows = {name: cells(name, measured, open_ones) for name in KINDS}
    plot = bars(
        "CPU time of an event that comes alone, by streams at a time",
        "microseconds",
        {name: {f"{n:,}": measured[n][name].median for n in SHAPES if name in measured[n]} for name in KINDS},
    )
    head = [f"{n:,}{what}" for n in SHAPES for what in ("", " steady")]
    parts = [
        table(["us of CPU an event, streams:", *head], [[name, *row] for name, row in rows.items()]),
        goals_table([*goals(measured, ""), *goals(open_ones, ", steady")]),
    ]
    publish("one_event_a_write", parts, told, plot)


def measure(clients: Clients, streams: int, told: Options, steady: dict[str, list[float]]) -> dict[str, Costs]:
    """All clients that can do it, side by side."""
    contestants = {}
    for name in KINDS if streams == 1 else CONCURRENT:
        events = SHAPES[streams] // (FEWER.get(name, 1) if streams == 1 else 1)
        contestants[name] = written(clients, name, events, streams, steady.setdefault(name, []))
    return interleave(contestants, told.rounds)


def written(clients: Clients, name: str, events: int, streams: int, steady: list[float]) -> Callable[[], float]:
    """Microseconds an event; what it was while all streams were open is noted besides."""
    cost = clients.cost(name, "written", events=events, streams=streams)

    def measure_both() -> float:
        whole = cost()
        steady.append(clients.steady_cost() / (events * streams) * 1e6)
        return whole

    return measure_both


def cells(name: str, measured: Measured, open_ones: Measured) -> list[str | float]:
    """One client's row."""
    return [found[n][name].median if name in found[n] else "" for n in SHAPES for found in (measured, open_ones)]


def goals(measured: Measured, note: str) -> list[Goal]:
    """What is to be reached."""
    reach = []
    for streams, found in measured.items():
        for name, limit in ((H11_ADELIVER, 2.2), (H11_TRIO, 5)):
            reach.append(Goal(f"{streams:,} streams{note}: {name}, over raw", found[name].over(found[RAW]), limit))
    most = measured[max(SHAPES)]
    for name in (H11_ADELIVER, H11_TRIO):
        for peer, limit in ((OPENAI, 10), (HTTPX_SSE, 40)):
            what = f"1,000 streams{note}: {peer} over {name}"
            reach.append(Goal(what, most[peer].over(most[name]), limit, is_least=True))
    return reach


if __name__ == "__main__":
    main()
