"""All random values of a flow, drawn from the entropy of its `Start`.

Each draw is HMAC-SHA-256 of a counter and of the id of the last request. So two flows with the same entropy, one
restored from a snapshot of the other, never draw the same values after it.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Entropy:
    """A source of draws: the same key gives the same values in the same order."""

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
    """One of `options`. 256 bits leave no visible bias for any list that fits in memory."""
    return options[int.from_bytes(data, "big") % len(options)]
