"""The credentials of one provider at one origin, in the store that all flows share."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelwire.errors import InvalidInput
from modelwire.json import JsonObject, convert_input
from modelwire_io.store.credentials import Lock, Store


class StoredCredentials:
    """The credentials that a store holds for `provider` at `origin`, as the Struct `shape`.

    `environment` holds the values that environment variables supply. Stored credentials that differ from them are
    not used. Only the holder of `lock` may have new credentials issued.
    """

    def __init__(
        self,
        store: Store,
        provider: str,
        origin: str,
        *,
        shape: type[msgspec.Struct],
        environment: Mapping[str, str],
        lock: Lock,
    ) -> None:
        self.lock = lock
        self._store = store
        self._provider = provider
        self._origin = origin
        self._shape = shape
        self._environment = environment

    def load(self) -> msgspec.Struct | None:
        """The stored credentials, or None. Credentials of another shape count as none."""
        stored = self._store.load(self._provider, self._origin)
        try:
            credentials = None if stored is None else convert_input(stored, self._shape, "credentials")
        except InvalidInput:
            return None
        differs = any(getattr(credentials, name, None) != value for name, value in self._environment.items())
        return None if differs else credentials

    def from_environment(self) -> msgspec.Struct | None:
        """The credentials that environment variables supply, or None. Raises `InvalidInput` if they do not fit."""
        return convert_input(self._environment, self._shape, "credentials") if self._environment else None

    def save(self, credentials: JsonObject) -> None:
        self._store.save(self._provider, self._origin, credentials)

    def forget(self, refused: JsonObject | None) -> None:
        """Remove the stored credentials if they are the ones that were refused.

        Does nothing if another flow has stored newer ones, or is about to.
        """
        if not self.lock.acquire(0):
            return
        try:
            if self._store.load(self._provider, self._origin) == refused:
                self._store.save(self._provider, self._origin, None)
        finally:
            self.lock.release()
