"""Where credentials and conversations are kept: by provider and origin, in private files, or in memory."""

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

# Seconds to wait for another process that is writing the same file.
LOCK_TIMEOUT = 10.0
# Seconds between two looks at a lock that another process holds.
_POLL = 0.01
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


class Lock(Protocol):
    """What one holds and others wait for. Any thread may release it."""

    def acquire(self, timeout: float) -> bool:
        """Wait for it, so many seconds at most (0: not at all); whether it is held now."""
        ...

    def release(self) -> None:
        """Let others have it."""
        ...


@runtime_checkable
class LockingStore(Protocol):
    """A store that others use as well has this besides; for one without it, only flows of one client wait in turn."""

    def lock(self, provider: str, origin: str) -> Lock:
        """What is held while new credentials are got for it: not needed to load and to save."""
        ...


class Locks:
    """Locks that hold within the process."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], _ThreadLock] = {}

    def lock(self, provider: str, origin: str) -> Lock:
        """The one lock for this provider and origin."""
        return self._locks.setdefault((provider, origin), _ThreadLock())


class _ThreadLock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def release(self) -> None:
        self._lock.release()


class MemoryStore(Locks):
    """A store that goes away with the process."""

    def __init__(self) -> None:
        super().__init__()
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
        lock = _FileLock(self.directory / f".{provider}.lock", self.path(provider))
        if not lock.acquire(LOCK_TIMEOUT):
            raise PrivateFileError(
                f"another process holds {self.path(provider)} for more than {LOCK_TIMEOUT:g} seconds: try again"
            )
        try:
            self._change(provider, origin, value)
        finally:
            lock.release()

    def lock(self, provider: str, origin: str) -> Lock:
        """What is held while new credentials are got, here or in another process; one that ends lets go of it."""
        digest = hashlib.sha256(origin.encode(errors="surrogatepass")).hexdigest()[:16]
        return _FileLock(self.directory / f".{provider}-{digest}.lock", self.path(provider))

    def _change(self, provider: str, origin: str, value: JsonObject | None) -> None:
        # Read again under the lock: another process may have written since.
        content = self._read(provider)
        if value is None:
            content.origins.pop(origin, None)
            content.saved.pop(origin, None)
        else:
            content.origins[origin] = value
            content.saved[origin] = time.time()
        # What a writer left that was killed: nobody else writes now.
        remove_leftovers(self.path(provider))
        write_private(self.path(provider), msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

    def _read(self, provider: str) -> _File:
        path = self.path(provider)
        check_private_directory(self.directory)
        data = read_private(path)
        if data is None:
            return _File(VERSION, {})
        try:
            if msgspec.json.decode(data, type=_Version).version != VERSION:
                raise PrivateFileError(f"{path} was written by another release of modelwire: delete it to begin anew")
            return msgspec.json.decode(data, type=_File)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise PrivateFileError(f"{path} is damaged: mend it, or delete it to begin anew") from None


class _FileLock:
    """A lock of the operating system on a file beside `guarded`: it ends with the process that holds it."""

    def __init__(self, path: Path, guarded: Path) -> None:
        self._guarded = guarded
        self._directory = path.parent
        # It takes long to import: only now is it needed.
        from filelock import FileLock, Timeout

        self._timeout = Timeout
        # Not of one thread: an async caller may save in another than it waits in.
        self._lock = FileLock(path, mode=0o600, thread_local=False, poll_interval=_POLL)

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
    """Where credentials are kept by default."""
    return platformdirs.user_data_path("modelwire") / "credentials"


def conversations_directory() -> Path:
    """Where the command line keeps the conversations that it can go on with."""
    return platformdirs.user_state_path("modelwire") / "conversations"
