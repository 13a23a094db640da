"""The cost of a streamed event that arrives alone and wakes the client, beside other clients.

The server writes one event at a time, to each stream in turn, and waits until the client sleeps before each write. CPU
time of the client alone: from connecting to the end of the last stream, and while all streams were open ("steady").

    python benchmarks/one_event_a_write.py
"""

from __future__ import annotations

from collections.abc import Callable

from plot import bars
from report import Goal, Options, goals_table, options, publish, table
from rounds import Costs, interleave
from stream_clients import (
    CONCURRENT,
    H11_CALLBACK,
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
# Divisors of the number of events, for slow clients with one stream.
FEWER = {LITELLM: 4, OPENAI: 2}

Measured = dict[int, dict[str, Costs]]


def main() -> None:
    chosen = options(__doc__)
    steady: dict[int, dict[str, list[float]]] = {}
    with stream_clients() as clients:
        measured = {streams: measure(clients, streams, chosen, steady.setdefault(streams, {})) for streams in SHAPES}
    open_ones = {n: {name: Costs(each[1:]) for name, each in found.items()} for n, found in steady.items()}
    rows = {name: cells(name, measured, open_ones) for name in KINDS}
    plot = bars(
        "CPU time of an event that arrives alone, by streams at a time",
        "microseconds",
        {name: {f"{n:,}": measured[n][name].median for n in SHAPES if name in measured[n]} for name in KINDS},
    )
    head = [f"{n:,}{what}" for n in SHAPES for what in ("", " steady")]
    parts = [
        table(["us of CPU an event, streams:", *head], [[name, *row] for name, row in rows.items()]),
        goals_table([*goals(measured, ""), *goals(open_ones, ", steady")]),
    ]
    publish("one_event_a_write", parts, chosen, plot)


def measure(clients: Clients, streams: int, chosen: Options, steady: dict[str, list[float]]) -> dict[str, Costs]:
    """Microseconds an event of each client that reads this many streams. Adds to `steady` as `one_a_write` does."""
    contestants = {}
    for name in KINDS if streams == 1 else CONCURRENT:
        events = SHAPES[streams] // (FEWER.get(name, 1) if streams == 1 else 1)
        contestants[name] = one_a_write(clients, name, events, streams, steady.setdefault(name, []))
    return interleave(contestants, chosen.rounds)


def one_a_write(clients: Clients, name: str, events: int, streams: int, steady: list[float]) -> Callable[[], float]:
    """A measurement: microseconds an event. Adds to `steady` the part of it while all streams were open."""
    cost = clients.cost(name, "one-a-write", events=events, streams=streams)

    def measure_both() -> float:
        whole = cost()
        steady.append(clients.steady_cost() / (events * streams) * 1e6)
        return whole

    return measure_both


def cells(name: str, measured: Measured, open_ones: Measured) -> list[str | float]:
    """One client's row of the table, empty if nothing was measured."""
    return [found[n][name].median if name in found[n] else "" for n in SHAPES for found in (measured, open_ones)]


def goals(measured: Measured, note: str) -> list[Goal]:
    all_goals = []
    for streams, found in measured.items():
        for name, limit in ((H11_CALLBACK, 2.2), (H11_TRIO, 5)):
            what = f"{streams:,} {'stream' if streams == 1 else 'streams'}{note}: {name}, over raw sockets"
            all_goals.append(Goal(what, found[name].over(found[RAW]), limit))
    most = measured[max(SHAPES)]
    for name in (H11_CALLBACK, H11_TRIO):
        for peer, limit in ((OPENAI, 10), (HTTPX_SSE, 40)):
            what = f"1,000 streams{note}: {peer} over {name}"
            all_goals.append(Goal(what, most[peer].over(most[name]), limit, is_least=True))
    return all_goals


if __name__ == "__main__":
    main()
