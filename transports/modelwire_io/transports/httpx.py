"""httpx, or httpx2, as a transport: an adapter over a client object."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import anyio

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, FlowFailed, InvalidInput, LocalProtocolError
from modelwire.events import BodyReceived, Event, RequestFailureKind, ResponseEnded, ResponseStarted, Woken
from modelwire.formats.inflate import Inflater
from modelwire.http import Headers, content_coding
from modelwire_io.clock import SystemClock
from modelwire_io.net.loops import LoopGuard, PerLoop
from modelwire_io.net.proxies import ProxyTable, proxy_secrets
from modelwire_io.net.routes import Route, find_route

from .failures import request_failed
from .httpx_backend import deadline_in
from .httpx_client import (
    HEADERS,
    PUBLIC_ONLY,
    REPEATABLE,
    TARGET,
    Library,
    exact_url,
    load_library,
    open_async_client,
    open_client,
    request_body,
)
from .httpx_logs import hide_details, install_log_filter
from .pinning import AddressAttempt, address_attempts, pin_addresses, pin_addresses_async

if TYPE_CHECKING:
    import httpx
    import httpx2

_NO_PROXY = ProxyTable("", {})
# Scheme and authority of a URL.
_SITE = re.compile(r"https?://[^/?#]*")
_OPERATIONS = ("connect", "read", "write", "pool")
# Parts of the messages by which httpcore and h11 say that a response was cut off.
_CUT_OFF = ("closed connection", "disconnected")
# Errors of httpx that come before a byte of the request can have left.
_CONNECT_ERRORS = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
# Number: pooled connections to one address that are closed until a new one is opened. More than httpx pools by default.
_MAX_CLOSED = 30


class HttpxTransport:
    """A blocking transport over an httpx or httpx2 client.

    `client` is one that the program has already, with its proxies, TLS and limits; the program closes it. Its auth,
    cookies and redirects are not used. Without `client`, the transport makes clients of its own (of `library`), which
    keep more promises; `proxy` is then for every request (`""`: none), by default the environment's.

    Raises `InvalidInput` if the library is not installed, or the proxy or the client is not valid.
    """

    def __init__(
        self,
        client: httpx.Client | httpx2.Client | None = None,
        *,
        proxy: str | None = None,
        library: Library = "httpx",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.clock = SystemClock()
        self.library = HttpxLibrary(client, "Client", library, proxy, environment)
        self._given = client
        self._own: Any = None
        # Threads that share the transport share its one client.
        self._lock = threading.Lock()

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.library.proxies)

    def client(self) -> Any:
        """The httpx client to send with."""
        if self._given is not None:
            return self.library.checked(self._given)
        with self._lock:
            if self._own is None:
                self._own = open_client(self.library.httpx, self.library.proxies)
            return self._own

    def open(self, command: SendRequest) -> HttpxExchange:
        return HttpxExchange(self, command)

    def sleep(self, until: float) -> None:
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close every connection of the transport's own client. The program's client stays open."""
        with self._lock:
            own, self._own = self._own, None
        if own is not None:
            own.close()


