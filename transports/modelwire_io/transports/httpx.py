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
from modelwire.errors import FlowFailed
from modelwire.events import (
    BodyReceived,
    Event,
    RequestFailed,
    RequestFailureKind,
    ResponseEnded,
    ResponseStarted,
    Woken,
)
from modelwire.formats.inflate import Inflater
from modelwire.http import Headers, content_coding
from modelwire_io.clock import SystemClock
from modelwire_io.net.loops import LoopGuard
from modelwire_io.net.proxies import ProxyTable

from .failures import request_failed
from .httpx_backend import deadline_in
from .httpx_logs import our_request
from .httpx_pools import AsyncPools, Library, Pools, StepInfo, begins_to_send, is_doubtful

# How httpcore and h11 say that a response was cut off, which is no fault of its HTTP.
_CUT_OFF = ("closed connection", "disconnected")


class HttpxTransport:
    """A blocking transport over httpx or httpx2 (`library`).

    `proxy` is for every request (`""`: none), by default the environment's. Raises `InvalidInput` where the library
    is not installed, or the proxy is none.
    """

    def __init__(
        self, *, proxy: str | None = None, library: Library = "httpx", environment: Mapping[str, str] = os.environ
    ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self._pools = Pools(library, self.proxies)

    def open(self, command: SendRequest) -> HttpxExchange:
        """Begin an exchange."""
        return HttpxExchange(self._pools, self.clock, command)

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close every connection."""
        self._pools.close()


class HttpxExchange:
    """One request over httpx."""

    def __init__(self, pools: Pools, clock: SystemClock, command: SendRequest) -> None:
        self._pools = pools
        self._clock = clock
        self._request_id = command.request_id
        self._request = command.request
        self._is_sent = False
        self._events = self._run()

    def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        if not self._is_sent and self._clock.now() >= until:
            self._events.close()
            return request_failed(self._request_id, TimeoutError(), is_sent=False)
        try:
            with our_request(), deadline_in(until - self._clock.now()):
                return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, self._pools.httpx.TransportError) as error:
            is_late = isinstance(error, self._pools.httpx.TimeoutException)
            if is_late and self._clock.now() >= until and self._is_sent:
                return Woken()
            return _failed(self._request_id, self._pools.httpx, error, is_sent=self._is_sent)

    def close(self) -> None:
        """Let go of the connection."""
        with our_request():
            self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        request = self._pools.request(self._request, self._note)
        response = self._pools.pool_for(self._request).handle_request(request)
        headers = _headers(response)
        try:
            yield ResponseStarted(self._request_id, response.status_code, headers)
            inflater = Inflater(content_coding(headers))
            for data in response.stream:
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            inflater.end()
        finally:
            if is_doubtful(response, headers):
                response.extensions["network_stream"].close()
            response.close()
        yield ResponseEnded(self._request_id)

    def _note(self, step: str, info: StepInfo) -> None:
        self._is_sent = self._is_sent or begins_to_send(step, info)


class AsyncHttpxTransport:
    """The same for async code, on asyncio and on trio."""

    def __init__(
        self, *, proxy: str | None = None, library: Library = "httpx", environment: Mapping[str, str] = os.environ
    ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self._pools = AsyncPools(library, self.proxies)

    def open(self, command: SendRequest) -> AsyncHttpxExchange:
        """Begin an exchange."""
        return AsyncHttpxExchange(self._pools, self.clock, command)

    async def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        await anyio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection of this event loop; those of another are closed when that comes to its end."""
        await self._pools.close()


class AsyncHttpxExchange:
    """One request over httpx."""

    def __init__(self, pools: AsyncPools, clock: SystemClock, command: SendRequest) -> None:
        self._pools = pools
        self._clock = clock
        self._request_id = command.request_id
        self._request = command.request
        self._home = LoopGuard()
        self._is_sent = False
        self._events = self._run()

    async def receive(self, until: float) -> Event:
        """The next event, or `Woken` at `until`."""
        self._home.check()
        try:
            with our_request(), anyio.move_on_after(until - self._clock.now()):
                return await anext(self._events)
        except StopAsyncIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, self._pools.httpx.TransportError) as error:
            return _failed(self._request_id, self._pools.httpx, error, is_sent=self._is_sent)
        return Woken() if self._is_sent else request_failed(self._request_id, TimeoutError(), is_sent=False)

    async def close(self) -> None:
        """Let go of the connection."""
        self._home.check()
        with our_request():
            await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        request = self._pools.request(self._request, self._note)
        pool = await self._pools.pool_for(self._request)
        response = await pool.handle_async_request(request)
        headers = _headers(response)
        stream = aiter(response.stream)
        try:
            yield ResponseStarted(self._request_id, response.status_code, headers)
            inflater = Inflater(content_coding(headers))
            async for data in stream:
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            inflater.end()
        finally:
            if is_doubtful(response, headers):
                await response.extensions["network_stream"].aclose()
            # httpcore shields this from being cancelled.
            await response.aclose()
            await self._run_out(stream)
        yield ResponseEnded(self._request_id)

    async def _note(self, step: str, info: StepInfo) -> None:
        self._is_sent = self._is_sent or begins_to_send(step, info)

    async def _run_out(self, stream: AsyncIterator[bytes]) -> None:
        """Let the generators inside httpx come to their end, which is near: the connection is closed, or was read out.

        httpx does not close them, and one that is left for the garbage collector is a ResourceWarning on trio.
        """
        try:
            async for _ in stream:
                pass
        except self._pools.httpx.TransportError:
            pass


def _headers(response: Any) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)


def _failed(request_id: int, httpx: ModuleType, error: Exception, *, is_sent: bool) -> RequestFailed:
    """An exception of httpx, or of ours, as an event."""
    kind: RequestFailureKind = "protocol"
    detail = ""
    if isinstance(error, httpx.TimeoutException):
        kind = "timeout"
    elif isinstance(error, httpx.NetworkError):
        kind = "network"
    elif isinstance(error, httpx.ProtocolError):
        # It quotes what came, and that may hold a secret.
        detail = str(error).partition(":")[0]
        kind = "network" if any(mark in detail for mark in _CUT_OFF) else "protocol"
    return request_failed(request_id, error, is_sent=is_sent, kind=kind, detail=detail)
