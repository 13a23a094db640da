"""Costs measured side by side: each contestant runs once a round, so that a slow moment of the machine slows all."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 7


@dataclass(frozen=True)
class Costs:
    """One contestant's cost in each round. The unit is the contestant's."""

    each: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.each)

    def over(self, other: Costs) -> float:
        """This cost divided by the other's: the median of the ratios of each round."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.each, other.each, strict=True))


def interleave(contestants: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, Costs]:
    """Run all contestants in turn, round after round. The first round warms up and does not count."""
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in _rotated(list(contestants), number):
            costs[name].append(contestants[name]())
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: Costs(each[1:]) for name, each in costs.items()}


def _rotated(names: list[str], by: int) -> list[str]:
    """Start each round with another contestant, so that the order favours none."""
    by %= len(names)
    return names[by:] + names[:by]


def cpu_seconds(work: Callable[[], object]) -> float:
    """Seconds of CPU time that this process needs for the work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun
