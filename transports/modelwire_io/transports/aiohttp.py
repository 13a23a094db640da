"""aiohttp as a transport, for asyncio: an adapter over a `ClientSession`."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextvars import ContextVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FlowFailed, InvalidInput, LocalProtocolError, RemoteProtocolError
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.formats.inflate import Inflater
from modelwire.http import Request, content_coding
from modelwire.limits import DEFAULT_LIMITS
from modelwire_io.clock import SystemClock
from modelwire_io.net.connect import Dialer, is_numeric, require_public
from modelwire_io.net.loops import LoopGuard, PerLoop
from modelwire_io.net.proxies import ProxyTable, proxy_secrets
from modelwire_io.net.routes import Route, find_route

from .failures import request_failed
from .pinning import AddressAttempt, address_attempts, pin_addresses_async

# Seconds that an idle connection is pooled, as in `net.connection_pool`.
IDLE_SECONDS = 15.0
# Bytes and number: larger than the flow's own limits on heads, which then decide.
MAX_HEAD_BYTES = DEFAULT_LIMITS.head + 16 * 1024
MAX_HEADERS = 2 * DEFAULT_LIMITS.headers
WRITE_SIZE = 64 * 1024  # bytes
# Seconds: over the program's session, our timeout ends this much after the deadline, and aiohttp's own for connecting
# ends at the deadline. So the error that arrives is aiohttp's, which says that nothing was sent.
REPORT_SECONDS = 0.05

_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_NO_PROXY = ProxyTable("", {})
# Errors that come before a byte of the request can have left.
_BEFORE_SENDING = (
    *(aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError),
    *(aiohttp.ServerFingerprintMismatch, aiohttp.InvalidURL, ConnectError, LocalProtocolError),
)


class AsyncAiohttpTransport:
    """An async transport over aiohttp, on asyncio alone.

    `session` is one that the program has already, with its connector, proxies, TLS and limits; the program closes it.
    Its default headers and its cookies are added to each request. Without `session`, the transport makes sessions of
    its own, which keep more promises (see `docs/transports.md`); `proxy` is then for every request (`""`: none), by
    default the environment's. aiohttp does not support SOCKS proxies.

    Raises `InvalidInput` for a proxy or a session that is not valid.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession | None = None,
        *,
        proxy: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise InvalidInput(f"the session is a {type(session).__name__}: this transport needs a ClientSession")
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment) if session is None else _NO_PROXY
        self._given = session
        self._dialer = Dialer()
        self._own: PerLoop[dict[tuple[bool, bool], aiohttp.ClientSession]] = PerLoop(dict, _close_all)

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.proxies)

    @property
    def is_strict(self) -> bool:
        """True if the sessions are the transport's own, which check addresses and report when they connect."""
        return self._given is None

    def open(self, command: SendRequest) -> AsyncAiohttpExchange:
        return AsyncAiohttpExchange(self, command)

    async def sleep(self, until: float) -> None:
        await asyncio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection of the transport's own sessions in this event loop.

        Those of another event loop are closed when it ends. The program's session stays open.
        """
        await self._own.close()

    async def session_for(self, request: Request, route: Route) -> aiohttp.ClientSession:
        """The session for such requests. One that must not be repeated gets a new connection."""
        if self._given is not None:
            if self._given.closed:
                raise LocalProtocolError("the aiohttp session of this transport is closed: keep it open")
            return self._given
        sessions = await self._own.get()
        key = (route.public_only, not request.repeatable)
        if key not in sessions:
            public_only, must_be_new = key
            sessions[key] = _open_session(self._dialer.tls, public_only=public_only, must_be_new=must_be_new)
        return sessions[key]


async def _close_all(sessions: dict[tuple[bool, bool], aiohttp.ClientSession]) -> None:
    for session in sessions.values():
        await session.close()


def _open_session(tls: ssl.SSLContext, *, public_only: bool, must_be_new: bool) -> aiohttp.ClientSession:
    connector = _Connector(
        limit=0,
        ssl=tls,
        use_dns_cache=False,
        resolver=_PublicResolver() if public_only else None,
        force_close=must_be_new,
        keepalive_timeout=None if must_be_new else IDLE_SECONDS,
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class _PublicResolver(aiohttp.ThreadedResolver):
    """Resolves names to public addresses only. aiohttp connects to the addresses that it returns."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        try:
            require_public(host, [entry["host"] for entry in found])
        except ConnectError as error:
            raise OSError(str(error)) from None
        return found