class HttpxExchange:
    """One request over httpx."""

    def __init__(self, transport: HttpxTransport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._state = _RequestState(transport.library, command)
        self._events = self._run()

    def receive(self, until: float) -> Event:
        left = until - self._transport.clock.now()
        if left <= 0 and not (self._transport.library.is_strict and self._state.may_have_left):
            # The program's client would wait for the next bytes.
            self._events.close()
            return self._state.late()
        self._state.deadline = time.monotonic() + left
        try:
            with hide_details(), deadline_in(left):
                return next(self._events)
        except StopIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, OSError, UnicodeError, *self._state.errors) as error:
            return self._state.failed(error, is_late=self._transport.clock.now() >= until)

    def close(self) -> None:
        with hide_details():
            self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        response = self._send()
        headers = _headers(response)
        try:
            yield ResponseStarted(self._request_id, response.status_code, headers)
            inflater = Inflater(content_coding(headers))
            for data in response.stream:
                for piece in inflater.feed(data):
                    yield BodyReceived(self._request_id, piece)
            inflater.end()
        finally:
            response.close()
        yield ResponseEnded(self._request_id)

    def _send(self) -> Any:
        """Send the request, to one address after the other if they are pinned, and wait for the response's head."""
        state = self._state
        route = state.find_route()
        pinned = pin_addresses(route, state.deadline) if state.must_pin else None
        client = self._transport.client()
        for attempt in address_attempts(pinned, state.deadline):
            try:
                response = self._send_to(client, route, attempt)
            except (ConnectError, *state.errors) as error:
                if attempt.is_last or state.is_sent(error):
                    raise
            else:
                state.has_response = True
                return response
        raise AssertionError("unreachable")

    def _send_to(self, client: Any, route: Route, attempt: AddressAttempt) -> Any:
        for _ in range(_MAX_CLOSED):
            request = self._state.request(route, attempt, self._state.on_step)
            try:
                return client.send(request, stream=True, auth=None, follow_redirects=False)
            except _ReusedConnectionError:
                pass  # httpcore has closed it
        raise ConnectError("the client opens no new connection, but reuses one that is for another host name")


class AsyncHttpxTransport:
    """The same for async code, on asyncio and on trio, over an `AsyncClient`.

    A client of the program's belongs to the event loop in which the program uses it.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | httpx2.AsyncClient | None = None,
        *,
        proxy: str | None = None,
        library: Library = "httpx",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.clock = SystemClock()
        self.library = HttpxLibrary(client, "AsyncClient", library, proxy, environment)
        self._given = client
        self._own: PerLoop[Any] = PerLoop(self._open_client, _close_client)

    @property
    def secrets(self) -> list[str]:
        """The passwords of the proxies."""
        return proxy_secrets(self.library.proxies)

    async def client(self) -> Any:
        """The httpx client to send with, in this event loop."""
        return await self._own.get() if self._given is None else self.library.checked(self._given)

    def open(self, command: SendRequest) -> AsyncHttpxExchange:
        return AsyncHttpxExchange(self, command)

    async def sleep(self, until: float) -> None:
        await anyio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection of the transport's own client in this event loop.

        Those of another event loop are closed when it ends. The program's client stays open.
        """
        await self._own.close()

    def _open_client(self) -> Any:
        return open_async_client(self.library.httpx, self.library.proxies)


async def _close_client(client: Any) -> None:
    await client.aclose()


class AsyncHttpxExchange:
    """One request over httpx."""

    def __init__(self, transport: AsyncHttpxTransport, command: SendRequest) -> None:
        self._transport = transport
        self._request_id = command.request_id
        self._loop = LoopGuard()
        self._state = _RequestState(transport.library, command)
        self._events = self._run()

    async def receive(self, until: float) -> Event:
        self._loop.check()
        left = until - self._transport.clock.now()
        if left <= 0 and not self._state.may_have_left:
            await self._events.aclose()
            return self._state.late()
        self._state.deadline = time.monotonic() + left
        try:
            with hide_details(), anyio.move_on_after(left):
                return await anext(self._events)
        except StopAsyncIteration:
            raise RuntimeError("receive() was called after the end of the response") from None
        except (FlowFailed, OSError, UnicodeError, *self._state.errors) as error:
            return self._state.failed(error, is_late=False)
        return self._state.late()

    async def close(self) -> None:
        self._loop.check()
        with hide_details():
            await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        response = await self._send()
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
            with anyio.CancelScope(shield=True):
                await response.aclose()
                await self._run_out(stream)
        yield ResponseEnded(self._request_id)

    async def _send(self) -> Any:
        state = self._state
        route = state.find_route()
        pinned = await pin_addresses_async(route, state.deadline) if state.must_pin else None
        client = await self._transport.client()
        for attempt in address_attempts(pinned, state.deadline):
            try:
                response = await self._send_to(client, route, attempt)
            except (ConnectError, *state.errors) as error:
                if attempt.is_last or state.is_sent(error):
                    raise
            else:
                state.has_response = True
                return response
        raise AssertionError("unreachable")

    async def _send_to(self, client: Any, route: Route, attempt: AddressAttempt) -> Any:
        for _ in range(_MAX_CLOSED):
            request = self._state.request(route, attempt, self._state.on_step_async)
            try:
                return await client.send(request, stream=True, auth=None, follow_redirects=False)
            except _ReusedConnectionError:
                pass  # httpcore has closed it
        raise ConnectError("the client opens no new connection, but reuses one that is for another host name")

    async def _run_out(self, stream: AsyncIterator[bytes]) -> None:
        """Let the generators inside httpx end, now that the response is closed.

        httpx does not close them, and trio warns of a generator that is left to the garbage collector.
        """
        try:
            async for _ in stream:
                pass
        except (self._state.httpx.TransportError, self._state.httpx.StreamError):
            pass


