"""h11 over plain sockets, and over anyio streams: the transports that need no HTTP library.

Both drive an `Http11Connection`; what is left to them is to connect, to read and write in time, and to keep
connections for the next request.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from ssl import SSLError

import anyio
import anyio.abc

from modelwire.commands import SendRequest
from modelwire.errors import FlowFailed
from modelwire.events import Event, RequestFailed, RequestFailureKind, Woken

from .async_dialing import close_now, dial, has_unread
from .clock import SystemClock
from .connection_pool import ConnectionPool
from .dialing import Dialer, is_readable
from .http11 import Http11Connection
from .proxies import ProxyTable
from .punctual_sockets import PunctualSocket, PunctualTlsSocket
from .routes import Route, find_route

READ_SIZE = WRITE_SIZE = 64 * 1024  # bytes

# Seconds by which a timer may fire too early; an early `Woken` does no harm.
EARLY = 0.005

_BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


class H11Transport:
    """A blocking transport over plain sockets.

    `proxy` is for every request (`""`: none), by default the environment's. Raises `InvalidInput` for a proxy that
    is none.
    """

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self.dialer = Dialer()
        self.pool: ConnectionPool[H11Connection] = ConnectionPool()

    def open(self, command: SendRequest) -> H11Exchange:
        """Begin an exchange."""
        return H11Exchange(self, command)

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close every connection that waits for a request, and keep none from now on."""
        for connection in self.pool.close():
            connection.socket.close()

    def take(self, route: Route) -> H11Connection | None:
        """A kept connection that is still good."""
        while True:
            found, expired = self.pool.take(route, time.monotonic())
            for connection in expired:
                connection.socket.close()
            if found is None or not is_readable(found.socket):
                return found
            found.socket.close()

    def put(self, route: Route, connection: H11Connection) -> None:
        """Keep a connection for the next request, or close it where it is good for none."""
        dropped = [connection]
        if connection.http.is_reusable:
            dropped = self.pool.put(route, connection, time.monotonic())
        for entry in dropped:
            entry.socket.close()


class H11Connection:
    """A socket, and the state of HTTP on it."""

    def __init__(self, connected: PunctualSocket | PunctualTlsSocket) -> None:
        self.socket = connected
        self.http = Http11Connection()


