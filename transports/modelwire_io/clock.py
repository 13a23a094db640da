"""The clock whose time a driver passes to a flow."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Unix time in seconds that never goes back."""

    def now(self) -> float:
        """The current Unix time, in seconds."""
        ...

    def anchor(self) -> None:
        """Correct the clock. A driver calls this when a flow begins."""
        ...


# Seconds: if the wall clock differs by more (it was set, or the machine slept), `SystemClock.anchor` follows it.
_MAX_DRIFT_S = 1.0


class SystemClock:
    """The wall clock's time when a flow begins, advanced by the monotonic clock from then on."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def anchor(self) -> None:
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > _MAX_DRIFT_S:
            self._offset = offset

    def now(self) -> float:
        return self._offset + time.monotonic()


class VirtualClock:
    """A clock that moves only in `advance_to`, so an hour of waiting takes no time."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def anchor(self) -> None:
        pass

    def advance_to(self, moment: float) -> None:
        """Set the time to `moment` (Unix time, seconds), unless it is already later."""
        self._now = max(self._now, moment)
