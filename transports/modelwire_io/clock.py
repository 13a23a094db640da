"""What time it is: the one clock that a driver hands to a flow."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Unix time in seconds, which never goes back."""

    def now(self) -> float:
        """The time."""
        ...


class SystemClock:
    """Anchored to the wall clock once, advanced by the monotonic one: a clock that is set does no harm."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

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

    def advance_to(self, moment: float) -> None:
        """Let time pass until `moment`; never back."""
        self._now = max(self._now, moment)
