"""Whether two sessions are the same."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, zip_longest

from modelwire.outputs import TextDelta

from .session import Item, Session


def joined(items: Iterable[Item]) -> list[Item]:
    """All that a flow answered, with the pieces of text that follow one another made one."""
    merged: list[Item] = []
    for is_text, group in groupby(items, lambda item: isinstance(item, TextDelta)):
        if is_text:
            merged.append(TextDelta("".join(item.text for item in group if isinstance(item, TextDelta))))
        else:
            merged += group
    return merged


def check_same(items: Iterable[Item], expected: Iterable[Item]) -> None:
    """A flow answered what it was to answer, in whatever pieces its text came."""
    for item, wanted in zip_longest(joined(items), joined(expected)):
        assert item == wanted, f"{item!r} instead of {wanted!r}"


def check_replay(session: Session) -> None:
    """The same events at the same times, given to a flow that is made anew, get the same answers."""
    twin = session.make_flow()
    for step in session.steps:
        batch = twin.handle(step.event, step.now)
        assert batch == step.batch, f"{step.event!r} is answered with {batch}, and was with {step.batch}"
    assert twin.snapshot() == session.flow.snapshot()
