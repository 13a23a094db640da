"""One request on its own connection, without I/O: for event loops that have sockets and timers, but no HTTP client.

http = Http11Exchange(command)
connection = connect(http.address, http.tls)
connection.write(http.begin())
while not http.is_over:
    for event in http.receive(connection.read()):
        ...  # flow.handle(event, now)
"""

from __future__ import annotations

from modelwire.commands import SendRequest
from modelwire.errors import LocalProtocolError
from modelwire.events import Event, RequestFailed, RequestFailureKind
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.net.routes import find_route

from .connection import Http11Connection

_NO_PROXY = ProxyTable("", {})


class Http11Exchange:
    """One `SendRequest` over HTTP/1.1: where to connect, the bytes to write, and the events of the bytes read.

    The loop connects to `address` (`host`, `port`), with TLS if `tls` is True, writes the bytes that `begin` returns,
    and passes the data that it reads to `receive`. If the connection fails or ends, or nothing can be read or written
    for `timeout` seconds, it calls `end`. It closes the connection once `is_over` is True, or if the flow commands
    `AbortRequest`.

    Raises `ConnectError` for a request with an invalid URL, or that is not valid HTTP/1.1, and `LocalProtocolError` for
    one that is `public_only`: only a transport that checks addresses can send that.
    """

    def __init__(self, command: SendRequest) -> None:
        request = command.request
        if request.public_only:
            raise LocalProtocolError(
                "a request that may only go to a public address needs a transport that checks where it connects"
            )
        route = find_route(request, _NO_PROXY)
        self._http = Http11Connection()
        self.outgoing = self._http.send(
            command.request_id, request.method, route.target(request), route.headers(request), request.body
        )
        """The bytes of the request."""
        self.request_id = command.request_id
        self.host, self.port = self.address = (route.host, route.port)
        self.tls = route.scheme == "https"
        self.timeout = request.silence
        self.is_begun = False
        """True once connected. A failure before that is a failure to connect."""
        self.is_over = False
        """True once the last event of the request has been returned."""

    def begin(self) -> bytes:
        """To be called once connected; returns the bytes of the request, to be written."""
        self.is_begun = True
        return self.outgoing

    def receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take the data read, and return its events; `b""` is the same as `end()`."""
        if not data:
            return self.end()
        self._http.receive_data(bytes(data))
        return self._events()

    def end(self, error: BaseException | None = None) -> list[Event]:
        """To be called when the connection has ended, or could not be opened; returns the events that follow from it.

        Without an `error`, the server has closed the connection regularly, which may be how a response ends. Pass a
        `TimeoutError` if nothing could be read or written for `timeout` seconds.
        """
        if self.is_over:
            return []
        if error is None and self.is_begun:
            self._http.receive_data(b"")
            return self._events()
        self.is_over = True
        kind: RequestFailureKind = "timeout" if isinstance(error, TimeoutError) else "network"
        detail = str(error or "") or ("the connection was closed" if error is None else type(error).__name__)
        return [RequestFailed(self.request_id, kind if self.is_begun else "connect", detail)]

    def _events(self) -> list[Event]:
        events: list[Event] = []
        while (event := self._http.next_event()) is not None:
            events.append(event)
        self.is_over = self._http.is_over
        return events
