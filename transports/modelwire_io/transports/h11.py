"""h11 over plain sockets, and over anyio streams: the default transports.

Both drive an `Http11Connection`. They connect, read and write in time, and pool connections for the next request.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import anyio
import anyio.abc

from modelwire.commands import SendRequest
from modelwire.errors import FlowFailed
from modelwire.events import Event, ResponseStarted, Woken
from modelwire_io.clock import SystemClock
from modelwire_io.drive import EventCallback
from modelwire_io.http1.connection import Http11Connection
from modelwire_io.net.connect import Dialer, is_readable, time_left
from modelwire_io.net.connect_async import dial
from modelwire_io.net.connection_pool import ConnectionPool
from modelwire_io.net.deadline_sockets import DeadlineSocket, DeadlineTlsSocket
from modelwire_io.net.deadline_streams import DeadlineStream
from modelwire_io.net.loops import LoopGuard, PerLoop
from modelwire_io.net.proxies import ProxyTable, proxy_secrets
from modelwire_io.net.routes import Route, find_route

from .failures import request_failed

READ_SIZE = 64 * 1024  # bytes

# Seconds by which a timer may fire too early; an early `Woken` does no harm.
TIMER_SLACK_S = 0.005

_BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


class H11Transport:
    """A blocking transport over plain sockets.

    `proxy` is for every request (`""`: none), by default the environment's. Raises `InvalidInput` for a proxy that
    is not valid.
    """

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self.dialer = Dialer()
        self.pool: ConnectionPool[H11Connection] = ConnectionPool()

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.proxies)

    def open(self, command: SendRequest) -> H11Exchange:
        return H11Exchange(self, command)

    def sleep(self, until: float) -> None:
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close every idle connection, and pool none from now on."""
        for connection in self.pool.close():
            connection.socket.close()

    def take(self, route: Route) -> H11Connection | None:
        """An idle connection that is still open, if there is one."""
        while True:
            found, expired = self.pool.take(route, time.monotonic())
            for connection in expired:
                connection.socket.close()
            if found is None or not is_readable(found.socket):
                return found
            found.socket.close()

    def put(self, route: Route, connection: H11Connection) -> None:
        """Pool a connection for the next request, or close it if it cannot be reused."""
        dropped = [connection]
        if connection.http.is_reusable:
            dropped = self.pool.put(route, connection, time.monotonic())
        for entry in dropped:
            entry.socket.close()


class H11Connection:
    """A socket, and the state of HTTP on it."""

    def __init__(self, connected: DeadlineSocket | DeadlineTlsSocket) -> None:
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
        connection = self._connection
        event = None if connection is None else connection.http.next_event()
        return self._advance(until) if event is None else event

    def close(self) -> None:
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
                connection.http.receive_data(connection.socket.recv(READ_SIZE))
            return event
        except (FlowFailed, *_BROKEN) as error:
            is_due = time.monotonic() >= deadline - TIMER_SLACK_S
            return self._progress.fail(self._request_id, error, is_due=is_due)

    def _begin(self, deadline: float) -> H11Connection:
        """Connect, or take an idle connection, and send the request.

        A request that must not be sent twice gets a new connection: an idle one may turn out to be dead after that.
        """
        route = self._route = find_route(self._request, self._transport.proxies)
        connection = self._transport.take(route) if self._request.repeatable else None
        if connection is None:
            connected = self._transport.dialer.dial(route, min(deadline, time.monotonic() + self._request.silence))
            connection = H11Connection(connected)
        self._connection = connection
        connection.socket.deadline = deadline
        connection.socket.settimeout(self._request.silence)
        time_left(deadline)
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
            # The server may have sent a response before it closed: reading will show.
            connection.http.close_after_response()
        return connection