class _Progress:
    """How far a request has come."""

    def __init__(self) -> None:
        self.transport: asyncio.BaseTransport | None = None  # once there is a connection

    def abort_closing(self) -> None:
        """Abort a connection that is being closed: the server may never read what is left to be sent."""
        if isinstance(self.transport, asyncio.WriteTransport) and self.transport.is_closing():
            self.transport.abort()


# The progress of the request that is being sent: an error of aiohttp does not say how far the request had come.
_progress: ContextVar[_Progress] = ContextVar("modelwire_progress")


class _Connector(aiohttp.TCPConnector):
    """Never reuses a connection on which bytes came while it was idle: aiohttp takes them for the next response."""

    @property
    def force_close(self) -> bool:
        """False, so that aiohttp adds no `Connection: close` header."""
        return False

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                _progress.get().transport = connection.transport
                return connection
            connection.close()


class AsyncAiohttpExchange:
    """One request over aiohttp."""

    def __init__(self, transport: AsyncAiohttpTransport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._request = command.request
        self._loop = LoopGuard()
        self._progress = _Progress()
        self._has_response = False
        self._deadline = math.inf  # monotonic time
        self._events = self._run()

    async def receive(self, until: float) -> Event:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise InvalidInput("aiohttp runs on asyncio alone: use AsyncHttpxTransport or AsyncH11Transport") from None
        self._loop.check()
        left = until - self._transport.clock.now()
        self._deadline = time.monotonic() + left
        deadline = asyncio.timeout(left if self._transport.is_strict or self._has_response else left + REPORT_SECONDS)
        try:
            async with deadline:
                return await anext(self._events)
        except StopAsyncIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, OSError, aiohttp.ClientError) as error:
            is_sent = self._may_have_left(error)
            return Woken() if deadline.expired() and is_sent else _failed(self._request_id, error, is_sent=is_sent)

    async def close(self) -> None:
        self._loop.check()
        await self._events.aclose()

    def _may_have_left(self, error: Exception) -> bool:
        """True if a byte of the request may have left before the error."""
        if self._transport.is_strict:
            return self._progress.transport is not None
        # A session of the program's does not say when it connects: only some errors say that nothing was sent.
        if isinstance(error, aiohttp.ClientResponseError) and error.request_info.method == "CONNECT":
            return False
        return self._has_response or not isinstance(error, _BEFORE_SENDING)

    async def _run(self) -> AsyncGenerator[Event, None]:
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._send()
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
            self._progress.abort_closing()
        yield ResponseEnded(self._request_id)

    async def _send(self) -> aiohttp.ClientResponse:
        """Send the request, to one address after the other if they are pinned."""
        is_strict = self._transport.is_strict
        route = find_route(self._request, self._transport.proxies)
        session = await self._transport.session_for(self._request, route)
        pinned = await pin_addresses_async(route, self._deadline) if route.public_only and not is_strict else None
        if not is_strict and time.monotonic() >= self._deadline:
            raise ConnectError("timed out")
        for attempt in address_attempts(pinned, math.inf if is_strict else self._deadline):
            try:
                response = await _send_to(session, self._request, route, attempt, self._progress)
            except (FlowFailed, OSError, aiohttp.ClientError) as error:
                if attempt.is_last or self._may_have_left(error):
                    raise
            else:
                self._has_response = True
                _require_known_coding(response)
                return response
        raise AssertionError("unreachable")


