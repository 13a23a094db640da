"""Everything random that a flow needs, drawn from the entropy that it was started with.

Each draw is HMAC-SHA-256 of a counter and of the id of the last request: two flows that share their entropy but not
their place in the session (one was restored from a snapshot of the other) never draw the same.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Entropy:
    """A source of draws: the same key, in the same order, gives the same values."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._draws = 0

    def draw(self, size: int, request_id: int) -> bytes:
        """`size` bytes, at most 32."""
        self._draws += 1
        return hmac.digest(self._key, b"%d:%d" % (request_id, self._draws), "sha256")[:size]


def as_uuid(data: bytes) -> str:
    """Sixteen bytes as a UUID of version 4 (RFC 9562)."""
    return str(uuid.UUID(bytes=data[:16], version=4))


def as_fraction(data: bytes) -> float:
    """Seven bytes as a number in [0, 1), with the 53 bits that a float holds."""
    return (int.from_bytes(data[:7], "big") >> 3) / (1 << 53)


def as_choice(data: bytes, options: Sequence[T]) -> T:
    """One of `options`. 256 bits against any list that fits in memory leave no bias that could be seen."""
    return options[int.from_bytes(data, "big") % len(options)]
