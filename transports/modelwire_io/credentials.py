"""Where credentials and conversations are kept: by provider and origin, in private files, or in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import filelock
import msgspec
import platformdirs

from modelwire.json import JsonObject

from .private_files import PrivateFileError, make_private_directory, read_private, write_private

# Seconds to wait for another process that is writing the same file.
LOCK_TIMEOUT = 10.0
# Of what the files look like.
VERSION = 1


class Store(Protocol):
    """Keeps one JSON object for each provider and origin. What was issued for one origin is never given to another."""

    def load(self, provider: str, origin: str) -> JsonObject | None:
        """What is kept, or None."""
        ...

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        """Keep `value`; None forgets."""
        ...


class MemoryStore:
    """A store that goes away with the process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], JsonObject] = {}

    def load(self, provider: str, origin: str) -> JsonObject | None:
        """What is kept, or None."""
        return self._kept.get((provider, origin))

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        """Keep `value`; None forgets."""
        if value is None:
            self._kept.pop((provider, origin), None)
        else:
            self._kept[provider, origin] = value


class _Version(msgspec.Struct):
    """What every release can read of a file."""

    version: int


class _File(msgspec.Struct):
    """What one file holds: an object for each origin, and when each was saved (Unix time), where that is known."""

    version: int
    origins: dict[str, JsonObject]
    saved: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"_File(<{', '.join(self.origins)}>)"


class Kept(NamedTuple):
    """For what something is kept, and since when (Unix time; None where that is not known): never what."""

    provider: str
    origin: str
    since: float | None


class FileStore:
    """A store of one file for each provider, `NAME.json` in `directory`: private, atomic, under a lock.

    Raises `PrivateFileError` for a file that is damaged or not safe to use; it is never overwritten.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, provider: str) -> Path:
        """The file of one provider."""
        return self.directory / f"{provider}.json"

    def load(self, provider: str, origin: str) -> JsonObject | None:
        """What is kept, or None."""
        return self._read(provider).origins.get(origin)

    def entries(self) -> Iterator[Kept]:
        """For what something is kept, by provider and origin."""
        names = sorted(path.stem for path in self.directory.glob("*.json")) if self.directory.is_dir() else []
        for name in names:
            content = self._read(name)
            yield from (Kept(name, origin, content.saved.get(origin)) for origin in sorted(content.origins))

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        """Keep `value`; None forgets."""
        make_private_directory(self.directory)
        lock = filelock.FileLock(self.directory / f".{provider}.lock", timeout=LOCK_TIMEOUT, mode=0o600)
        try:
            with lock:
                self._change(provider, origin, value)
        except filelock.Timeout:
            raise PrivateFileError(
                f"another process holds {self.path(provider)} for more than {LOCK_TIMEOUT:g} seconds: try again"
            ) from None
        except OSError as error:
            raise PrivateFileError(f"cannot lock {self.path(provider)}: {error.strerror or error}") from None

    def _change(self, provider: str, origin: str, value: JsonObject | None) -> None:
        # Read again under the lock: another process may have written since.
        content = self._read(provider)
        if value is None:
            content.origins.pop(origin, None)
            content.saved.pop(origin, None)
        else:
            content.origins[origin] = value
            content.saved[origin] = time.time()
        write_private(self.path(provider), msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

    def _read(self, provider: str) -> _File:
        path = self.path(provider)
        data = read_private(path)
        if data is None:
            return _File(VERSION, {})
        try:
            if msgspec.json.decode(data, type=_Version).version != VERSION:
                raise PrivateFileError(f"{path} was written by another release of modelwire: delete it to begin anew")
            return msgspec.json.decode(data, type=_File)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise PrivateFileError(f"{path} is damaged: mend it, or delete it to begin anew") from None


def credentials_directory() -> Path:
    """Where credentials are kept by default."""
    return platformdirs.user_data_path("modelwire") / "credentials"


def conversations_directory() -> Path:
    """Where the command line keeps the conversations that it can go on with."""
    return platformdirs.user_state_path("modelwire") / "conversations"
