"""`python tests/hostile/faults`: plays every scenario over every transport, and prints what came of it as a table."""

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
from faults.table import CARRIERS, GROUPS, SCENARIOS
from modelwire.limits import KIB, MIB
from transports_under_test import Carrier


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for. Returns 1 where anything is wrong."""
    parser = ArgumentParser(prog="python tests/hostile/faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios with this in their names")
    parser.add_argument("--over", default="", metavar="TEXT", help="transports with this in their names")
    parser.add_argument(
        "--rss", action="store_true", help="print by how many bytes the process grew, and count nothing"
    )
    given = parser.parse_args(arguments)
    scenarios = [scenario for scenario in SCENARIOS if given.only in str(scenario)]
    carriers = [carrier for carrier in CARRIERS if given.over in str(carrier)]
    before = _largest_size()
    wrong = sum(_play(scenario, carriers, weigh=not given.rss) for scenario in scenarios)
    counts = Counter(scenario.group for scenario in scenarios)
    print("; ".join(f"{group}: {counts[group]}" for group in GROUPS))
    print(f"{len(scenarios)} scenarios x {len(carriers)} transports, {wrong} complaints")
    if given.rss:
        print(_largest_size() - before)
    return 1 if wrong else 0


def _largest_size() -> int:
    """Bytes that the process has had at once. (`ru_maxrss` is no less than what its parent had when it was started.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * KIB


class _Row(NamedTuple):
    """What is printed of a result, which may hold all that an endless answer brought."""

    carrier: Carrier
    seconds: float
    peak: int


def _play(scenario: Scenario, carriers: Sequence[Carrier], *, weigh: bool) -> int:
    """Print a row for each end that a scenario comes to; returns the number of complaints."""
    by_ending: dict[str, list[_Row]] = {}
    complaints: list[str] = []
    for carrier in carriers:
        result, found = examine(scenario, carrier, weigh=weigh)
        by_ending.setdefault(result.heard.ending, []).append(_Row(carrier, result.seconds, result.peak))
        complaints += [f"{carrier} {complaint}" for complaint in found]
        # What one leaves to the garbage collector is not to be counted with the next.
        del result
        gc.collect()
    for ending, rows in by_ending.items():
        who = "all" if len(by_ending) == 1 else " ".join(str(row.carrier) for row in rows)
        seconds = max(row.seconds for row in rows)
        peak = max(row.peak for row in rows) / MIB
        print(f"{str(scenario)[:80]:80} {ending[:16]:16} {seconds:6.2f} s {peak:6.1f} MiB  {who}", flush=True)
    for complaint in complaints:
        print(f"    ! {complaint}")
    return len(complaints)


if __name__ == "__main__":
    sys.exit(main())