class HttpxLibrary:
    """httpx or httpx2, and whose client it is that requests are sent with."""

    def __init__(
        self, client: object, kind: str, library: Library, proxy: str | None, environment: Mapping[str, str]
    ) -> None:
        name = library if client is None else _library_of(client, kind)
        self.httpx: ModuleType = load_library(name)
        if client is not None and not isinstance(client, getattr(self.httpx, kind)):
            raise InvalidInput(f"the client is a {type(client).__name__}: this transport needs an {name}.{kind}")
        # True for a client of our own, which keeps the deadline and checks addresses.
        self.is_strict = client is None
        self.proxies = ProxyTable(proxy, environment) if client is None else _NO_PROXY
        install_log_filter(name)

    def checked(self, client: Any) -> Any:
        """The program's client. Raises `LocalProtocolError` if the program has closed it."""
        if client.is_closed:
            raise LocalProtocolError("the httpx client of this transport is closed: keep it open while it is used")
        return client


def _library_of(client: object, kind: str) -> str:
    for base in type(client).__mro__:
        name = base.__module__.partition(".")[0]
        if name in ("httpx", "httpx2"):
            return name
    raise InvalidInput(f"the client is a {type(client).__name__}: this transport needs an httpx.{kind}")


class _ReusedConnectionError(Exception):
    """A request is about to be sent on a pooled connection whose certificate may be for another host name.

    httpcore pools connections by address, if the request has one, and not by the name in `sni_hostname`.
    """


