"""A transport of Python's own: `http.client`, and nothing to be installed."""

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
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.net.routes import find_route

from .stdlib_http import StrictResponse, failed, response_events


class UrllibTransport:
    """A blocking transport over Python's own HTTP client: a new connection for each request.

    It keeps every deadline, and checks and pins addresses that must be public. What it does not promise is what
    `http.client` does not: a chunk that does not end in CRLF passes, a chunk header that is no number counts as a
    connection that broke, and a head of more than 100 lines is refused.

    `proxy` is for every request (`""`: none), by default the environment's: http:// ones, and with python-socks
    socks5:// ones. Raises `InvalidInput` for a proxy that is none.
    """

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self.dialer = Dialer()

    def open(self, command: SendRequest) -> UrllibExchange:
        """Begin an exchange."""
        return UrllibExchange(self, command)

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """No connection waits for another request."""


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
        """The next event, or `Woken` at `until`."""
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
        """Close the connection."""
        self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        request = self._request
        route = find_route(request, self._transport.proxies)
        connected = self._transport.dialer.dial(route, min(self._deadline, time.monotonic() + request.timeout))
        self._socket = connected
        connection = HTTPConnection(route.host, route.port)
        connection.sock = connected
        connection.response_class = StrictResponse
        response: HTTPResponse | None = None
        try:
            connected.deadline = self._deadline
            connected.settimeout(request.timeout)
            connection.putrequest(request.method, route.target(request), skip_host=True, skip_accept_encoding=True)
            for name, value in route.headers(request):
                connection.putheader(name, value)
            self._is_sent = True
            try:
                connection.endheaders(request.body or None)
            except ConnectionError:
                pass  # the server may have said why before it closed
            response = connection.getresponse()
            headers = tuple(response.headers.raw_items())
            yield from response_events(self._request_id, response.status, headers, response)
        finally:
            if response is not None:
                response.close()
            connected.close()
        yield ResponseEnded(self._request_id)