class H11Exchange:
    """One request over a socket."""

    def __init__(self, transport: H11Transport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._route: Route | None = None
        self._connection: H11Connection | None = None
        self._progress = _Progress()

    def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        connection = self._connection
        event = None if connection is None else connection.http.next_event()
        return self._advance(until) if event is None else event

    def close(self) -> None:
        """Let go of the connection: keep it if its response is over, else close it."""
        connection, self._connection = self._connection, None
        if connection is not None and self._route is not None:
            self._transport.put(self._route, connection)

    def _advance(self, until: float) -> Event:
        """Read, or connect and send first, until there is an event."""
        connection = self._connection
        self._progress.check(connection.http if connection is not None else None)
        deadline = time.monotonic() + until - self._transport.clock.now()
        try:
            if connection is None:
                connection = self._begin(deadline)
            else:
                connection.socket.deadline = deadline
            while (event := connection.http.next_event()) is None:
                connection = self._read(connection)
            return event
        except (FlowFailed, *_BROKEN) as error:
            is_due = time.monotonic() >= deadline - EARLY
            return self._progress.fail(self._request_id, error, is_due=is_due)

    def _begin(self, deadline: float, *, again: bool = False) -> H11Connection:
        """Connect, or take a kept connection, and send the request.

        A request that must not be sent twice gets a new connection: a kept one may turn out dead only after that.
        """
        route = self._route = find_route(self._request, self._transport.proxies)
        kept = self._transport.take(route) if self._request.repeatable and not again else None
        self._progress.is_kept = kept is not None
        if kept is None:
            connected = self._transport.dialer.dial(route, min(deadline, time.monotonic() + self._request.timeout))
            kept = H11Connection(connected)
        connection = self._connection = kept
        connection.socket.deadline = deadline
        connection.socket.settimeout(self._request.timeout)
        request = self._request
        outgoing = connection.http.send(
            self._request_id, request.method, route.target(request), route.headers(request), request.body
        )
        self._progress.is_sent = True
        try:
            connection.socket.sendall(outgoing)
        except TimeoutError:
            raise
        except OSError:
            # The server may have said why before it closed: reading will tell, or find a dead connection.
            connection.http.close_after_response()
        return connection

    def _read(self, connection: H11Connection) -> H11Connection:
        """Read once. A kept connection that dies without a byte of an answer is replaced, and all sent again."""
        try:
            data = connection.socket.recv(READ_SIZE)
        except TimeoutError:
            raise
        except OSError:
            if not self._progress.may_begin_again(connection.http):
                raise
            data = b""
        if not data and self._progress.may_begin_again(connection.http):
            connection.socket.close()
            self._connection = None
            return self._begin(connection.socket.deadline, again=True)
        connection.http.receive_data(data)
        return connection


class AsyncH11Transport:
    """The same for async code: h11 over anyio's streams, on asyncio and on trio."""

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self.dialer = Dialer()
        self.pool: ConnectionPool[AsyncH11Connection] = ConnectionPool()

    def open(self, command: SendRequest) -> AsyncH11Exchange:
        """Begin an exchange."""
        return AsyncH11Exchange(self, command)

    async def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        await anyio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection that waits for a request, and keep none from now on."""
        for connection in self.pool.close():
            await close_now(connection.stream)

    async def take(self, route: Route) -> AsyncH11Connection | None:
        """A kept connection that is still good."""
        while True:
            found, expired = self.pool.take(route, time.monotonic())
            for connection in expired:
                await close_now(connection.stream)
            if found is None or not has_unread(found.stream):
                return found
            await close_now(found.stream)

    async def put(self, route: Route, connection: AsyncH11Connection) -> None:
        """Keep a connection for the next request, or close it where it is good for none."""
        dropped = [connection]
        if connection.http.is_reusable:
            dropped = self.pool.put(route, connection, time.monotonic())
        for entry in dropped:
            await close_now(entry.stream)


class AsyncH11Connection:
    """A stream, and the state of HTTP on it."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.stream = stream
        self.http = Http11Connection()


class AsyncH11Exchange:
    """One request over a stream."""

    def __init__(self, transport: AsyncH11Transport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._route: Route | None = None
        self._connection: AsyncH11Connection | None = None
        self._progress = _Progress()

    async def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        connection = self._connection
        event = None if connection is None else connection.http.next_event()
        return await self._advance(until) if event is None else event

    async def close(self) -> None:
        """Let go of the connection: keep it if its response is over, else close it."""
        connection, self._connection = self._connection, None
        if connection is not None and self._route is not None:
            await self._transport.put(self._route, connection)

    async def _advance(self, until: float) -> Event:
        """Read, or connect and send first, until there is an event."""
        connection = self._connection
        self._progress.check(connection.http if connection is not None else None)
        try:
            if connection is None:
                connection = await self._begin(until)
            while (event := connection.http.next_event()) is None:
                connection = await self._read(connection, until)
            return event
        except (FlowFailed, *_BROKEN) as error:
            is_due = self._transport.clock.now() >= until - EARLY
            return self._progress.fail(self._request_id, error, is_due=is_due)

    async def _begin(self, until: float, *, again: bool = False) -> AsyncH11Connection:
        """Connect, or take a kept connection, and send the request.

        A request that must not be sent twice gets a new connection: a kept one may turn out dead only after that.
        """
        route = self._route = find_route(self._request, self._transport.proxies)
        kept = await self._transport.take(route) if self._request.repeatable and not again else None
        self._progress.is_kept = kept is not None
        if kept is None:
            with anyio.fail_after(self._patience(until)):
                stream = await dial(self._transport.dialer, route)
            kept = AsyncH11Connection(stream)
        connection = self._connection = kept
        request = self._request
        outgoing = connection.http.send(
            self._request_id, request.method, route.target(request), route.headers(request), request.body
        )
        self._progress.is_sent = True
        try:
            for start in range(0, len(outgoing), WRITE_SIZE):
                with anyio.fail_after(self._patience(until)):
                    await connection.stream.send(outgoing[start : start + WRITE_SIZE])
        except TimeoutError:
            raise
        except _BROKEN:
            # The server may have said why before it closed: reading will tell, or find a dead connection.
            connection.http.close_after_response()
        return connection

    async def _read(self, connection: AsyncH11Connection, until: float) -> AsyncH11Connection:
        """Read once. A kept connection that dies without a byte of an answer is replaced, and all sent again."""
        try:
            with anyio.fail_after(self._patience(until)):
                data = await connection.stream.receive(READ_SIZE)
        except anyio.EndOfStream:
            data = b""
        except TimeoutError:
            raise
        except _BROKEN:
            if not self._progress.may_begin_again(connection.http):
                raise
            data = b""
        if not data and self._progress.may_begin_again(connection.http):
            await close_now(connection.stream)
            self._connection = None
            return await self._begin(until, again=True)
        connection.http.receive_data(data)
        return connection

    def _patience(self, until: float) -> float:
        """Seconds that one operation may take."""
        return min(self._request.timeout, until - self._transport.clock.now())


class _Progress:
    """How far an exchange has come, and what its failure means then."""

    def __init__(self) -> None:
        self.is_kept = False  # the connection has served another request before
        self.is_sent = False  # a byte of the request may have left
        self._is_over = False

    def check(self, http: Http11Connection | None) -> None:
        """Raises `RuntimeError` where there is nothing more to be received."""
        if self._is_over or (http is not None and http.is_over):
            raise RuntimeError("receive() was called after the end of the response")

    def may_begin_again(self, http: Http11Connection) -> bool:
        """Whether the server had closed a kept connection, as it may at any time, before it saw the request."""
        return self.is_kept and not http.has_received

    def fail(self, request_id: int, error: Exception, *, is_due: bool) -> Event:
        """What went wrong with a connection, as an event."""
        self._is_over = True
        if is_due and isinstance(error, TimeoutError):
            return Woken()
        kind: RequestFailureKind = "connect"
        if self.is_sent:
            kind = "timeout" if isinstance(error, TimeoutError) else "network"
        return RequestFailed(request_id, kind, _explain(error))


def _explain(error: BaseException) -> str:
    """The reason for a failure to connect is what it was raised from; TLS names the line of its own source."""
    cause = error.__cause__
    if isinstance(error, OSError) and isinstance(cause, OSError):
        return _explain(cause)
    if isinstance(error, SSLError):
        return getattr(error, "verify_message", "") or error.reason or str(error)
    return str(error) or type(error).__name__
