"""Tokens, keys and ids that an emulated service issues."""

from __future__ import annotations

import hashlib


class TokenFactory:
    """Makes tokens that cannot be guessed. The same entropy makes the same tokens, in the same order."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._count = 0

    def make(self, purpose: str) -> str:
        """A new token of 32 hexadecimal digits."""
        self._count += 1
        return hashlib.blake2b(b"%s %d %s" % (purpose.encode(), self._count, self._entropy), digest_size=16).hexdigest()
