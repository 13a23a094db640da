"""The last conversation with a provider, as the command line keeps it to go on with."""

from __future__ import annotations

import msgspec

from modelwire.json import JsonObject
from modelwire.messages import Message

from .credentials import FileStore, MemoryStore, Store, conversations_directory
from .private_files import PrivateFileError


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, and what the provider needs to go on with it."""

    messages: tuple[Message, ...]
    conversation: JsonObject | None = None

    def __repr__(self) -> str:
        return f"History(<{len(self.messages)} messages>)"


class HistoryFile:
    """The last conversation with one provider at one address."""

    def __init__(self, store: Store, provider: str, origin: str) -> None:
        self._store = store
        self._provider = provider
        self._origin = origin

    def load(self) -> History | None:
        """The last conversation, or None. Raises `PrivateFileError` for one that cannot be read."""
        kept = self._store.load(self._provider, self._origin)
        try:
            return None if kept is None else msgspec.convert(kept, History)
        except msgspec.ValidationError as error:
            raise PrivateFileError(f"the kept conversation with {self._provider} is damaged: {error}") from None

    def save(self, history: History) -> None:
        """Keep it, instead of the one before."""
        self._store.save(self._provider, self._origin, msgspec.to_builtins(history))


def open_history(provider: str, origin: str, *, is_kept: bool) -> HistoryFile:
    """The history of a provider at an address, in a private file of the user's or, if not `is_kept`, nowhere."""
    store: Store = FileStore(conversations_directory()) if is_kept else MemoryStore()
    return HistoryFile(store, provider, origin)
