"""urllib3 as a transport: an adapter over a `PoolManager`, or over connections of our own."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from http.client import HTTPException
from typing import Any, Self

from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    LocationValueError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.util import SKIP_HEADER, Timeout

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FlowFailed, InvalidInput
from modelwire.events import Event, ResponseEnded, Woken
from modelwire.http import Headers
from modelwire_io.clock import SystemClock
from modelwire_io.net.connect import Dialer, is_numeric, time_left
from modelwire_io.net.deadline_sockets import DeadlineSocket, DeadlineTlsSocket
from modelwire_io.net.proxies import ProxyTable, proxy_secrets
from modelwire_io.net.routes import Route, find_route

from .pinning import AddressAttempt, address_attempts, pin_addresses
from .stdlib_http import StrictResponse, failed, require_known_framing, response_events

# Connections pooled for one route, and routes with pools of their own.
MAX_IDLE_PER_ROUTE = 20
MAX_ROUTES = 50

_NO_PROXY = ProxyTable("", {})
# Errors that come before a byte of the request can have left.
_BEFORE_SENDING = (NewConnectionError, ConnectTimeoutError, LocationValueError, ConnectError)


class Urllib3Transport:
    """A blocking transport over urllib3.

    `pool` is a `PoolManager` (or `ProxyManager`) that the program has already, with its proxies, TLS and limits; the
    program clears it. Without `pool`, the transport makes connections of its own, which keep more promises (see
    `docs/transports.md`); `proxy` is then for every request (`""`: none), by default the environment's: http://
    proxies, and with python-socks socks5:// ones.

    Raises `InvalidInput` for a proxy or a pool that is not valid.
    """

    def __init__(
        self,
        pool: PoolManager | None = None,
        *,
        proxy: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        if pool is not None and not isinstance(pool, PoolManager):
            raise InvalidInput(f"the pool is a {type(pool).__name__}: this transport needs a PoolManager")
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment) if pool is None else _NO_PROXY
        self._given = pool
        self._dialer = Dialer()
        self._lock = threading.Lock()
        self._pools: dict[Route, _RoutePool] = {}

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.proxies)

    def open(self, command: SendRequest) -> Urllib3Exchange:
        if self._given is not None:
            return _PoolManagerExchange(self, command, self._given)
        return _RouteExchange(self, command)

    def sleep(self, until: float) -> None:
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close the transport's own idle connections. The program's pool is left as it is."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()

    def pool_for(self, route: Route, *, must_be_new: bool) -> _RoutePool:
        """The connections along a route. If `must_be_new`, none that was used before."""
        if must_be_new:
            return _RoutePool(route, self._dialer, max_idle=1)
        with self._lock:
            pool = self._pools.pop(route, None) or _RoutePool(route, self._dialer, max_idle=MAX_IDLE_PER_ROUTE)
            self._pools[route] = pool
            if len(self._pools) > MAX_ROUTES:
                self._pools.pop(next(iter(self._pools))).close()
            return pool


class Urllib3Exchange:
    """One request over urllib3."""

    def __init__(self, transport: Urllib3Transport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._deadline = 0.0  # monotonic time
        self._events = self._run()

    def receive(self, until: float) -> Event:
        self._set_deadline(time.monotonic() + until - self._transport.clock.now())
        try:
            return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, HTTPError, HTTPException, OSError, UnicodeError) as error:
            cause = _cause(error)
            is_sent = self._may_have_left(cause)
            if is_sent and isinstance(cause, TimeoutError) and time.monotonic() >= self._deadline:
                return Woken()
            return failed(self._request_id, cause, is_sent=is_sent)

    def close(self) -> None:
        self._events.close()

    def _set_deadline(self, deadline: float) -> None:
        self._deadline = deadline

    def _may_have_left(self, error: Exception) -> bool:
        """True if a byte of the request may have left before the error."""
        raise NotImplementedError

    def _run(self) -> Generator[Event, None, None]:
        raise NotImplementedError

    def _respond(self, response: BaseHTTPResponse) -> Generator[Event, None, None]:
        """The response as events, but for its end; then its connection goes back to the pool."""
        try:
            yield from response_events(self._request_id, response.status, tuple(response.headers.iteritems()), response)
            response.release_conn()
        except BaseException:
            response.close()
            raise


class _RouteExchange(Urllib3Exchange):
    """One request over a connection of our own."""

    def __init__(self, transport: Urllib3Transport, command: SendRequest) -> None:
        self._socket: DeadlineSocket | DeadlineTlsSocket | None = None
        self._sending = _RequestHeaders()
        super().__init__(transport, command)

    def _set_deadline(self, deadline: float) -> None:
        super()._set_deadline(deadline)
        if self._socket is not None:
            self._socket.deadline = deadline

    def _may_have_left(self, error: Exception) -> bool:
        return self._sending.is_sent

    def _run(self) -> Generator[Event, None, None]:
        route = find_route(self._request, self._transport.proxies)
        pool = self._transport.pool_for(route, must_be_new=not self._request.repeatable)
        try:
            yield from self._respond(self._send(pool, route))
        finally:
            if not self._request.repeatable:
                pool.close()
        yield ResponseEnded(self._request_id)

    def _send(self, pool: _RoutePool, route: Route) -> BaseHTTPResponse:
        request = self._request
        self._sending = _RequestHeaders.of(route.headers(request), route.target(request), self._deadline)
        response = pool.urlopen(
            request.method,
            "/",
            body=request.body or None,
            headers=self._sending,
            timeout=Timeout(request.silence),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        connection: Any = response.connection
        self._socket = connection.dialed
        return response


class _PoolManagerExchange(Urllib3Exchange):
    """One request over a `PoolManager` of the program's."""

    def __init__(self, transport: Urllib3Transport, command: SendRequest, pool: PoolManager) -> None:
        self._pool = pool
        self._headers = _SeenHeaders()
        self._has_response = False
        super().__init__(transport, command)

    def receive(self, until: float) -> Event:
        if until <= self._transport.clock.now():
            # The pool would wait for the next bytes.
            self._events.close()
            return Woken() if self._has_response else failed(self._request_id, TimeoutError(), is_sent=False)
        return super().receive(until)

    def _may_have_left(self, error: Exception) -> bool:
        # The pool does not say when it connects: only some errors say that nothing was sent.
        if self._has_response:
            return True
        return self._headers.were_seen and not isinstance(error, _BEFORE_SENDING)

    def _run(self) -> Generator[Event, None, None]:
        route = find_route(self._request, _NO_PROXY)
        pinned = pin_addresses(route, self._deadline) if route.public_only else None
        for attempt in address_attempts(pinned, self._deadline):
            try:
                response = self._send(route, attempt)
            except (HTTPError, OSError) as error:
                if attempt.is_last or self._may_have_left(_cause(error)):
                    raise
            else:
                self._has_response = True
                _check(response)
                yield from self._respond(response)
                yield ResponseEnded(self._request_id)
                return

    def _send(self, route: Route, attempt: AddressAttempt) -> BaseHTTPResponse:
        """Send to the pinned address, if there is one. TLS still requires a certificate for the host's name."""
        request, address = self._request, attempt.address
        _exact_headers(self._headers, route.headers(request))
        left = max(0.001, min(request.silence, self._deadline - time.monotonic()))
        options: dict[str, Any] = {
            "body": request.body or None,
            "headers": self._headers,
            "timeout": Timeout(connect=min(left, attempt.seconds), read=left),
            "retries": False,
            "redirect": False,
            "preload_content": False,
            "decode_content": False,
        }
        if address is None:
            return self._pool.urlopen(request.method, request.url.partition("#")[0], **options)
        if route.scheme == "http":
            authority = f"[{address}]:{route.port}" if ":" in address else f"{address}:{route.port}"
            return self._pool.urlopen(request.method, f"http://{authority}{route.target(request)}", **options)
        names: dict[str, Any] = {"assert_hostname": route.host}
        if not is_numeric(route.host):
            names["server_hostname"] = route.host
        pool = self._pool.connection_from_host(address, route.port, route.scheme, pool_kwargs=names)
        return pool.urlopen(request.method, route.target(request), **options)


