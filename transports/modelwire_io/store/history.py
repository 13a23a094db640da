"""The last conversation with a provider, saved so that the command line can continue it."""

from __future__ import annotations

import msgspec

from modelwire.json import JsonObject
from modelwire.messages import Message

from .credentials import FileStore, MemoryStore, Store, conversations_directory
from .private_files import PrivateFileError


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of a conversation, and the state that the provider needs to continue it."""

    messages: tuple[Message, ...]
    conversation: JsonObject | None = None

    def __repr__(self) -> str:
        return f"History(<{len(self.messages)} messages>)"


class HistoryFile:
    """The last conversation with one provider at one origin."""

    def __init__(self, store: Store, provider: str, origin: str) -> None:
        self._store = store
        self._provider = provider
        self._origin = origin

    def load(self) -> History | None:
        """Return the last conversation, or None. Raises `PrivateFileError` if it cannot be read."""
        saved = self._store.load(self._provider, self._origin)
        try:
            return None if saved is None else msgspec.convert(saved, History)
        except msgspec.ValidationError as error:
            raise PrivateFileError(f"the saved conversation with {self._provider} is damaged: {error}") from None

    def save(self, history: History) -> None:
        """Save a conversation in place of the earlier one."""
        self._store.save(self._provider, self._origin, msgspec.to_builtins(history))


def open_history(provider: str, origin: str, *, is_saved: bool) -> HistoryFile:
    """The history of a provider at an origin: in a private file of the user if `is_saved`, otherwise in memory."""
    store: Store = FileStore(conversations_directory()) if is_saved else MemoryStore()
    return HistoryFile(store, provider, origin)