async def _send_to(
    session: aiohttp.ClientSession, request: Request, route: Route, attempt: AddressAttempt, progress: _Progress
) -> aiohttp.ClientResponse:
    """Send a request, to the pinned address if there is one, and wait for the head of its response.

    Raises `ConnectError` for a request that aiohttp would change, and `InvalidInput` for a proxy that it cannot use.
    """
    headers = route.headers(request)
    if not all(value.isascii() for _, value in headers):
        raise ConnectError("aiohttp cannot send a header value beyond ASCII as it is")
    proxy_url = _proxy_url(route)
    silence, address = request.silence, attempt.address
    connecting = min(silence, attempt.seconds)
    url = URL(request.url.partition("#")[0], encoded=True)
    # asyncio notices after one iteration of the loop that a pooled connection has ended, and aiohttp after two.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    token = _progress.set(progress)
    try:
        return await session.request(
            request.method,
            url if address is None else url.with_host(address),
            headers=headers,
            data=_RequestBody(request.body, silence) if request.body else None,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            skip_auto_headers=_AUTOMATIC_HEADERS,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_HEADERS,
            middlewares=(_SendOnce(),),
            timeout=aiohttp.ClientTimeout(
                connect=connecting, sock_connect=connecting, sock_read=silence, ceil_threshold=math.inf
            ),
            server_hostname=route.host if address is not None and not is_numeric(route.host) else None,
            proxy=proxy_url,
            proxy_headers=dict(route.proxy.headers()) if route.proxy is not None and route.is_tunnelled else None,
        )
    except UnicodeError:
        raise ConnectError(f"{route.host!r} is not a valid host name") from None
    finally:
        _progress.reset(token)


def _require_known_coding(response: aiohttp.ClientResponse) -> None:
    """Raises `RemoteProtocolError` for a response whose framing aiohttp would guess."""
    codings = response.headers.getall("Transfer-Encoding", ())
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        response.close()
        raise RemoteProtocolError("the response has an unknown transfer coding")


class _SendOnce:
    """A middleware that lets a request be sent once. aiohttp would repeat some by itself; the flow decides that."""

    def __init__(self) -> None:
        self._error: aiohttp.ClientError | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._error is not None:
            raise self._error
        try:
            return await handler(request)
        except aiohttp.ClientError as error:
            self._error = error
            raise


class _RequestBody(aiohttp.Payload):
    """A request's body. Each part of it that is sent counts as progress; aiohttp only watches what arrives."""

    _value: bytes

    def __init__(self, data: bytes, silence: float) -> None:
        super().__init__(data)
        self._size = len(data)
        self._silence = silence

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for start in range(0, len(self._value), WRITE_SIZE):
            async with asyncio.timeout(self._silence):
                await writer.write(self._value[start : start + WRITE_SIZE])


async def _read(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.readany()
    except RuntimeError as error:
        # aiohttp's error if the session, and its connections, were closed meanwhile.
        raise aiohttp.ClientConnectionError(str(error)) from None


def _failed(request_id: int, error: Exception, *, is_sent: bool) -> RequestFailed:
    """An error of aiohttp, or of ours, as an event."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        # Its text quotes the request to the proxy, which may hold the proxy's password.
        detail = f"the proxy refused to connect, with status {error.status}"
        return request_failed(request_id, error, is_sent=False, detail=detail)
    if isinstance(error, aiohttp.ClientResponseError):
        # Its text quotes the server, which may hold a secret.
        detail = "the server did not send a valid HTTP response"
        return request_failed(request_id, error, is_sent=is_sent, kind="protocol", detail=detail)
    return request_failed(request_id, error, is_sent=is_sent, detail=str(getattr(error, "os_error", "")))


def _proxy_url(route: Route) -> str | None:
    proxy = route.proxy
    if proxy is None:
        return None
    if proxy.is_socks:
        raise InvalidInput(
            "aiohttp does not support SOCKS: use an http:// proxy, or AsyncHttpxTransport or AsyncH11Transport"
        )
    return proxy.url