def _check(response: BaseHTTPResponse) -> None:
    """Raises `HTTPException` for a response that is not final, or whose framing http.client would guess."""
    try:
        if response.status < 200:
            raise HTTPException("http.client takes an interim response for the final one")
        headers = response.headers
        require_known_framing(headers.getlist("transfer-encoding"), headers.getlist("content-length"))
    except BaseException:
        response.close()
        raise


def _exact_headers(found: HTTPHeaderDict, headers: Headers) -> HTTPHeaderDict:
    """Fill in the headers, without the ones that urllib3 would add."""
    for name in ("User-Agent", "Accept-Encoding"):
        found[name] = SKIP_HEADER
    for name in {name.lower() for name, _ in headers}:
        found.discard(name)
    for name, value in headers:
        found.add(name, value)
    return found


class _SeenHeaders(HTTPHeaderDict):
    """The headers of one request. urllib3 reads them when it begins to send; before that nothing can have left."""

    were_seen = False

    def __iter__(self) -> Iterator[str]:
        self.were_seen = True
        return super().__iter__()

    def items(self) -> Any:
        self.were_seen = True
        return super().items()

    def copy(self) -> Self:
        """The same object: the copy that urllib3 makes on the way would notice nothing."""
        return self


class _RequestHeaders(HTTPHeaderDict):
    """The headers of one request, its exact target, its deadline (monotonic time), and how far it has come.

    urllib3 hands headers through to the connection, so they carry the rest.
    """

    target = "/"
    deadline = math.inf
    is_sent = False  # a byte of the request may have left

    @classmethod
    def of(cls, headers: Headers, target: str, deadline: float) -> Self:
        sending = cls()
        sending.target = target
        sending.deadline = deadline
        _exact_headers(sending, headers)
        return sending

    def copy(self) -> Self:
        """The same object: urllib3 copies headers on the way, and the copy would lose what is ours."""
        return self


