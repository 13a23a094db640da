"""Reports: tables on the terminal and in `docs/benchmarks.md`, and which goals are met."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from machine import description
from rounds import ROUNDS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
PLOTS = DOCS / "benchmarks"


class Options(argparse.Namespace):
    """Options that every benchmark has."""

    rounds: int
    write: bool


def options(doc: str | None) -> Options:
    """Parse the command line of a benchmark; its docstring is the help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds that count, after one that warms up")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave the documentation as it is")
    return parser.parse_args(namespace=Options())


class Goal(NamedTuple):
    """A bound for a figure: `value` is to be at most `limit`, or at least that if `is_least`."""

    what: str
    value: float
    limit: float
    unit: str = "x"
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.value >= self.limit if self.is_least else self.value <= self.limit


def number(value: float) -> str:
    """The number with three significant digits; without decimals from 100 on."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    texts = [[number(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *texts]) for column in range(len(head))]
    lines = [[name.ljust(width) for name, width in zip(head, widths, strict=True)]]
    lines += [["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]]
    for first, *others in texts:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append([first.ljust(widths[0]), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goals_table(goals: Iterable[Goal]) -> str:
    """A table of goals: the bound, the measured figure, and if it is within the bound."""
    rows = []
    for goal in goals:
        bound = "at least" if goal.is_least else "at most"
        met = "yes" if goal.is_met else "**no**"
        limit, value = (f"{number(amount)} {goal.unit}" for amount in (goal.limit, goal.value))
        rows.append([goal.what, f"{bound} {limit}", value, met])
    return table(["Goal", "Bound", "Measured", "Met"], rows)


def publish(name: str, parts: Sequence[str], chosen: Options, plot: str | None = None, *, page: Path = PAGE) -> None:
    """Print the parts and write them into the page, between the marks of that name; a plot (SVG) goes first.

    Raises `SystemExit` if the page has no such marks.
    """
    text = "\n\n".join([*parts, f"Medians of {chosen.rounds} rounds; {description()}."])
    print(text)
    if not chosen.write:
        return
    if plot is not None:
        PLOTS.mkdir(exist_ok=True)
        (PLOTS / f"{name}.svg").write_text(plot, encoding="utf-8")
        text = f"![{name.replace('_', ' ').capitalize()}](benchmarks/{name}.svg)\n\n{text}"
    begin, end = f"<!-- {name}: measured -->", f"<!-- {name}: end -->"
    before = page.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not between.search(before):
        raise SystemExit(f"{page.name} has no place for {name}: add the lines {begin} and {end}")
    page.write_text(between.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", before), encoding="utf-8")
