"""Ages in two words, such as `3 d`."""

from __future__ import annotations

import time

# Seconds in each unit, the longest first.
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def age(moment: float) -> str:
    """The time since `moment` (Unix time, seconds)."""
    seconds = max(0.0, time.time() - moment)
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