class AsyncH11Transport:
    """The same for async code: h11 over anyio's streams, on asyncio and on trio."""

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self.dialer = Dialer()
        self.pools = PerLoop(AsyncH11Pool, AsyncH11Pool.close)

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.proxies)

    def open(self, command: SendRequest) -> AsyncH11Exchange:
        return AsyncH11Exchange(self, command)

    async def sleep(self, until: float) -> None:
        await anyio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection of this event loop. Those of another are closed when that loop ends."""
        await self.pools.close()


class AsyncH11Connection:
    """A stream, and the state of HTTP on it."""

    def __init__(self, stream: DeadlineStream) -> None:
        self.stream = stream
        self.http = Http11Connection()


class AsyncH11Pool:
    """The idle connections of one event loop."""

    def __init__(self) -> None:
        self.idle: ConnectionPool[AsyncH11Connection] = ConnectionPool()

    async def take(self, route: Route) -> AsyncH11Connection | None:
        """An idle connection that is still open, if there is one."""
        while True:
            found, expired = self.idle.take(route, time.monotonic())
            for connection in expired:
                await connection.stream.aclose()
            if found is None or not found.stream.has_unread():
                return found
            await found.stream.aclose()

    async def put(self, route: Route, connection: AsyncH11Connection) -> None:
        """Pool a connection for the next request, or close it if it cannot be reused."""
        dropped = [connection]
        if connection.http.is_reusable:
            dropped = self.idle.put(route, connection, time.monotonic())
        for entry in dropped:
            await entry.stream.aclose()

    async def close(self) -> None:
        """Close every connection, and pool none from now on."""
        for connection in self.idle.close():
            await connection.stream.aclose()


class AsyncH11Exchange:
    """One request over a stream."""

    def __init__(self, transport: AsyncH11Transport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._home = LoopGuard()
        self._pool: AsyncH11Pool | None = None
        self._route: Route | None = None
        self._connection: AsyncH11Connection | None = None
        self._progress = _Progress()

    async def receive(self, until: float) -> Event:
        self._home.check()
        connection = self._connection
        event = None if connection is None else connection.http.next_event()
        return await self._advance(until) if event is None else event

    async def deliver_to(self, on_event: EventCallback, until: float) -> None:
        """Hand every event to the callback, those of a body from the event loop's own callback."""
        wanted: float | None = until
        while wanted is not None:
            event = await self.receive(wanted)
            wanted = on_event(event)
            if wanted is not None and isinstance(event, ResponseStarted):
                wanted = await self._deliver_body(on_event, wanted)

    async def close(self) -> None:
        self._home.check()
        connection, self._connection = self._connection, None
        if connection is not None and self._route is not None and self._pool is not None:
            await self._pool.put(self._route, connection)

    async def _deliver_body(self, on_event: EventCallback, until: float) -> float | None:
        """Hand the events of the body to the callback as the stream receives them; return the next deadline."""
        assert self._connection is not None
        stream, http = self._connection.stream, self._connection.http
        to_monotonic = time.monotonic() - self._transport.clock.now()
        wanted: float | None = until

        def take_events() -> bool:
            nonlocal wanted
            while wanted is not None and (event := http.next_event()) is not None:
                wanted = on_event(event)
            if wanted is not None:
                stream.deadline = wanted + to_monotonic
            return wanted is None

        def take_data(data: bytes) -> bool:
            http.receive_data(data)
            return take_events()

        try:
            if not take_events():
                await stream.deliver_to(take_data)
        except _BROKEN as error:
            is_due = time.monotonic() >= stream.deadline - TIMER_SLACK_S
            return on_event(self._progress.fail(self._request_id, error, is_due=is_due))
        return wanted

    async def _advance(self, until: float) -> Event:
        """Read, or connect and send first, until there is an event."""
        connection = self._connection
        self._progress.check(connection.http if connection is not None else None)
        deadline = time.monotonic() + until - self._transport.clock.now()
        try:
            if connection is None:
                connection = await self._begin(deadline)
            else:
                connection.stream.deadline = deadline
            while (event := connection.http.next_event()) is None:
                connection.http.receive_data(await connection.stream.receive())
            return event
        except (FlowFailed, *_BROKEN) as error:
            is_due = time.monotonic() >= deadline - TIMER_SLACK_S
            return self._progress.fail(self._request_id, error, is_due=is_due)

    async def _dial(self, route: Route, seconds: float) -> DeadlineStream:
        # `anyio.fail_after` takes twice as long.
        with anyio.CancelScope(deadline=anyio.current_time() + seconds):
            return await dial(self._transport.dialer, route)
        raise TimeoutError("timed out")

    async def _begin(self, deadline: float) -> AsyncH11Connection:
        """Connect, or take an idle connection, and send the request.

        A request that must not be sent twice gets a new connection: an idle one may turn out to be dead after that.
        """
        route = self._route = find_route(self._request, self._transport.proxies)
        pool = self._pool = await self._transport.pools.get()
        connection = await pool.take(route) if self._request.repeatable else None
        if connection is None:
            seconds = min(deadline - time.monotonic(), self._request.silence)
            connection = AsyncH11Connection(await self._dial(route, seconds))
        self._connection = connection
        connection.stream.deadline = deadline
        connection.stream.silence = self._request.silence
        time_left(deadline)
        request = self._request
        outgoing = connection.http.send(
            self._request_id, request.method, route.target(request), route.headers(request), request.body
        )
        self._progress.is_sent = True
        try:
            await connection.stream.send(outgoing)
        except TimeoutError:
            raise
        except _BROKEN:
            # The server may have sent a response before it closed: reading will show.
            connection.http.close_after_response()
        return connection


class _Progress:
    """How far an exchange has come, and what an error means then."""

    def __init__(self) -> None:
        self.is_sent = False  # a byte of the request may have left
        self._is_over = False

    def check(self, http: Http11Connection | None) -> None:
        """Raises `RuntimeError` if the response is over."""
        if self._is_over or (http is not None and http.is_over):
            raise RuntimeError("receive() was called after the end of the response")

    def fail(self, request_id: int, error: Exception, *, is_due: bool) -> Event:
        """An error of the connection as an event."""
        self._is_over = True
        if is_due and self.is_sent and isinstance(error, TimeoutError):
            return Woken()
        return request_failed(request_id, error, is_sent=self.is_sent)
