"""Two items that should be the same, laid side by side for a person."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from itertools import takewhile
from typing import NamedTuple

import msgspec

from modelwire.json import JsonObject

# Characters of one line: a body is one string in JSON, and is shown in pieces. Lines of one diff.
_WIDTH = 100
_MOST_LINES = 60
# Lines around a difference, and the most that are compared.
_CONTEXT = 3
_MOST_COMPARED = 1000


class Difference(NamedTuple):
    """What was recorded, and what came instead, in answer to an event; None where there was nothing.

    `number` counts events from 1, `at` is seconds since the first; `event` describes it.
    """

    number: int
    at: float
    event: str
    recorded: JsonObject | None
    replayed: JsonObject | None

    def __str__(self) -> str:
        title = f"event {self.number}, {self.at:.3f} s after the first: {self.event}"
        return "\n".join([title, *self.lines()])

    def lines(self) -> list[str]:
        """The difference as a unified diff."""
        before, after, skipped = _without_common_beginning(_laid_out(self.recorded), _laid_out(self.replayed))
        diff = unified_diff(before, after, "recorded", "now", n=_CONTEXT, lineterm="")
        lines = [line for line in diff if not line.startswith("@@")]
        if skipped:
            lines.insert(2, f" ... {skipped} lines that are the same")
        return lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "..."]


def _laid_out(item: JsonObject | None) -> list[str]:
    """An item over several lines, none of them too long."""
    if item is None:
        return ["(nothing)"]
    text = msgspec.json.format(msgspec.json.encode(item), indent=2).decode()
    return [piece for line in text.split("\n") for piece in _folded(line)]


def _folded(line: str) -> Iterator[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    yield line[:_WIDTH]
    for start in range(_WIDTH, len(line), _WIDTH):
        yield indent + line[start : start + _WIDTH]


def _without_common_beginning(before: list[str], after: list[str]) -> tuple[list[str], list[str], int]:
    """Both from shortly before their first difference on, and how many lines were left out."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    skipped = max(0, same - _CONTEXT)
    beyond = skipped + _MOST_COMPARED
    return before[skipped:beyond], after[skipped:beyond], skipped