class _RequestState:
    """One request on its way: its form for httpx, how far it has come, and what an error means then."""

    def __init__(self, library: HttpxLibrary, command: SendRequest) -> None:
        self.httpx = library.httpx
        # `InvalidURL` comes if a response redirects to one.
        self.errors = (library.httpx.TransportError, library.httpx.InvalidURL)
        self.deadline = math.inf  # monotonic time
        self.has_response = False
        self._library = library
        self._request_id = command.request_id
        self._request = command.request
        self._is_begun = False  # the client has the request
        self._is_traced = False  # the client reports its steps
        self._is_sent = False  # the client reported that it begins to send
        self._must_be_new = False  # the connection
        self._is_new = False

    @property
    def may_have_left(self) -> bool:
        """True if a byte of the request may have left. A client with a transport of its own reports no steps."""
        return self._is_sent or self.has_response or (self._is_begun and not self._is_traced)

    def is_sent(self, error: Exception) -> bool:
        """True if a byte of the request may have left before this error."""
        if self._is_sent or self.has_response:
            return True
        is_from_connecting = type(error).__name__ in _CONNECT_ERRORS or isinstance(error, FlowFailed | UnicodeError)
        return self.may_have_left and not is_from_connecting

    @property
    def must_pin(self) -> bool:
        """True if the address has to be checked before the client connects to it."""
        return self._request.public_only and not self._library.is_strict

    def find_route(self) -> Route:
        """The direct route; the client adds the proxies.

        Raises `ConnectError` if the URL leads nowhere, or to an address that is not public and must be.
        """
        route = find_route(self._request, self._library.proxies)
        return route._replace(proxy=None)

    def request(self, route: Route, attempt: AddressAttempt, trace: object) -> Any:
        """The request in httpx's terms: what the flow gave and its framing, and nothing else.

        It goes to the pinned address if there is one. `trace` is called with each step
        (https://www.encode.io/httpcore/extensions/#trace). Raises `ConnectError` for a URL that httpx refuses.
        """
        request = self._request
        timeouts = dict.fromkeys(_OPERATIONS, self._timeout())
        extensions: dict[str, Any] = {"timeout": timeouts, "trace": trace}
        url, address = request.url, attempt.address
        if self._library.is_strict:
            # httpx would normalize the path of a URL.
            extensions[TARGET] = route.target(request).encode()
            extensions[PUBLIC_ONLY] = route.public_only
            extensions[REPEATABLE] = request.repeatable
            url = _SITE.findall(url)[0]
        try:
            parsed = self.httpx.URL(url)
            if address is not None:
                extensions["sni_hostname"] = route.host
                self._must_be_new = route.scheme == "https"
                timeouts["connect"] = min(timeouts["connect"], attempt.seconds)
                parsed = parsed.copy_with(host=address)
            made = self.httpx.Request(
                request.method,
                parsed,
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in route.headers(request)],
                stream=request_body(self.httpx, request.body),
                extensions=extensions,
            )
            if not self._library.is_strict:
                made.url = exact_url(self.httpx, parsed, route.target(request))
        except (self.httpx.InvalidURL, UnicodeError) as error:
            raise ConnectError(str(error)) from None
        self._is_begun = True
        self._is_new = False
        return made

    def on_step(self, step: str, info: Mapping[str, Any]) -> None:
        """Record how far the request has come; a CONNECT to a proxy is another request.

        Raises `_ReusedConnectionError`, before anything is sent, if the connection should be new and is not.
        """
        self._is_traced = True
        if step.endswith("connect_tcp.started"):
            self._is_new = True
        if step.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            if self._must_be_new and not self._is_new:
                raise _ReusedConnectionError
            self._is_sent = True

    async def on_step_async(self, step: str, info: Mapping[str, Any]) -> None:
        self.on_step(step, info)

    def failed(self, error: Exception, *, is_late: bool) -> Event:
        """An error of httpx, or of ours, as an event; `Woken` if it came because the deadline has."""
        is_sent = self.is_sent(error)
        if is_late and is_sent and isinstance(error, self.httpx.TimeoutException):
            return Woken()
        kind, detail = self._explain(error)
        return request_failed(self._request_id, error, is_sent=is_sent, kind=kind, detail=detail)

    def late(self) -> Event:
        """The event if the deadline passes."""
        if self.may_have_left:
            return Woken()
        return request_failed(self._request_id, TimeoutError(), is_sent=False)

    def _explain(self, error: Exception) -> tuple[RequestFailureKind, str]:
        if isinstance(error, self.httpx.TimeoutException):
            return "timeout", ""
        if isinstance(error, self.httpx.InvalidURL):
            return "protocol", "the response redirects to a URL that is not valid"
        if isinstance(error, self.httpx.ProtocolError):
            # Without the part that quotes the server, which may hold a secret.
            detail = str(error).partition(":")[0]
            return ("network" if any(mark in detail for mark in _CUT_OFF) else "protocol"), detail
        return ("network", "") if isinstance(error, self.httpx.NetworkError | OSError) else ("protocol", "")

    def _timeout(self) -> float:
        """Seconds that one operation may take. Our own client keeps the deadline besides."""
        silence = self._request.silence
        if self._library.is_strict:
            return silence
        return max(0.001, min(silence, self.deadline - time.monotonic()))


def _headers(response: Any) -> Headers:
    raw = response.extensions.get(HEADERS, response.headers.raw)
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