class _RouteConnection(HTTPConnection):
    """A connection along a route. The dialer does TLS and proxies."""

    response_class = StrictResponse

    def __init__(self, *arguments: Any, route: Route, dialer: Dialer, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.deadline = math.inf
        self.dialed: DeadlineSocket | DeadlineTlsSocket | None = None
        self._route = route
        self._dialer = dialer

    def connect(self) -> None:
        silence = self.timeout or math.inf
        try:
            dialed = self._dialer.dial(self._route, min(self.deadline, time.monotonic() + silence))
        except OSError as error:
            # urllib3 takes some socket errors for a server that responded before it had read the whole request.
            raise ConnectError(str(error) or type(error).__name__) from None
        dialed.deadline = self.deadline
        dialed.settimeout(self.timeout)
        self.sock = self.dialed = dialed

    def request(  # type: ignore[override]
        self, method: str, url: str, body: bytes | None = None, headers: Any = None, **options: Any
    ) -> None:
        """Send a request with its exact target: urllib3 has normalized `url`."""
        self.deadline = headers.deadline
        if self.sock is None or self.dialed is None:
            self.connect()
        else:
            self.dialed.deadline = self.deadline
            time_left(self.deadline)
        headers.is_sent = True
        super().request(method, headers.target, body, headers, **options)


class _RoutePool(HTTPConnectionPool):
    """Connections along one route."""

    ConnectionCls = _RouteConnection  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __init__(self, route: Route, dialer: Dialer, *, max_idle: int) -> None:
        super().__init__(route.host, route.port, maxsize=max_idle, retries=False, route=route, dialer=dialer)


def _cause(error: Exception) -> Exception:
    """The error that urllib3 wrapped, if any."""
    if isinstance(error, ReadTimeoutError):
        return TimeoutError("timed out")
    if isinstance(error, InvalidHeader):
        return HTTPException("a Content-Length that is not a number")
    wrapped = (argument for argument in error.args if isinstance(argument, Exception))
    return next(wrapped, error)
