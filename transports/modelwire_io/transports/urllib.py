"""A transport over Python's own `http.client`, without any other package."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse

from modelwire.commands import SendRequest
from modelwire.errors import FlowFailed
from modelwire.events import Event, ResponseEnded, Woken
from modelwire_io.clock import SystemClock
from modelwire_io.net.connect import Dialer
from modelwire_io.net.deadline_sockets import DeadlineSocket, DeadlineTlsSocket
from modelwire_io.net.proxies import ProxyTable, proxy_secrets
from modelwire_io.net.routes import find_route

from .stdlib_http import StrictResponse, failed, response_events


class UrllibTransport:
    """A blocking transport over Python's own HTTP client: a new connection for each request.

    It keeps every deadline, and checks and pins addresses that must be public. `http.client` has limits that it
    shares: it accepts a chunk that does not end in CRLF, it treats a chunk size that is not a number as a broken
    connection, and it refuses a head of more than 100 lines.

    `proxy` is for every request (`""`: none), by default the environment's: http:// ones, and with python-socks
    socks5:// ones. Raises `InvalidInput` for a proxy that is not valid.
    """

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self.dialer = Dialer()

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.proxies)

    def open(self, command: SendRequest) -> UrllibExchange:
        return UrllibExchange(self, command)

    def sleep(self, until: float) -> None:
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Nothing to close: no connection is pooled."""


class UrllibExchange:
    """One request over a connection of its own."""

    def __init__(self, transport: UrllibTransport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._deadline = 0.0  # monotonic time
        self._socket: DeadlineSocket | DeadlineTlsSocket | None = None
        self._is_sent = False
        self._events = self._run()

    def receive(self, until: float) -> Event:
        self._deadline = time.monotonic() + until - self._transport.clock.now()
        if self._socket is not None:
            self._socket.deadline = self._deadline
        try:
            return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, HTTPException, OSError) as error:
            if self._is_sent and isinstance(error, TimeoutError) and time.monotonic() >= self._deadline:
                return Woken()
            return failed(self._request_id, error, is_sent=self._is_sent)

    def close(self) -> None:
        self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        request = self._request
        route = find_route(request, self._transport.proxies)
        connected = self._transport.dialer.dial(route, min(self._deadline, time.monotonic() + request.silence))
        self._socket = connected
        connection = HTTPConnection(route.host, route.port)
        connection.sock = connected
        connection.response_class = StrictResponse
        response: HTTPResponse | None = None
        try:
            connected.deadline = self._deadline
            connected.settimeout(request.silence)
            connection.putrequest(request.method, route.target(request), skip_host=True, skip_accept_encoding=True)
            for name, value in route.headers(request):
                connection.putheader(name, value)
            self._is_sent = True
            try:
                connection.endheaders(request.body or None)
            except ConnectionError:
                pass  # the server may have sent a response before it closed
            response = connection.getresponse()
            headers = tuple(response.headers.raw_items())
            yield from response_events(self._request_id, response.status, headers, response)
        finally:
            if response is not None:
                response.close()
            connected.close()
        yield ResponseEnded(self._request_id)
