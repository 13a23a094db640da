"""httpx, or httpx2, as a transport: the same adapter over either.

What httpx does not do is added here: an absolute deadline under every blocking read (it starts its timeout anew at
each byte), inflating in bounded steps, addresses that are checked where the connection is made, and a proxy chosen per
request. What httpx does of its own accord is kept out: cookies, redirects, headers, the environment.
"""

from __future__ import annotations

import importlib
import os
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any, Literal, NamedTuple

import anyio

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FailureKind, FlowFailed, InvalidInput
from modelwire.events import (
    BodyReceived,
    Event,
    RequestFailed,
    RequestFailureKind,
    ResponseEnded,
    ResponseStarted,
    Woken,
)
from modelwire.http import Headers, Request, find_header, origin, without_query
from modelwire.inflate import Inflater

from .addresses import may_be_public
from .clock import SystemClock
from .httpx_guard import AsyncGuardedBackend, GuardedBackend, deadline_in
from .proxies import ProxyTable

Library = Literal["httpx", "httpx2"]

# An open stream needs a connection of its own, and idle ones are few: there is nothing to be gained by a limit.
_POOL_LIMITS = {"max_connections": None, "max_keepalive_connections": 100, "keepalive_expiry": 15.0}

# What httpx keeps a timeout for.
_OPERATIONS = ("connect", "read", "write", "pool")

# By name, since the classes are those of one library or the other. The first that fits counts.
_KINDS: tuple[tuple[str, RequestFailureKind], ...] = (
    ("ConnectError", "connect"),
    ("ConnectTimeout", "connect"),
    ("PoolTimeout", "connect"),
    ("ProxyError", "connect"),
    ("TimeoutException", "timeout"),
    ("NetworkError", "network"),
    ("ProtocolError", "protocol"),
    ("TransportError", "protocol"),
)
_OWN_KINDS: dict[FailureKind, RequestFailureKind] = {"connect": "connect", "truncated": "network"}
# How httpcore and h11 say that a response was cut off, which is no fault of its HTTP.
_CUT_OFF = ("peer closed", "disconnected", "closed the connection")


class _ExactUrl(NamedTuple):
    """What httpx asks of a URL to send a request to it. A URL of its own would mend the target."""

    raw_scheme: bytes
    raw_host: bytes
    port: int | None
    raw_path: bytes


class _Pools:
    """The connection pools of one transport: for direct connections and for each proxy, to anywhere or public alone."""

    def __init__(self, library: Library, proxies: ProxyTable, transport_class: str) -> None:
        self.httpx = _load(library, library)
        self.core = _load({"httpx": "httpcore", "httpx2": "httpcore2"}[library], library)
        self.proxies = proxies
        self._transport_class = transport_class
        self._opened: dict[tuple[str | None, bool], Any] = {}

    def pool_for(self, request: Request) -> Any:
        """The pool that a request goes through, made when it is first needed."""
        # A connection whose address nobody checked must not be used again where it has to be public.
        key = (self.proxies.proxy_for(request.url), request.public_only)
        if key not in self._opened:
            # Another thread may have been faster; its pool is then the one.
            self._opened.setdefault(key, self._open(*key))
        return self._opened[key]

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """What all pools trust: the usual authorities, or those of `SSL_CERT_FILE`. It takes long to make."""
        context: ssl.SSLContext = self.httpx.create_ssl_context(trust_env=True)
        return context

    def take_all(self) -> list[Any]:
        """Every pool, to be closed; a request after that opens new ones."""
        pools = list(self._opened.values())
        self._opened.clear()
        return pools

    def request(self, request: Request) -> Any:
        """The request in httpx's terms, with what was given and its framing, and nothing else.

        Raises `ConnectError` for a host that is none, and for one that only this machine or network knows where it
        must be public: through a proxy, which resolves names itself, that is all that can be seen.
        """
        site, target = _split(request.url)
        try:
            host = origin(request.url)[1]
            made = self.httpx.Request(
                request.method,
                site,
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
                content=request.body or None,
                extensions={"timeout": dict.fromkeys(_OPERATIONS, request.timeout)},
            )
        except (InvalidInput, self.httpx.InvalidURL, UnicodeError) as error:
            raise ConnectError(str(error)) from None
        if request.public_only and not may_be_public(host):
            raise ConnectError(f"{without_query(request.url)} is not at a public address")
        made.url = _ExactUrl(made.url.raw_scheme, made.url.raw_host, made.url.port, target)
        return made

    def _open(self, proxy: str | None, public_only: bool) -> Any:
        try:
            pool = getattr(self.httpx, self._transport_class)(
                verify=self._tls, proxy=proxy, limits=self.httpx.Limits(**_POOL_LIMITS)
            )
        except ImportError as error:
            raise InvalidInput(f"this proxy needs another package: {error}") from None
        # There is no public way to put a backend under httpx's own transport.
        inner = pool._pool._network_backend
        wrap = GuardedBackend if self._transport_class == "HTTPTransport" else AsyncGuardedBackend
        # A proxy's own address may be any.
        pool._pool._network_backend = wrap(inner, self.core, public_only=public_only and proxy is None)
        return pool


