"""httpx, or httpx2, as a transport: the same adapter over either.

What httpx does not do is added: an absolute deadline under every blocking read (it starts its timeout anew at each
byte), inflating in bounded steps, addresses that are checked where the connection is made, and a proxy chosen per
request.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from types import ModuleType
from typing import Any

import anyio

from modelwire.commands import SendRequest
from modelwire.errors import FailureKind, FlowFailed
from modelwire.events import (
    BodyReceived,
    Event,
    RequestFailed,
    RequestFailureKind,
    ResponseEnded,
    ResponseStarted,
    Woken,
)
from modelwire.http import Headers, find_header
from modelwire.inflate import Inflater

from .clock import SystemClock
from .httpx_guard import deadline_in
from .httpx_pools import Body, Library, Pools
from .proxies import ProxyTable

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


class HttpxTransport:
    """A blocking transport over httpx or httpx2 (`library`).

    `proxy` is for every request (`""`: none), by default the environment's. Raises `InvalidInput` where the library
    is not installed, or the proxy is none.
    """

    def __init__(
        self, *, proxy: str | None = None, library: Library = "httpx", environment: Mapping[str, str] = os.environ
    ) -> None:
        self.clock = SystemClock()
        self._pools = Pools(library, ProxyTable(proxy, environment), "HTTPTransport")

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

    def __init__(self, pools: Pools, clock: SystemClock, command: SendRequest) -> None:
        self._pools = pools
        self._clock = clock
        self._request_id = command.request_id
        self._request = command.request
        self._body: Body | None = None
        self._events = self._run()

    def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        try:
            with deadline_in(until - self._clock.now()):
                return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, self._pools.httpx.TransportError) as error:
            if self._clock.now() >= until and self._was_sent():
                return Woken()
            return _failed(self._request_id, self._pools.httpx, error)

    def _was_sent(self) -> bool:
        return self._body is not None and self._body.was_begun

    def close(self) -> None:
        """Let go of the connection."""
        self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        request = self._pools.request(self._request)
        self._body = request.stream
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
        self._pools = Pools(library, ProxyTable(proxy, environment), "AsyncHTTPTransport")

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

    def __init__(self, pools: Pools, clock: SystemClock, command: SendRequest) -> None:
        self._pools = pools
        self._clock = clock
        self._request_id = command.request_id
        self._request = command.request
        self._body: Body | None = None
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
        return Woken() if self._was_sent() else _not_connected(self._request_id)

    def _was_sent(self) -> bool:
        return self._body is not None and self._body.was_begun

    async def close(self) -> None:
        """Let go of the connection."""
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        request = self._pools.request(self._request)
        self._body = request.stream
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
            # httpcore shields this from being cancelled.
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


def _not_connected(request_id: int) -> RequestFailed:
    return RequestFailed(request_id, "connect", "no connection was made in time")


def _headers(response: Any) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)


def _failed(request_id: int, httpx: ModuleType, error: Exception) -> RequestFailed:
    """An exception of httpx, or of the inflater, as an event."""
    kind: RequestFailureKind
    detail = _detail(error)
    if isinstance(error, FlowFailed):
        kind = _OWN_KINDS.get(error.kind, "protocol")
    elif any(mark in detail for mark in _CUT_OFF):
        kind = "network"
    else:
        kind = next(kind for name, kind in _KINDS if isinstance(error, getattr(httpx, name)))
    return RequestFailed(request_id, kind, detail)


def _detail(error: BaseException) -> str:
    """What an exception says or, where it says nothing, what caused it does; on trio that is where the reason is."""
    cause: BaseException | None = error
    # A cancellation is no reason: by that a timeout is kept.
    while isinstance(cause, Exception):
        if str(cause):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
