"""The text form of a difference."""

from __future__ import annotations

from typing import Any

from modelwire.recording import Difference


def shown(recorded: Any, replayed: Any) -> list[str]:
    return Difference(3, 1.25, "Woken()", recorded, replayed).lines()


def test_a_difference_has_a_title_and_a_diff() -> None:
    difference = Difference(3, 1.25, "Woken()", {"type": "Sleep", "until": 5.0}, {"type": "Sleep", "until": 7.0})
    assert str(difference).split("\n") == [
        "event 3, 1.250 s after the first: Woken()",
        "--- recorded",
        "+++ now",
        " {",
        '   "type": "Sleep",',
        '-  "until": 5.0',
        '+  "until": 7.0',
        " }",
    ]


def test_a_missing_item_is_shown_as_nothing() -> None:
    assert shown(None, {"type": "Woken"}) == [
        "--- recorded",
        "+++ now",
        "-(nothing)",
        "+{",
        '+  "type": "Woken"',
        "+}",
    ]


def test_a_long_line_is_folded() -> None:
    body = "x" * 250
    lines = shown({"body": {"text": body + "a"}}, {"body": {"text": body + "b"}})
    assert all(len(line) < 130 for line in lines)
    assert [(line[0], line.strip(" +-x")) for line in lines[2:] if line[0] in "-+"] == [("-", 'a"'), ("+", 'b"')]


def test_equal_lines_before_the_difference_are_left_out() -> None:
    items = [{"list": [*range(500), last]} for last in "ab"]
    lines = shown(*items)
    assert lines[2] == " ... 499 equal lines"
    assert lines[3:6] == ["     497,", "     498,", "     499,"]
    assert lines[6:8] == ['-    "a"', '+    "b"']


def test_a_long_difference_is_cut_short() -> None:
    lines = shown({"list": list(range(500))}, {"list": [str(number) for number in range(100_000)]})
    assert len(lines) == 61
    assert lines[-1] == "..."
