"""Compare what two flows emitted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, zip_longest

from modelwire.outputs import TextDelta

from .watched_flow import Item, WatchedFlow


def merge_text(items: Iterable[Item]) -> list[Item]:
    """The items of a flow, with adjacent `TextDelta`s joined."""
    merged: list[Item] = []
    for is_text, group in groupby(items, lambda item: isinstance(item, TextDelta)):
        if is_text:
            merged.append(TextDelta("".join(item.text for item in group if isinstance(item, TextDelta))))
        else:
            merged += group
    return merged


def check_same(items: Iterable[Item], expected: Iterable[Item]) -> None:
    """Check that two flows emitted the same items, however their text was divided into `TextDelta`s."""
    for item, wanted in zip_longest(merge_text(items), merge_text(expected)):
        assert item == wanted, f"the flow emitted {item!r} instead of {wanted!r}"


def check_replay(watched: WatchedFlow) -> None:
    """Check that a second, equal flow returns the same batches for the same events at the same times."""
    twin = watched.make_flow()
    for call in watched.calls:
        batch = twin.handle(call.event, call.now)
        assert batch == call.batch, (
            f"the flow is not deterministic: {call.event!r} returned {batch}, and {call.batch} the first time"
        )
    assert twin.snapshot() == watched.flow.snapshot(), "the flow is not deterministic: two runs end with two snapshots"
