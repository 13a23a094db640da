"""A dictionary whose entries expire."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

V = TypeVar("V")


class ExpiringDict(Generic[V]):
    """Values by key, each with its own time of expiry. Beyond `capacity` entries, the oldest are dropped."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[str, tuple[float, V]] = {}  # by key: the Unix time of expiry, and the value

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, value: V, now: float, lifetime: float = math.inf) -> None:
        """Store a value for `lifetime` seconds, as the newest entry."""
        self._entries.pop(key, None)
        self._entries[key] = (now + lifetime, value)
        while len(self._entries) > self._capacity or self._is_oldest_expired(now):
            del self._entries[next(iter(self._entries))]

    def get(self, key: str, now: float) -> V | None:
        """The value, or None if it was never stored, has expired or was dropped."""
        expiry, value = self._entries.get(key, (-math.inf, None))
        return value if now < expiry else None

    def pop(self, key: str, now: float) -> V | None:
        """Remove an entry, and return its value as `get` does."""
        value = self.get(key, now)
        self._entries.pop(key, None)
        return value

    def _is_oldest_expired(self, now: float) -> bool:
        # Each caller gives all entries of one dictionary the same lifetime, so the oldest expires first.
        return bool(self._entries) and next(iter(self._entries.values()))[0] <= now
