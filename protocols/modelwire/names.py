"""Checks of what users type: names, with a "did you mean", and text that UTF-8 can carry."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from .errors import InvalidInput


def find_name(name: str, known: Iterable[str], what: str, *, where: str = "") -> str:
    """The name in `known` that equals `name`, ignoring case.

    Raises `InvalidInput`, with the nearest known name, if there is none. `what` is the kind of name, for the message.
    """
    names = list(known)
    if name in names:
        return name
    by_folded = {candidate.casefold(): candidate for candidate in names}
    found = by_folded.get(name.casefold())
    if found is None:
        near = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.4)
        hint = f"did you mean {by_folded[near[0]]!r}?" if near else f"there are: {', '.join(sorted(names)) or 'none'}"
        raise InvalidInput(f"unknown {what} {name[:80]!r}{where}: {hint}")
    return found


def require_utf8(text: str, what: str) -> str:
    """`text`, unchanged. Raises `InvalidInput` if UTF-8 cannot carry it; `what` names the text in the message."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} holds a lone surrogate, which UTF-8 cannot carry") from None
    return text
