"""Stores of credentials and conversations by provider and origin: in private files, or in memory."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec
import platformdirs

from modelwire.json import JsonObject

from .private_files import (
    PrivateFileError,
    check_private_directory,
    make_private_directory,
    read_private,
    remove_leftovers,
    write_private,
)

# Seconds: the longest wait for another process that is writing the same file.
LOCK_TIMEOUT = 10.0
# Seconds: the pause between two attempts to take a lock that another process holds.
_LOCK_POLL_SECONDS = 0.01
# The version of the file format.
FILE_VERSION = 1


class Store(Protocol):
    """Stores one JSON object for each provider and origin. It never returns an object for another origin."""

    def load(self, provider: str, origin: str) -> JsonObject | None:
        """Return the stored object, or None."""
        ...

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        """Store `value`. None removes the stored object."""
        ...


class Lock(Protocol):
    """A lock that one holder has at a time. Any thread may release it."""

    def acquire(self, timeout: float) -> bool:
        """Take the lock. Waits `timeout` seconds at most; 0 does not wait. Returns whether the lock is held now."""
        ...

    def release(self) -> None:
        """Release the lock, so that others can take it."""
        ...


@runtime_checkable
class LockingStore(Protocol):
    """A store with a lock for users of the same store in other clients or processes.

    Without it, only the flows of one client take turns at getting new credentials.
    """

    def lock(self, provider: str, origin: str) -> Lock:
        """Return the lock to hold while getting new credentials. `load` and `save` do not need it."""
        ...


class Locks:
    """Locks within this process, one for each provider and origin."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], _ThreadLock] = {}

    def lock(self, provider: str, origin: str) -> Lock:
        return self._locks.setdefault((provider, origin), _ThreadLock())


class _ThreadLock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def release(self) -> None:
        self._lock.release()


class MemoryStore(Locks):
    """A store in memory. It is lost when the process ends."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[tuple[str, str], JsonObject] = {}

    def load(self, provider: str, origin: str) -> JsonObject | None:
        return self._objects.get((provider, origin))

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        if value is None:
            self._objects.pop((provider, origin), None)
        else:
            self._objects[provider, origin] = value


class _Version(msgspec.Struct):
    """The part of a file that every release can read."""

    version: int


class _File(msgspec.Struct):
    """The content of a file: an object for each origin, and when it was saved (Unix time, seconds) if that is known."""

    version: int
    origins: dict[str, JsonObject]
    saved: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"_File(<{', '.join(self.origins)}>)"


class StoredEntry(NamedTuple):
    """The provider and origin of a stored object, without the object.

    `since` is when it was saved (Unix time, seconds), or None if that is not known.
    """

    provider: str
    origin: str
    since: float | None


class FileStore:
    """A store with one private file for each provider, `NAME.json` in `directory`. Writes are atomic and locked.

    Raises `PrivateFileError` if a file is damaged or not safe to use. Such a file is never overwritten.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, provider: str) -> Path:
        """The path of a provider's file."""
        return self.directory / f"{provider}.json"

    def load(self, provider: str, origin: str) -> JsonObject | None:
        return self._read(provider).origins.get(origin)

    def entries(self) -> Iterator[StoredEntry]:
        """Every stored entry, sorted by provider and origin."""
        names = sorted(path.stem for path in self.directory.glob("*.json")) if self.directory.is_dir() else []
        for name in names:
            content = self._read(name)
            yield from (StoredEntry(name, origin, content.saved.get(origin)) for origin in sorted(content.origins))

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        lock = _FileLock(self.directory / f".{provider}.lock", self.path(provider))
        if not lock.acquire(LOCK_TIMEOUT):
            raise PrivateFileError(
                f"another process has locked {self.path(provider)} for more than {LOCK_TIMEOUT:g} seconds: try again"
            )
        try:
            self._change(provider, origin, value)
        finally:
            lock.release()

    def lock(self, provider: str, origin: str) -> Lock:
        """Return a lock that other processes respect, too. A process that ends releases it."""
        digest = hashlib.sha256(origin.encode(errors="surrogatepass")).hexdigest()[:16]
        return _FileLock(self.directory / f".{provider}-{digest}.lock", self.path(provider))

    def _change(self, provider: str, origin: str, value: JsonObject | None) -> None:
        # Read the file under the lock: another process may have changed it since the caller read it.
        content = self._read(provider)
        if value is None:
            content.origins.pop(origin, None)
            content.saved.pop(origin, None)
        else:
            content.origins[origin] = value
            content.saved[origin] = time.time()
        # Files of writers that were killed. This process holds the lock, so no other writer is at work.
        remove_leftovers(self.path(provider))
        write_private(self.path(provider), msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

    def _read(self, provider: str) -> _File:
        path = self.path(provider)
        check_private_directory(self.directory)
        data = read_private(path)
        if data is None:
            return _File(FILE_VERSION, {})
        try:
            if msgspec.json.decode(data, type=_Version).version != FILE_VERSION:
                raise PrivateFileError(f"{path} was written by another release of modelwire: delete it to start over")
            return msgspec.json.decode(data, type=_File)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise PrivateFileError(f"{path} is damaged: repair it, or delete it to start over") from None


class _FileLock:
    """A lock of the operating system on a file beside `guarded`. It is released if its process ends."""

    def __init__(self, path: Path, guarded: Path) -> None:
        self._guarded = guarded
        self._directory = path.parent
        # Imported here because the import is slow.
        from filelock import FileLock, Timeout

        self._timeout = Timeout
        # Not thread-local: an async caller may take and release the lock in different threads.
        self._lock = FileLock(path, mode=0o600, thread_local=False, poll_interval=_LOCK_POLL_SECONDS)

    def acquire(self, timeout: float) -> bool:
        make_private_directory(self._directory)
        try:
            self._lock.acquire(timeout=timeout)
        except self._timeout:
            return False
        except OSError as error:
            raise PrivateFileError(f"cannot lock {self._guarded}: {error.strerror or error}") from None
        return True

    def release(self) -> None:
        self._lock.release()


def credentials_directory() -> Path:
    """The default directory of stored credentials."""
    return platformdirs.user_data_path("modelwire") / "credentials"


def conversations_directory() -> Path:
    """The directory of the conversations that the command line can continue."""
    return platformdirs.user_state_path("modelwire") / "conversations"
