"""The time from the server's first byte to the first text at the user, beside a raw socket.

The server writes the time into the first event, and the client reads the clock when it has the text (on the raw socket,
the bytes). Each client sleeps when the server writes.

    python benchmarks/first_text.py
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import interleave
from stream_clients import DECODING, H11, H11_ASYNCIO, H11_CALLBACK, H11_TRIO, LITELLM, RAW, Clients, stream_clients

# Answers of one round; a fifth of that for litellm, which is slow.
ANSWERS = 25
NAMES = [RAW, *DECODING]


def main() -> None:
    chosen = options(__doc__)
    with stream_clients(NAMES) as clients:
        measured = interleave({name: delay(clients, name) for name in NAMES}, chosen.rounds)
    medians = {name: {"": costs.median} for name, costs in measured.items()}
    plot = bars("From the server's first byte to the first text", "microseconds", medians)
    raw = measured[RAW]
    rows = [[name, costs.median, costs.median - raw.median] for name, costs in measured.items()]
    goals = [
        Goal(f"{name}: added over a raw socket", measured[name].median - raw.median, 100, "us")
        for name in (H11, H11_ASYNCIO, H11_CALLBACK, H11_TRIO)
    ]
    parts = [
        table(["us from the server's first byte", "median", "added over a raw socket"], rows),
        goals_table(goals),
    ]
    publish("first_text", parts, chosen, plot)


def delay(clients: Clients, name: str) -> Callable[[], float]:
    """A measurement: microseconds, the median of several answers in sequence."""
    answers = ANSWERS // 5 if name == LITELLM else ANSWERS

    def measure() -> float:
        delays: list[float] = [clients.ask(name, "delay", "timestamped", events=1)["delay"] for _ in range(answers)]
        return statistics.median(delays)

    return measure


if __name__ == "__main__":
    main()
