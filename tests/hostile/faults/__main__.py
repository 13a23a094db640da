"""`python tests/hostile/faults`: plays every scenario over every transport, and prints the results as a table."""

from __future__ import annotations

import gc
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

if __package__ is None or __package__ == "":
    hostile = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(hostile), str(hostile.parent / "support")]

from faults.scenario import Scenario, examine
from faults.table import GROUPS, SCENARIOS, VARIANTS
from modelwire.limits import KIB, MIB
from transport_variants import TransportVariant


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the chosen scenarios. Returns 1 if anything is wrong."""
    parser = ArgumentParser(prog="python tests/hostile/faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios with this in their names")
    parser.add_argument("--over", default="", metavar="TEXT", help="transports with this in their names")
    parser.add_argument(
        "--rss", action="store_true", help="print by how many bytes the process grew, and count nothing"
    )
    given = parser.parse_args(arguments)
    scenarios = [scenario for scenario in SCENARIOS if given.only in str(scenario)]
    variants = [variant for variant in VARIANTS if given.over in str(variant)]
    before = _largest_size()
    wrong = sum(_play(scenario, variants, weigh=not given.rss) for scenario in scenarios)
    counts = Counter(scenario.group for scenario in scenarios)
    print("; ".join(f"{group}: {counts[group]}" for group in GROUPS))
    print(f"{len(scenarios)} scenarios x {len(variants)} transports, {wrong} complaints")
    if given.rss:
        print(_largest_size() - before)
    return 1 if wrong else 0


def _largest_size() -> int:
    """Peak memory of the process, in bytes. (`ru_maxrss` would start at the memory of the parent process.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * KIB


class _Row(NamedTuple):
    """The printed part of a result. The result itself may hold a very large body."""

    variant: TransportVariant
    seconds: float
    peak: int


def _play(scenario: Scenario, variants: Sequence[TransportVariant], *, weigh: bool) -> int:
    """Print a row for each ending of a scenario. Returns the number of complaints."""
    by_ending: dict[str, list[_Row]] = {}
    complaints: list[str] = []
    for variant in variants:
        result, found = examine(scenario, variant, weigh=weigh)
        by_ending.setdefault(result.observed.ending, []).append(_Row(variant, result.seconds, result.peak))
        complaints += [f"{variant} {complaint}" for complaint in found]
        # Collect the garbage of one run before the memory of the next is counted.
        del result
        gc.collect()
    for ending, rows in by_ending.items():
        who = "all" if len(by_ending) == 1 else " ".join(str(row.variant) for row in rows)
        seconds = max(row.seconds for row in rows)
        peak = max(row.peak for row in rows) / MIB
        print(f"{str(scenario)[:80]:80} {ending[:16]:16} {seconds:6.2f} s {peak:6.1f} MiB  {who}", flush=True)
    for complaint in complaints:
        print(f"    ! {complaint}")
    return len(complaints)


if __name__ == "__main__":
    sys.exit(main())
