"""The credentials of one provider at one origin, where all flows that use them find them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelwire.errors import InvalidInput
from modelwire.json import JsonObject, convert_input
from modelwire_io.store.credentials import Lock, Store


class StoredCredentials:
    """What a store keeps for `provider` at `origin`, in the `shape` of the provider's credentials.

    `brought` are values that the environment has for them; what is kept with other ones is not taken. Only who holds
    `lock` gets new credentials issued.
    """

    def __init__(
        self,
        store: Store,
        provider: str,
        origin: str,
        *,
        shape: type[msgspec.Struct],
        brought: Mapping[str, str],
        lock: Lock,
    ) -> None:
        self.lock = lock
        self._store = store
        self._provider = provider
        self._origin = origin
        self._shape = shape
        self._brought = brought

    def load(self) -> msgspec.Struct | None:
        """What is kept, or None; what does not fit (any more) is as good as none."""
        kept = self._store.load(self._provider, self._origin)
        try:
            held = None if kept is None else convert_input(kept, self._shape, "credentials")
        except InvalidInput:
            return None
        differs = any(getattr(held, name, None) != value for name, value in self._brought.items())
        return None if differs else held

    def brought(self) -> msgspec.Struct | None:
        """What the environment has, or None. Raises `InvalidInput` where it does not fit."""
        return convert_input(self._brought, self._shape, "credentials") if self._brought else None

    def save(self, credentials: JsonObject) -> None:
        """Keep these from now on."""
        self._store.save(self._provider, self._origin, credentials)

    def forget(self, refused: JsonObject | None) -> None:
        """Keep nothing, if what is kept was refused: not where others have got new ones, or are about to."""
        if not self.lock.acquire(0):
            return
        try:
            if self._store.load(self._provider, self._origin) == refused:
                self._store.save(self._provider, self._origin, None)
        finally:
            self.lock.release()
