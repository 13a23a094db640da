"""What is put under httpx: connections that keep a deadline and go to public addresses alone, where that is asked.

httpx hands its timeout to each read anew, so a response that drips a byte at a time lasts for ever; and it resolves a
name where nobody can look at the answer. Both are mended where the bytes go through: in the network backend.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import anyio

from .addresses import is_public

# When everything that the current thread does for a request must be over: monotonic time.
_deadline: ContextVar[float] = ContextVar("modelwire_deadline")


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    """Everything inside must be over in so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _remaining(timeout: float | None, error: type[Exception]) -> float:
    """The time that one operation may take. Raises `error` where there is none left."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise error("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)


def _addresses(found: Iterable[tuple[Any, ...]]) -> list[str]:
    """The addresses of a name, each once."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _require_public(host: str, addresses: Iterable[str], error: type[Exception]) -> None:
    """All of them must be public: one that is not may be the one that an attacker counts on."""
    if not all(map(is_public, addresses)):
        raise error(f"{host} is not at a public address, and only such are allowed here")


# Bytes handed to httpcore at a time.
_WRITE_SIZE = 16 * 1024


class GuardedBackend:
    """A blocking network backend of httpcore, or httpcore2 (`core`), that keeps the deadline in force."""

    def __init__(self, inner: Any, core: ModuleType, *, public_only: bool) -> None:
        self._inner = inner
        self._core = core
        self._public_only = public_only

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> GuardedStream:
        """Connect to the first address that answers."""
        # Names are resolved here, also where any address will do: inside, each address would get the whole timeout.
        with _resolving(self._core):
            *others, last = _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        if self._public_only:
            _require_public(host, [*others, last], self._core.ConnectError)
        for address in others:
            try:
                return self._connect(address, port, timeout, options)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                pass
        return self._connect(last, port, timeout, options)

    def _connect(self, address: str, port: int, timeout: float | None, options: dict[str, Any]) -> GuardedStream:
        left = _remaining(timeout, self._core.ConnectTimeout)
        return GuardedStream(self._inner.connect_tcp(address, port, timeout=left, **options), self._core)


class GuardedStream:
    """A blocking network stream whose every operation ends by the deadline in force."""

    def __init__(self, inner: Any, core: ModuleType) -> None:
        self._inner = inner
        self._core = core

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at most `max_bytes`."""
        data: bytes = self._inner.read(max_bytes, timeout=_remaining(timeout, self._core.ReadTimeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it, in pieces: httpcore starts its timeout anew whenever the socket has taken something."""
        for start in range(0, len(buffer), _WRITE_SIZE):
            left = _remaining(timeout, self._core.WriteTimeout)
            self._inner.write(buffer[start : start + _WRITE_SIZE], timeout=left)

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        """The same under TLS."""
        left = _remaining(timeout, self._core.ConnectTimeout)
        return GuardedStream(self._inner.start_tls(ssl_context, server_hostname, left), self._core)

    def get_extra_info(self, info: str) -> Any:
        """What the inner stream says of itself."""
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()


class AsyncGuardedBackend:
    """An async network backend. Deadlines are kept by cancellation; only addresses are its business."""

    def __init__(self, inner: Any, core: ModuleType, *, public_only: bool) -> None:
        self._inner = inner
        self._core = core
        self._public_only = public_only

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> Any:
        """Connect to the first address that answers."""
        with _resolving(self._core):
            if not self._public_only:
                return AsyncGuardedStream(await self._inner.connect_tcp(host, port, timeout=timeout, **options))
            *others, last = _addresses(await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        _require_public(host, [*others, last], self._core.ConnectError)
        for address in others:
            try:
                return AsyncGuardedStream(await self._inner.connect_tcp(address, port, timeout=timeout, **options))
            except (self._core.ConnectError, self._core.ConnectTimeout):
                pass
        return AsyncGuardedStream(await self._inner.connect_tcp(last, port, timeout=timeout, **options))


class AsyncGuardedStream:
    """An async network stream that is closed where its TLS handshake is cancelled, which httpcore forgets."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.read = inner.read
        self.write = inner.write
        self.aclose = inner.aclose
        self.get_extra_info = inner.get_extra_info

    async def start_tls(self, *arguments: Any, **options: Any) -> Any:
        """The same under TLS."""
        try:
            return await self._inner.start_tls(*arguments, **options)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._inner.aclose()
            raise


@contextmanager
def _resolving(core: ModuleType) -> Iterator[None]:
    """A name that cannot be resolved, or that is none, is a failure to connect."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        raise core.ConnectError(str(error)) from error
