"""The difference between a recorded and a replayed item, as a diff for a person to read."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from itertools import takewhile
from typing import NamedTuple

import msgspec

from modelwire.json import JsonObject

# Characters: the width of a line. A body is one JSON string, so it is folded.
_WIDTH = 100
# Lines: the longest diff that is shown.
_MOST_LINES = 60
# Lines: equal ones around a difference.
_CONTEXT = 3
# Lines: those of each side that are compared. A diff takes quadratic time.
_MOST_COMPARED = 1000


class Difference(NamedTuple):
    """The first recorded item that the replay did not repeat, and what it produced instead; None for a missing item.

    `number` counts events from 1, `at` is seconds since the first event, and `event` is the event's repr.
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
        before, after, skipped = _without_common_beginning(_as_lines(self.recorded), _as_lines(self.replayed))
        diff = unified_diff(before, after, "recorded", "now", n=_CONTEXT, lineterm="")
        lines = [line for line in diff if not line.startswith("@@")]
        if skipped:
            lines.insert(2, f" ... {skipped} equal lines")
        return lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "..."]


def _as_lines(item: JsonObject | None) -> list[str]:
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
    """Both lists from `_CONTEXT` lines before their first difference, and the number of lines left out."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    skipped = max(0, same - _CONTEXT)
    end = skipped + _MOST_COMPARED
    return before[skipped:end], after[skipped:end], skipped
