"""What time it is: the one clock that a driver hands to a flow."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Unix time in seconds, which never goes back."""

    def now(self) -> float:
        """The time."""
        ...

    def anchor(self) -> None:
        """A flow begins: see that the clock is right."""
        ...


# Seconds by which the wall clock may have moved away (it was set, or the machine slept) before it is followed.
_DRIFT = 1.0


class SystemClock:
    """Anchored to the wall clock when a flow begins, and advanced by the monotonic one from then on."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def anchor(self) -> None:
        """Follow the wall clock, if it has moved away since the last flow began."""
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > _DRIFT:
            self._offset = offset

    def now(self) -> float:
        """The time."""
        return self._offset + time.monotonic()


class VirtualClock:
    """A clock that stands still until it is told to go on: an hour of waiting takes no time."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """The time."""
        return self._now

    def anchor(self) -> None:
        """It is always right."""

    def advance_to(self, moment: float) -> None:
        """Let time pass until `moment`; never back."""
        self._now = max(self._now, moment)
