"""Costs measured side by side: each contestant once a round, so that what slows the machine slows them all."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 7


@dataclass(frozen=True)
class Costs:
    """What one contestant took, round by round, in whatever unit it was measured."""

    each: Sequence[float]

    @property
    def median(self) -> float:
        """The cost."""
        return statistics.median(self.each)

    def over(self, other: Costs) -> float:
        """How many times the other's cost: the median of the rounds' own ratios."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.each, other.each, strict=True))


def interleave(contestants: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, Costs]:
    """Run all contestants in turn, again and again. The first round warms up, and does not count."""
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in _rotated(list(contestants), number):
            costs[name].append(contestants[name]())
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: Costs(each[1:]) for name, each in costs.items()}


def _rotated(names: list[str], by: int) -> list[str]:
    """Nobody always runs after the same neighbour's garbage."""
    by %= len(names)
    return names[by:] + names[:by]


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process that the work takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun
