"""How long ago something was, in two words."""

from __future__ import annotations

import time

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def age(moment: float) -> str:
    """The time that has passed since a moment (Unix time, seconds)."""
    seconds = max(0.0, time.time() - moment)
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
