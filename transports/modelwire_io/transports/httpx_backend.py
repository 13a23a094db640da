"""A network backend for httpcore. It dials like our other transports and enforces one deadline for each request.

httpx starts its timeout again at each read, so a response that drips a byte at a time lasts for ever. It also resolves
names where nobody can check the addresses, and reuses a connection on which bytes came after a response.
`network_backend` is a public argument of httpcore's pools
(https://www.encode.io/httpcore/network-backends/).
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import anyio

from modelwire_io.http1.response_bytes import ResponseBytes
from modelwire_io.net.connect import Dialer, is_readable, time_left
from modelwire_io.net.connect_async import dial
from modelwire_io.net.deadline_sockets import DeadlineSocket, DeadlineTlsSocket
from modelwire_io.net.deadline_streams import DeadlineStream
from modelwire_io.net.proxies import Proxy
from modelwire_io.net.routes import Route

from .failures import error_text

# When all work of the current thread for its request must end: monotonic time, seconds.
_deadline: ContextVar[float] = ContextVar("modelwire_deadline", default=math.inf)

# Connects to the hosts that httpcore asks for, through a SOCKS proxy if need be. httpcore does TLS and other proxies.
_dialer = Dialer()


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    """Every operation inside must end within `seconds`."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class DeadlineBackend:
    """A blocking network backend of httpcore, or httpcore2 (`core`). `socks` is a proxy for all connections."""

    def __init__(self, core: ModuleType, socks: Proxy | None, *, public_only: bool) -> None:
        self._core = core
        self._socks = socks
        self._public_only = public_only

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **_: Any) -> DeadlineNetworkStream:
        """Connect to the address that answers first."""
        route = Route("http", host, port, self._socks, self._public_only)
        with _map_errors(self._core, "Connect"):
            connected = _dialer.dial(route, _deadline_after(timeout))
        return DeadlineNetworkStream(connected, self._core)


class DeadlineNetworkStream:
    """A blocking network stream of httpcore over a socket that keeps the deadline."""

    def __init__(self, connected: DeadlineSocket | DeadlineTlsSocket, core: ModuleType) -> None:
        self._socket = connected
        self._core = core
        self._received = ResponseBytes()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read up to `max_bytes`."""
        self._prepare(timeout)
        with _map_errors(self._core, "Read"):
            while data := self._socket.recv(max_bytes):
                if merged := self._received.feed(data):
                    return merged
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._prepare(timeout)
        self._received.begin(buffer)
        with _map_errors(self._core, "Write"):
            self._socket.sendall(buffer)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> DeadlineNetworkStream:
        """The same connection under TLS."""
        try:
            with _map_errors(self._core, "Connect"):
                # CPython takes the timeout for the handshake as a whole, not for each read in it.
                self._socket.settimeout(time_left(_deadline_after(timeout)))
                secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        assert isinstance(secured, DeadlineTlsSocket)
        return DeadlineNetworkStream(secured, self._core)

    def get_extra_info(self, info: str) -> Any:
        """Answer `is_readable`: True if an idle connection must not be reused, since data or EOF is waiting."""
        return self._received.must_not_reuse or is_readable(self._socket) if info == "is_readable" else None

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _prepare(self, timeout: float | None) -> None:
        self._socket.deadline = _deadline.get()
        self._socket.settimeout(timeout)


class AsyncDeadlineBackend:
    """An async network backend, on asyncio and on trio. Cancellation enforces deadlines."""

    def __init__(self, core: ModuleType, socks: Proxy | None, *, public_only: bool) -> None:
        self._core = core
        self._socks = socks
        self._public_only = public_only

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **_: Any
    ) -> AsyncDeadlineNetworkStream:
        """Connect to the address that answers first."""
        route = Route("http", host, port, self._socks, self._public_only)
        with _map_errors(self._core, "Connect"), anyio.fail_after(timeout):
            connected = await dial(_dialer, route)
        return AsyncDeadlineNetworkStream(connected, self._core)


class AsyncDeadlineNetworkStream:
    """An async network stream of httpcore over a `DeadlineStream`."""

    def __init__(self, inner: DeadlineStream, core: ModuleType) -> None:
        self._inner = inner
        self._core = core
        self._received = ResponseBytes()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read up to `max_bytes`."""
        self._inner.silence = math.inf if timeout is None else timeout
        with _map_errors(self._core, "Read"):
            while data := await self._inner.receive(max_bytes):
                if merged := self._received.feed(data):
                    return merged
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._inner.silence = math.inf if timeout is None else timeout
        self._received.begin(buffer)
        with _map_errors(self._core, "Write"):
            await self._inner.send(buffer)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncDeadlineNetworkStream:
        """The same connection under TLS. If that fails, it is closed: httpcore forgets it when it is cancelled."""
        try:
            with _map_errors(self._core, "Connect"), anyio.fail_after(timeout):
                secured = await self._inner.start_tls(ssl_context, server_hostname or "")
        except BaseException:
            await self.aclose()
            raise
        return AsyncDeadlineNetworkStream(secured, self._core)

    def get_extra_info(self, info: str) -> Any:
        """Answer `is_readable`: True if an idle connection must not be reused, since data or EOF is waiting."""
        return self._received.must_not_reuse or self._inner.has_unread() if info == "is_readable" else None

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()


def _deadline_after(timeout: float | None) -> float:
    """When an operation that begins now must end: monotonic time, seconds."""
    return min(_deadline.get(), time.monotonic() + (math.inf if timeout is None else timeout))


@contextmanager
def _map_errors(core: ModuleType, operation: str) -> Iterator[None]:
    """Raise errors of the operation as httpcore's."""
    try:
        yield
    except TimeoutError as error:
        raise getattr(core, f"{operation}Timeout")(error_text(error)) from error
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        raise getattr(core, f"{operation}Error")(error_text(error)) from error