class HttpxTransport:
    """A blocking transport over httpx or httpx2 (`library`).

    `proxy` is for every request (`""`: none), by default the environment's. Raises `InvalidInput` where the library
    is not installed, or the proxy is none.
    """

    def __init__(
        self, *, proxy: str | None = None, library: Library = "httpx", environment: Mapping[str, str] = os.environ
    ) -> None:
        self.clock = SystemClock()
        self._pools = _Pools(library, ProxyTable(proxy, environment), "HTTPTransport")

    def open(self, command: SendRequest) -> HttpxExchange:
        """Begin an exchange."""
        return HttpxExchange(self._pools, self.clock, command)

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.take_all():
            pool.close()


class HttpxExchange:
    """One request over httpx."""

    def __init__(self, pools: _Pools, clock: SystemClock, command: SendRequest) -> None:
        self._pools = pools
        self._clock = clock
        self._request_id = command.request_id
        self._request = command.request
        self._events = self._run()

    def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        try:
            with deadline_in(until - self._clock.now()):
                return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, self._pools.httpx.TransportError) as error:
            if self._clock.now() >= until:
                return Woken()
            return _failed(self._request_id, self._pools.httpx, error)

    def close(self) -> None:
        """Let go of the connection."""
        self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        request = self._pools.request(self._request)
        response = self._pools.pool_for(self._request).handle_request(request)
        try:
            headers = _headers(response)
            yield ResponseStarted(self._request_id, response.status_code, headers)
            inflater = Inflater(find_header(headers, "content-encoding"))
            for data in response.stream:
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            inflater.end()
        finally:
            response.close()
        yield ResponseEnded(self._request_id)


class AsyncHttpxTransport:
    """The same for async code, on asyncio and on trio."""

    def __init__(
        self, *, proxy: str | None = None, library: Library = "httpx", environment: Mapping[str, str] = os.environ
    ) -> None:
        self.clock = SystemClock()
        self._pools = _Pools(library, ProxyTable(proxy, environment), "AsyncHTTPTransport")

    def open(self, command: SendRequest) -> AsyncHttpxExchange:
        """Begin an exchange."""
        return AsyncHttpxExchange(self._pools, self.clock, command)

    async def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        await anyio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.take_all():
            await pool.aclose()


class AsyncHttpxExchange:
    """One request over httpx."""

    def __init__(self, pools: _Pools, clock: SystemClock, command: SendRequest) -> None:
        self._pools = pools
        self._clock = clock
        self._request_id = command.request_id
        self._request = command.request
        self._events = self._run()

    async def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        try:
            with anyio.move_on_after(until - self._clock.now()):
                return await anext(self._events)
        except StopAsyncIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, self._pools.httpx.TransportError) as error:
            return _failed(self._request_id, self._pools.httpx, error)
        return Woken()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        request = self._pools.request(self._request)
        response = await self._pools.pool_for(self._request).handle_async_request(request)
        stream = aiter(response.stream)
        try:
            headers = _headers(response)
            yield ResponseStarted(self._request_id, response.status_code, headers)
            inflater = Inflater(find_header(headers, "content-encoding"))
            async for data in stream:
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            inflater.end()
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
                await self._run_out(stream)
        yield ResponseEnded(self._request_id)

    async def _run_out(self, stream: AsyncIterator[bytes]) -> None:
        """Let the generators inside httpx come to their end, which is near: the connection is closed, or was read out.

        httpx does not close them, and one that is left for the garbage collector is a ResourceWarning on trio.
        """
        try:
            async for _ in stream:
                pass
        except self._pools.httpx.TransportError:
            pass


def _load(module: str, library: Library) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput(f"{library} is not installed: pip install 'modelwire[{library}]'") from None


def _split(url: str) -> tuple[str, bytes]:
    """Scheme and authority of a URL, and what of the rest goes on the wire."""
    site, target = re.findall(r"(https?://[^/?#]*)([^#]*)", url)[0]
    return site, target.encode() if target.startswith("/") else b"/" + target.encode()


def _headers(response: Any) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)


def _failed(request_id: int, httpx: ModuleType, error: Exception) -> RequestFailed:
    """An exception of httpx, or of the inflater, as an event."""
    detail = str(error)
    if isinstance(error, FlowFailed):
        kind = _OWN_KINDS.get(error.kind, "protocol")
    elif any(mark in detail for mark in _CUT_OFF):
        kind = "network"
    else:
        kind = next(kind for name, kind in _KINDS if isinstance(error, getattr(httpx, name)))
    return RequestFailed(request_id, kind, detail or type(error).__name__)
