"""One request over urllib3, and pools of its connections along our routes. Importing this needs urllib3."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import Any, Protocol, Self

from urllib3 import BaseHTTPResponse, HTTPHeaderDict
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import SKIP_HEADER, Timeout

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FlowFailed
from modelwire.events import Event, ResponseEnded, Woken
from modelwire.http import Headers
from modelwire_io.clock import Clock
from modelwire_io.net.connect import Dialer, time_left
from modelwire_io.net.deadline_sockets import DeadlineSocket, DeadlineTlsSocket
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.net.routes import Route, find_route

from .stdlib_http import StrictResponse, failed, response_events


class Sending(HTTPHeaderDict):
    """The headers of one request, its exact target, when it must be over (monotonic time), and how far it has come."""

    target = "/"
    deadline = math.inf
    is_sent = False  # a byte of it may have left

    @classmethod
    def of(cls, headers: Headers, target: str, deadline: float) -> Self:
        """All of that; what urllib3 would add of its own accord is left out."""
        sending = cls()
        sending.target = target
        sending.deadline = deadline
        for name in ("User-Agent", "Accept-Encoding"):
            sending[name] = SKIP_HEADER
        for name in {name.lower() for name, _ in headers}:
            sending.discard(name)
        for name, value in headers:
            sending.add(name, value)
        return sending

    def copy(self) -> Self:
        """Itself: urllib3 copies headers on the way, and what is ours would be lost."""
        return self


class RouteConnection(HTTPConnection):
    """A connection along a route. TLS and proxies are the dialer's business."""

    response_class = StrictResponse

    def __init__(self, *arguments: Any, route: Route, dialer: Dialer, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.deadline = math.inf
        self.dialed: DeadlineSocket | DeadlineTlsSocket | None = None
        self._route = route
        self._dialer = dialer

    def connect(self) -> None:
        """Open it. Raises `ConnectError`."""
        silence = self.timeout or math.inf
        try:
            dialed = self._dialer.dial(self._route, min(self.deadline, time.monotonic() + silence))
        except OSError as error:
            # urllib3 takes some errors of a socket for a server that has answered before it had heard all.
            raise ConnectError(str(error) or type(error).__name__) from None
        dialed.deadline = self.deadline
        dialed.settimeout(self.timeout)
        self.sock = self.dialed = dialed

    def request(  # type: ignore[override]
        self, method: str, url: str, body: bytes | None = None, headers: Any = None, **options: Any
    ) -> None:
        """Send a request, to the exact target: urllib3 has mended `url`."""
        self.deadline = headers.deadline
        if self.sock is None or self.dialed is None:
            self.connect()
        else:
            self.dialed.deadline = self.deadline
            time_left(self.deadline)
        headers.is_sent = True
        super().request(method, headers.target, body, headers, **options)


class RoutePool(HTTPConnectionPool):
    """Connections along one route."""

    ConnectionCls = RouteConnection  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __init__(self, route: Route, dialer: Dialer, *, most: int) -> None:
        super().__init__(route.host, route.port, maxsize=most, retries=False, route=route, dialer=dialer)


class Carrier(Protocol):
    """What an exchange asks of the transport that begins it."""

    @property
    def clock(self) -> Clock:
        """The time that deadlines are told in."""
        ...

    @property
    def proxies(self) -> ProxyTable:
        """Which proxy a request goes through."""
        ...

    def pool_for(self, route: Route, *, must_be_new: bool) -> RoutePool:
        """The connections along a route."""
        ...


class Urllib3Exchange:
    """One request over urllib3."""

    def __init__(self, transport: Carrier, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._deadline = 0.0  # monotonic time
        self._socket: DeadlineSocket | DeadlineTlsSocket | None = None
        self._sending = Sending()
        self._events = self._run()

    def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        self._deadline = time.monotonic() + until - self._transport.clock.now()
        if self._socket is not None:
            self._socket.deadline = self._deadline
        try:
            return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, HTTPError) as error:
            cause, is_sent = _cause(error), self._sending.is_sent
            if is_sent and isinstance(cause, TimeoutError) and time.monotonic() >= self._deadline:
                return Woken()
            return failed(self._request_id, cause, is_sent=is_sent)

    def close(self) -> None:
        """Let go of the connection."""
        self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        route = find_route(self._request, self._transport.proxies)
        pool = self._transport.pool_for(route, must_be_new=not self._request.repeatable)
        try:
            response = self._send(pool, route)
            try:
                yield from response_events(
                    self._request_id, response.status, tuple(response.headers.iteritems()), response
                )
                response.release_conn()
            except BaseException:
                response.close()
                raise
        finally:
            if not self._request.repeatable:
                pool.close()
        yield ResponseEnded(self._request_id)

    def _send(self, pool: RoutePool, route: Route) -> BaseHTTPResponse:
        request = self._request
        self._sending = Sending.of(route.headers(request), route.target(request), self._deadline)
        response = pool.urlopen(
            request.method,
            "/",
            body=request.body or None,
            headers=self._sending,
            timeout=Timeout(request.timeout),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        connection: Any = response.connection
        self._socket = connection.dialed
        return response


def _cause(error: Exception) -> Exception:
    """What urllib3 wrapped, if anything."""
    if isinstance(error, ReadTimeoutError):
        return TimeoutError("timed out")
    wrapped = (argument for argument in error.args if isinstance(argument, Exception))
    return next(wrapped, error)
