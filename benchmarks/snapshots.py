"""The cost of taking a snapshot of a flow and restoring the flow from it, for each provider.

python benchmarks/snapshots.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from machine import CLIENT_CORE, pin
from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import cpu_seconds, interleave

from modelwire.catalog import PROVIDERS
from modelwire.events import Start
from modelwire.flow import Flow

TIMES = 500
PROMPT = "Draw a dragon, please. " * 10


def main() -> None:
    chosen = options(__doc__)
    pin(CLIENT_CORE)
    measured = interleave({name: cost(name) for name in PROVIDERS}, chosen.rounds)
    plot = bars(
        "CPU time of a snapshot and of restoring it",
        "microseconds",
        {name: {"": costs.median} for name, costs in measured.items()},
        ours="",
    )
    goals = [Goal(f"{name}: snapshot and restore", costs.median, 50, "us") for name, costs in measured.items()]
    parts = [
        table(["us of CPU", "snapshot and restore"], [[name, costs.median] for name, costs in measured.items()]),
        goals_table(goals),
    ]
    publish("snapshots", parts, chosen, plot)


def cost(name: str) -> Callable[[], float]:
    """A measurement: microseconds for both, of a flow that has sent its first request."""
    # Every provider's flow takes these arguments; the type of `Flow` does not say so.
    make = cast("Callable[..., Flow]", next(iter(PROVIDERS[name].flows.values())))
    arguments = {"prompt": PROMPT, "credentials": {"api_key": "emulated"}} if name == "arta" else {"messages": PROMPT}
    flow = make(**arguments)
    flow.handle(Start(bytes(32)), 1_700_000_000.0)

    def save_and_restore() -> None:
        for _ in range(TIMES):
            type(flow).restore(flow.snapshot())

    return lambda: cpu_seconds(save_and_restore) / TIMES * 1e6


if __name__ == "__main__":
    main()
