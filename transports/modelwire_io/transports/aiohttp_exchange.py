"""One request over aiohttp, and the sessions that such requests need. Importing this needs aiohttp."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractStreamWriter, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FlowFailed, InvalidInput, RemoteProtocolError
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.formats.inflate import Inflater
from modelwire.http import Request, content_coding
from modelwire.limits import DEFAULT_LIMITS
from modelwire_io.clock import Clock
from modelwire_io.net.connect import require_public
from modelwire_io.net.loops import LoopGuard
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.net.routes import Route, find_route

from .failures import request_failed

IDLE_SECONDS = 15.0
# The flow's own limits on heads are the narrower ones.
MOST_HEAD_BYTES = DEFAULT_LIMITS.head + 16 * 1024
MOST_HEADERS = 2 * DEFAULT_LIMITS.headers
WRITE_SIZE = 64 * 1024  # bytes

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


class Progress:
    """How far a request has come."""

    transport: asyncio.BaseTransport | None = None  # once there is a connection, and a byte may have left

    @property
    def is_sent(self) -> bool:
        """Whether a byte of it may have left."""
        return self.transport is not None

    def end(self) -> None:
        """See that a connection that is being closed is closed, though the server may not have read all."""
        if isinstance(self.transport, asyncio.WriteTransport) and self.transport.is_closing():
            self.transport.abort()


# That of the request which is being sent: aiohttp has no way to say where a request stands when it fails.
_progress: ContextVar[Progress] = ContextVar("modelwire_progress")


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
                _progress.get().transport = connection.transport
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
            keepalive_timeout=None if must_be_new else IDLE_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTOMATIC_HEADERS,
        auto_decompress=False,
        max_line_size=MOST_HEAD_BYTES,
        max_field_size=MOST_HEAD_BYTES,
        max_headers=MOST_HEADERS,
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

    async def session_for(self, request: Request, route: Route) -> aiohttp.ClientSession:
        """What such requests go through, in this event loop."""
        ...


class AsyncAiohttpExchange:
    """One request over aiohttp."""

    def __init__(self, transport: Carrier, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._home = LoopGuard()
        self._progress = Progress()
        self._events = self._run()

    async def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise InvalidInput("aiohttp runs on asyncio alone: use AsyncHttpxTransport or AsyncH11Transport") from None
        self._home.check()
        deadline = asyncio.timeout(until - self._transport.clock.now())
        try:
            async with deadline:
                return await anext(self._events)
        except StopAsyncIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, OSError, aiohttp.ClientError) as error:
            is_sent = self._progress.is_sent
            return Woken() if deadline.expired() and is_sent else failed(self._request_id, error, is_sent=is_sent)

    async def close(self) -> None:
        """Let go of the connection."""
        self._home.check()
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        route = find_route(self._request, self._transport.proxies)
        session = await self._transport.session_for(self._request, route)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await send(session, self._request, route, self._progress)
            headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
            yield ResponseStarted(self._request_id, response.status, headers)
            inflater: Inflater | None = None
            while data := await _read(response):
                inflater = inflater or Inflater(content_coding(headers))
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            if inflater is not None:
                inflater.end()
        finally:
            if response is not None:
                # Closes the connection, unless the response was read to its end.
                response.close()
            self._progress.end()
        yield ResponseEnded(self._request_id)


async def send(
    session: aiohttp.ClientSession, request: Request, route: Route, progress: Progress
) -> aiohttp.ClientResponse:
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
    token = _progress.set(progress)
    try:
        response = await session.request(
            request.method,
            URL(request.url.partition("#")[0], encoded=True),
            headers=headers,
            data=Body(request.body, silence) if request.body else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                connect=silence, sock_connect=silence, sock_read=silence, ceil_threshold=math.inf
            ),
            proxy=proxy_url,
            proxy_headers=dict(route.proxy.headers()) if route.proxy is not None and route.is_tunnelled else None,
        )
    except UnicodeError:
        raise ConnectError(f"{route.host!r} is no name of a host") from None
    finally:
        _progress.reset(token)
    codings = response.headers.getall("Transfer-Encoding", ())
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        response.close()
        raise RemoteProtocolError("the response comes in an unknown transfer coding")
    return response


class Body(aiohttp.Payload):
    """A request's body. Each part of it that goes out is a sign of life; aiohttp itself looks at what comes alone."""

    _value: bytes

    def __init__(self, data: bytes, silence: float) -> None:
        super().__init__(data)
        self._size = len(data)
        self._silence = silence

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it."""
        for start in range(0, len(self._value), WRITE_SIZE):
            async with asyncio.timeout(self._silence):
                await writer.write(self._value[start : start + WRITE_SIZE])


async def _read(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.readany()
    except RuntimeError as error:
        # So aiohttp says that the session was closed, and its connections with it.
        raise aiohttp.ClientConnectionError(str(error)) from None


def failed(request_id: int, error: Exception, *, is_sent: bool) -> RequestFailed:
    """An exception of aiohttp, or of ours, as an event."""
    if is_sent and isinstance(error, aiohttp.ClientResponseError):
        # It quotes what came, and that may hold a secret.
        return request_failed(request_id, error, is_sent=True, kind="protocol", detail="what came is no HTTP")
    return request_failed(request_id, error, is_sent=is_sent, detail=str(getattr(error, "os_error", "")))


def _proxy_url(route: Route) -> str | None:
    proxy = route.proxy
    if proxy is None:
        return None
    if proxy.is_socks:
        raise InvalidInput("aiohttp has no SOCKS: use an http:// proxy, or AsyncHttpxTransport or AsyncH11Transport")
    return proxy.url
