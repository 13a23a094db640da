"""What an emulated service keeps: values that are forgotten in time, and secrets of its own making."""

from __future__ import annotations

import hashlib
import math
from typing import Generic, TypeVar

V = TypeVar("V")


class Memory(Generic[V]):
    """Values by key, each until a time of its own (Unix time, seconds); beyond `most` of them the oldest go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: str, value: V, now: float, life: float = math.inf) -> None:
        """Keep a value for `life` seconds, as the newest."""
        self._kept.pop(key, None)
        self._kept[key] = (now + life, value)
        while len(self._kept) > self._most or self._is_first_expired(now):
            del self._kept[next(iter(self._kept))]

    def get(self, key: str, now: float) -> V | None:
        """The value, or None where it was never there, has expired or had to go."""
        until, value = self._kept.get(key, (-math.inf, None))
        return value if now < until else None

    def pop(self, key: str, now: float) -> V | None:
        """The value, which is forgotten with that."""
        value = self.get(key, now)
        self._kept.pop(key, None)
        return value

    def _is_first_expired(self, now: float) -> bool:
        # Everything in one memory lives equally long, so the first to come is the first to go.
        return bool(self._kept) and next(iter(self._kept.values()))[0] <= now


class TokenFactory:
    """Makes tokens, keys and ids that nobody guesses: the same entropy makes the same ones, in the same order."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._made = 0

    def make(self, what: str) -> str:
        """32 hexadecimal digits, for `what`."""
        self._made += 1
        return hashlib.blake2b(b"%s %d %s" % (what.encode(), self._made, self._entropy), digest_size=16).hexdigest()
