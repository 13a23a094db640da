"""One request on a connection of its own, without I/O: for loops that have sockets and timers, but no HTTP client.

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
    """What becomes of one `SendRequest`: where to connect, what to write, and the events of what is read.

    The loop connects to `address` (`host` and `port`), with TLS if `tls` says so, writes what `begin` gives, and hands
    what it reads to `receive`. Whatever ends the connection before that goes to `end`, and so does more than `timeout`
    seconds of silence. Once `is_over`, or when the flow says `AbortRequest`, the loop closes the connection.

    Raises `ConnectError` for a request that leads nowhere, or that HTTP/1.1 has no form for, and `LocalProtocolError`
    for one that must go to a public address alone: that takes a transport that looks at addresses.
    """

    def __init__(self, command: SendRequest) -> None:
        request = command.request
        if request.public_only:
            raise LocalProtocolError(
                "a request to a public address alone needs a transport that looks where it connects"
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
        self.timeout = request.timeout
        self.is_begun = False
        """Whether there was a connection: what fails before that is a failure to connect."""
        self.is_over = False
        """Whether the last event of the request was given out."""

    def begin(self) -> bytes:
        """The connection stands: returns the bytes of the request, to be written."""
        self.is_begun = True
        return self.outgoing

    def receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take what was read, and return the events of it; `b""` is the same as `end()`."""
        if not data:
            return self.end()
        self._http.receive_data(bytes(data))
        return self._events()

    def end(self, error: BaseException | None = None) -> list[Event]:
        """There is no connection any more, or there never was one: returns the events of that.

        Without an `error` the other side has closed it in good order, which may be how a response ends. A
        `TimeoutError` says that nothing could be read or written for `timeout` seconds.
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
