"""One request over aiohttp, and the sessions that such requests need. Importing this needs aiohttp."""

from __future__ import annotations

import asyncio
import io
import math
import socket
import ssl
from collections.abc import AsyncGenerator
from typing import Protocol

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FlowFailed, InvalidInput, RemoteProtocolError
from modelwire.events import (
    BodyReceived,
    Event,
    RequestFailed,
    RequestFailureKind,
    ResponseEnded,
    ResponseStarted,
    Woken,
)
from modelwire.http import Request, find_header
from modelwire.inflate import Inflater
from modelwire.limits import DEFAULT_LIMITS

from .clock import Clock
from .dialing import require_public
from .http_client import OWN_KINDS
from .proxies import ProxyTable
from .routes import Route, find_route

KEPT_SECONDS = 15.0
MOST_HEAD_BYTES = DEFAULT_LIMITS.head + 16 * 1024

_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class PublicResolver(aiohttp.ThreadedResolver):
    """Gives public addresses, or none at all; aiohttp connects to what it is given."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host."""
        found = await super().resolve(host, port, family)
        try:
            require_public(host, [entry["host"] for entry in found])
        except ConnectError as error:
            raise OSError(str(error)) from None
        return found


class Connector(aiohttp.TCPConnector):
    """Gives no connection on which something came while it was idle: aiohttp takes that for the next answer."""

    @property
    def force_close(self) -> bool:
        """False, also where each connection is closed after its request: aiohttp asks for nothing but a header."""
        return False

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for this request."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


def open_session(tls: ssl.SSLContext, *, public_only: bool, must_be_new: bool) -> aiohttp.ClientSession:
    """A session that adds nothing to a request and nothing to a response. Raises `RuntimeError` outside of asyncio."""
    session = aiohttp.ClientSession(
        connector=Connector(
            limit=0,
            ssl=tls,
            use_dns_cache=False,
            resolver=PublicResolver() if public_only else None,
            force_close=must_be_new,
            keepalive_timeout=None if must_be_new else KEPT_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTOMATIC_HEADERS,
        auto_decompress=False,
        max_line_size=MOST_HEAD_BYTES,
        max_field_size=MOST_HEAD_BYTES,
    )
    # It would send a GET again by itself, whatever the flow thinks of that; there is no public way to say no.
    session._retry_connection = False
    return session


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

    def session_for(self, request: Request, route: Route) -> aiohttp.ClientSession:
        """What such requests go through."""
        ...


class AsyncAiohttpExchange:
    """One request over aiohttp."""

    def __init__(self, transport: Carrier, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._events = self._run()

    async def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise InvalidInput("aiohttp runs on asyncio alone: use AsyncHttpxTransport or AsyncH11Transport") from None
        deadline = asyncio.timeout(until - self._transport.clock.now())
        try:
            async with deadline:
                return await anext(self._events)
        except StopAsyncIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, OSError, aiohttp.ClientError) as error:
            return Woken() if deadline.expired() else failed(self._request_id, error)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        route = find_route(self._request, self._transport.proxies)
        response = await send(self._transport.session_for(self._request, route), self._request, route)
        try:
            headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
            yield ResponseStarted(self._request_id, response.status, headers)
            inflater: Inflater | None = None
            while data := await response.content.readany():
                inflater = inflater or Inflater(find_header(headers, "content-encoding"))
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            if inflater is not None:
                inflater.end()
        finally:
            # Closes the connection, unless the response was read to its end.
            response.close()
        yield ResponseEnded(self._request_id)


async def send(session: aiohttp.ClientSession, request: Request, route: Route) -> aiohttp.ClientResponse:
    """Send a request, and wait for the head of its response.

    Raises `ConnectError` for a request that aiohttp would not send as it is, `InvalidInput` for a proxy that it cannot
    use, and `RemoteProtocolError` for a response whose framing it would guess.
    """
    headers = route.headers(request)
    if not all(value.isascii() for _, value in headers):
        raise ConnectError("aiohttp cannot send a header value beyond ASCII as it is")
    proxy_url = _proxy_url(route)
    silence = request.timeout
    # The event loop gets to see first which kept connections have come to their end: it looks after one turn, and has
    # seen after two.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        response = await session.request(
            request.method,
            URL(request.url.partition("#")[0], encoded=True),
            headers=headers,
            data=io.BytesIO(request.body) if request.body else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                connect=silence, sock_connect=silence, sock_read=silence, ceil_threshold=math.inf
            ),
            proxy=proxy_url,
            proxy_headers=dict(route.proxy.headers()) if route.proxy is not None and route.is_tunnelled else None,
        )
    except UnicodeError:
        raise ConnectError(f"{route.host!r} is no name of a host") from None
    codings = response.headers.getall("Transfer-Encoding", ())
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        response.close()
        raise RemoteProtocolError("the response comes in an unknown transfer coding")
    return response


def failed(request_id: int, error: Exception) -> RequestFailed:
    """An exception of aiohttp, or of ours, as an event."""
    detail = str(error) or type(error).__name__
    kind: RequestFailureKind = "network"
    if isinstance(error, FlowFailed):
        kind = OWN_KINDS.get(error.kind, "protocol")
    elif isinstance(error, _FAILURES_TO_CONNECT):
        kind = "connect"
        detail = str(getattr(error, "os_error", "")) or detail
    elif isinstance(error, TimeoutError):
        kind = "timeout"
    elif isinstance(error, aiohttp.ClientResponseError):
        # It quotes what came, and that may hold a secret.
        kind, detail = "protocol", "what came is no HTTP"
    return RequestFailed(request_id, kind, detail)


_FAILURES_TO_CONNECT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


def _proxy_url(route: Route) -> str | None:
    proxy = route.proxy
    if proxy is None:
        return None
    if proxy.is_socks:
        raise InvalidInput("aiohttp has no SOCKS: use an http:// proxy, or AsyncHttpxTransport or AsyncH11Transport")
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return f"{proxy.scheme}://{host}:{proxy.port}"
