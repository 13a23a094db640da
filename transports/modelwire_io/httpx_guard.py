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
from typing import Any, NamedTuple

import anyio

from .addresses import is_public


class Guard(NamedTuple):
    """What holds for the request that the current thread or task is working on; `deadline` is monotonic time."""

    deadline: float
    public_only: bool


_guard: ContextVar[Guard | None] = ContextVar("modelwire_guard", default=None)


@contextmanager
def guarded(seconds: float, *, public_only: bool) -> Iterator[None]:
    """Everything inside must be over in so many seconds."""
    token = _guard.set(Guard(time.monotonic() + seconds, public_only))
    try:
        yield
    finally:
        _guard.reset(token)


def _remaining(timeout: float | None, error: type[Exception]) -> float | None:
    """The time that one operation may take. Raises `error` where there is none left."""
    guard = _guard.get()
    if guard is None:
        return timeout
    left = guard.deadline - time.monotonic()
    if left <= 0:
        raise error("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)


def _public_hosts(host: str, found: Iterable[tuple[Any, ...]], error: type[Exception]) -> list[str]:
    """The addresses of a name, all of them public; one that is not may be the one that an attacker counts on."""
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(map(is_public, addresses)):
        raise error(f"{host} is not at a public address, and only such are allowed here")
    return addresses


class GuardedBackend:
    """A blocking network backend of httpcore, or httpcore2 (`core`), under a guard."""

    def __init__(self, inner: Any, core: ModuleType) -> None:
        self._inner = inner
        self._core = core

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> GuardedStream:
        """Connect to the first address that answers."""
        guard = _guard.get()
        hosts = [host]
        if guard is not None and guard.public_only:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise self._core.ConnectError(str(error)) from error
            hosts = _public_hosts(host, found, self._core.ConnectError)
        for number, address in enumerate(hosts, start=1):
            try:
                left = _remaining(timeout, self._core.ConnectTimeout)
                return GuardedStream(self._inner.connect_tcp(address, port, timeout=left, **options), self._core)
            except self._core.ConnectError:
                if number == len(hosts):
                    raise
        raise AssertionError("there is always an address to try")

    def sleep(self, seconds: float) -> None:
        """What httpcore does between retries of its own, which are off."""
        self._inner.sleep(seconds)


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
        """Send all of it."""
        self._inner.write(buffer, timeout=_remaining(timeout, self._core.WriteTimeout))

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
    """An async network backend under a guard. Deadlines are kept by cancellation; only addresses are its business."""

    def __init__(self, inner: Any, core: ModuleType) -> None:
        self._inner = inner
        self._core = core

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> Any:
        """Connect to the first address that answers."""
        guard = _guard.get()
        if guard is None or not guard.public_only:
            return await self._inner.connect_tcp(host, port, timeout=timeout, **options)
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self._core.ConnectError(str(error)) from error
        hosts = _public_hosts(host, found, self._core.ConnectError)
        for number, address in enumerate(hosts, start=1):
            try:
                return await self._inner.connect_tcp(address, port, timeout=timeout, **options)
            except self._core.ConnectError:
                if number == len(hosts):
                    raise
        raise AssertionError("there is always an address to try")

    async def sleep(self, seconds: float) -> None:
        """What httpcore does between retries of its own, which are off."""
        await self._inner.sleep(seconds)
