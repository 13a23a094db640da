"""What is put under httpx: connections that are made as everywhere here, keep a deadline, and own up to what is unread.

httpx hands its timeout to each read anew, so a response that drips a byte at a time lasts for ever. It resolves a name
where nobody can look at the answer, and tries one address after the other. It takes long over each HTTP chunk. All that
is mended where the bytes go through: in the network backend.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType
from typing import Any

import anyio

from modelwire_io.http1.chunk_merging import ChunkMerger
from modelwire_io.net.connect import Dialer, is_readable, time_left
from modelwire_io.net.connect_async import dial
from modelwire_io.net.deadline_streams import DeadlineStream
from modelwire_io.net.proxies import Proxy
from modelwire_io.net.routes import Route

from .failures import explain

# When everything that the current thread does for a request must be over: monotonic time.
_deadline: ContextVar[float] = ContextVar("modelwire_deadline")

# Connects to what httpx asks for, through a SOCKS proxy if need be; TLS and other proxies are httpx's business.
_dialer = Dialer()


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    """Everything inside must be over in so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class GuardedBackend:
    """A blocking network backend of httpcore, or httpcore2 (`core`), that keeps the deadline in force.

    `socks` is a proxy that everything goes through.
    """

    def __init__(self, core: ModuleType, socks: Proxy | None, *, public_only: bool) -> None:
        self._core = core
        self._socks = socks
        self._public_only = public_only
        # There is no public name for it, and nothing else speaks TLS inside of TLS.
        self._stream_type = import_module(f"{core.__name__}._backends.sync").SyncStream

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **_: Any) -> GuardedStream:
        """Connect to the address that answers first."""
        route = Route("http", host, port, self._socks, self._public_only)
        with _said_by(self._core, "Connect"):
            connected = _dialer.dial(route, _end_of(timeout))
        return GuardedStream(self._stream_type(connected), self._core)


class GuardedStream:
    """A blocking network stream, over one of `DeadlineSocket`s, whose every operation ends by the deadline in force."""

    def __init__(self, inner: Any, core: ModuleType) -> None:
        self._inner = inner
        self._socket = inner.get_extra_info("socket")
        self._core = core
        self._merger = ChunkMerger()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at most `max_bytes` of it."""
        self._socket.deadline = _deadline.get()
        while data := self._inner.read(max_bytes, timeout):
            if merged := self._merger.feed(data):
                return merged
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        self._socket.deadline = _deadline.get()
        self._merger.begin(buffer)
        self._inner.write(buffer, timeout)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> GuardedStream:
        """The same under TLS."""
        self._socket.deadline = _deadline.get()
        with _said_by(self._core, "Connect"):
            # CPython keeps the timeout for the handshake as a whole, not for each read in it.
            left = time_left(_end_of(timeout))
        return GuardedStream(self._inner.start_tls(ssl_context, server_hostname, left), self._core)

    def get_extra_info(self, info: str) -> Any:
        """Whether there is something to be read, of a connection that should be silent; of all else nothing."""
        return is_readable(self._socket) if info == "is_readable" else None

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()


class AsyncGuardedBackend:
    """An async network backend, on asyncio and on trio. Deadlines are kept by cancellation."""

    def __init__(self, core: ModuleType, socks: Proxy | None, *, public_only: bool) -> None:
        self._core = core
        self._socks = socks
        self._public_only = public_only

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **_: Any) -> AsyncGuardedStream:
        """Connect to the address that answers first."""
        route = Route("http", host, port, self._socks, self._public_only)
        with _said_by(self._core, "Connect"), anyio.fail_after(timeout):
            connected = await dial(_dialer, route)
        return AsyncGuardedStream(connected, self._core)


class AsyncGuardedStream:
    """An async network stream, over a `DeadlineStream`. What ends the whole of it is a cancellation."""

    def __init__(self, inner: DeadlineStream, core: ModuleType) -> None:
        self._inner = inner
        self._core = core
        self._merger = ChunkMerger()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at most `max_bytes` of it."""
        self._inner.silence = math.inf if timeout is None else timeout
        with _said_by(self._core, "Read"):
            while data := await self._inner.receive(max_bytes):
                if merged := self._merger.feed(data):
                    return merged
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        self._inner.silence = math.inf if timeout is None else timeout
        self._merger.begin(buffer)
        with _said_by(self._core, "Write"):
            await self._inner.send(buffer)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncGuardedStream:
        """The same under TLS. A connection that comes to nothing is closed: httpcore forgets it when cancelled."""
        try:
            with _said_by(self._core, "Connect"), anyio.fail_after(timeout):
                secured = await self._inner.start_tls(ssl_context, server_hostname or "")
        except BaseException:
            await self.aclose()
            raise
        return AsyncGuardedStream(secured, self._core)

    def get_extra_info(self, info: str) -> Any:
        """Whether there is something unread, on a connection that should be silent; of all else nothing."""
        return self._inner.has_unread() if info == "is_readable" else None

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()


def _end_of(timeout: float | None) -> float:
    """When an operation that begins now must be over: monotonic time."""
    return min(_deadline.get(), time.monotonic() + (math.inf if timeout is None else timeout))


@contextmanager
def _said_by(core: ModuleType, operation: str) -> Iterator[None]:
    """What goes wrong, in httpcore's terms."""
    try:
        yield
    except TimeoutError as error:
        raise getattr(core, f"{operation}Timeout")(explain(error)) from error
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        raise getattr(core, f"{operation}Error")(explain(error)) from error
