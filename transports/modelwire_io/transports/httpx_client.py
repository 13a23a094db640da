"""httpx clients of our own: what `HttpxTransport` uses if the program has no client to give it.

Each is an `httpx.Client` (or httpx2's) with a transport of its own, over httpcore's pools and our network backend. So
it sends exactly the request, keeps the deadline, checks addresses, and chooses the proxy for each request.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, Literal, NamedTuple, Self, cast

from modelwire.errors import InvalidInput
from modelwire_io.net.connect import Dialer
from modelwire_io.net.proxies import Proxy, ProxyTable, parse_proxy

from .httpx_backend import AsyncDeadlineBackend, DeadlineBackend

Library = Literal["httpx", "httpx2"]

_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}
# Extensions of our requests: the exact target, whether the address must be public, and whether a second sending could
# cost something. A request that must not be repeated gets a new connection: a reused one may turn out to be dead.
TARGET = "modelwire_target"
PUBLIC_ONLY = "modelwire_public_only"
REPEATABLE = "modelwire_repeatable"
_OWN_EXTENSIONS = (TARGET, PUBLIC_ONLY, REPEATABLE)
# An extension of our responses: all headers. The client sees none, so it keeps no cookies and parses no redirect.
HEADERS = "modelwire_headers"

# Number and seconds. Each open stream needs a connection, so their number has no limit; idle ones are few.
_MAX_IDLE = 100
_IDLE_SECONDS = 15.0


def load_library(name: str) -> ModuleType:
    """httpx or httpx2. Raises `InvalidInput` if it, or its httpcore, is not installed."""
    try:
        importlib.import_module(_CORES[name])
        return importlib.import_module(name)
    except ImportError:
        raise InvalidInput(f"{name} is not installed: pip install 'modelwire[{name}]'") from None


def open_client(httpx: ModuleType, proxies: ProxyTable) -> Any:
    """A blocking client of our own."""
    transport = _subclass(httpx, "BaseTransport", StrictTransport)(httpx, proxies)
    return httpx.Client(transport=transport, trust_env=False)


def open_async_client(httpx: ModuleType, proxies: ProxyTable) -> Any:
    """An async client of our own, for one event loop."""
    transport = _subclass(httpx, "AsyncBaseTransport", AsyncStrictTransport)(httpx, proxies)
    return httpx.AsyncClient(transport=transport, trust_env=False)


class ExactUrl:
    """A URL of httpx with an exact target. httpx itself would normalize some characters and drop an empty query."""

    target = b""

    @property
    def raw_path(self) -> bytes:
        """Path and query as they are sent."""
        return self.target


def exact_url(httpx: ModuleType, url: Any, target: str) -> Any:
    """The URL, sent with this target."""
    exact = _subclass(httpx, "URL", ExactUrl)(url)
    exact.target = target.encode()
    return exact


class RequestBody:
    """A request's body. httpx's own is a generator; trio warns of one that is left to the garbage collector."""

    def __init__(self, data: bytes) -> None:
        self._pieces = [data] if data else []

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _AsyncPieces(iter(self._pieces))


def request_body(httpx: ModuleType, data: bytes) -> Any:
    """The body as a stream of the library's own type, which it insists on."""
    return _subclass(httpx, "SyncByteStream", _subclass(httpx, "AsyncByteStream", RequestBody))(data)


class _AsyncPieces:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


class _Key(NamedTuple):
    """What requests must have in common to share a pool."""

    proxy: Proxy | None
    public_only: bool
    is_reused: bool


class _Pools:
    """httpcore's pools, one for each proxy."""

    is_async = False

    def __init__(self, httpx: ModuleType, proxies: ProxyTable) -> None:
        self.httpx = httpx
        self.core = importlib.import_module(_CORES[httpx.__name__])
        self._proxies = proxies
        self._dialer = Dialer()
        self._opened: dict[_Key, Any] = {}

    def pool_for(self, request: Any) -> Any:
        """The pool that a request goes through, opened when it is first needed."""
        url = self._proxies.proxy_for(str(request.url))
        proxy = None if url is None else parse_proxy(url)
        if not self.is_async and proxy is not None and proxy.scheme == request.url.scheme == "https":
            raise InvalidInput(
                "blocking sockets cannot run TLS inside of TLS:"
                " use an http:// or socks5:// proxy, or AsyncHttpxTransport"
            )
        key = _Key(
            proxy,
            request.extensions.get(PUBLIC_ONLY, False),
            request.extensions.get(REPEATABLE, True),
        )
        if key not in self._opened:
            # Another thread may be faster; then its pool is used.
            self._opened.setdefault(key, self._open(key))
        return self._opened[key]

    def take_all(self) -> list[Any]:
        """Every open pool, to be closed."""
        pools = list(self._opened.values())
        self._opened.clear()
        return pools

    def core_request(self, request: Any) -> Any:
        """The request in httpcore's terms, with its exact target."""
        url, extensions = request.url, request.extensions
        target = extensions.get(TARGET, url.raw_path)
        return self.core.Request(
            method=request.method,
            url=self.core.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
            headers=request.headers.raw,
            content=request.stream,
            extensions={name: value for name, value in extensions.items() if name not in _OWN_EXTENSIONS},
        )

    def response(self, found: Any, stream: Any) -> Any:
        """A response of httpcore in httpx's terms. Its headers go past the client, which would act on some of them."""
        extensions = {**found.extensions, HEADERS: found.headers}
        return self.httpx.Response(status_code=found.status, stream=stream, extensions=extensions)

    @contextmanager
    def mapped_errors(self) -> Iterator[None]:
        """Raise httpcore's errors as the ones of httpx with the same names."""
        try:
            yield
        except Exception as error:
            mapped = getattr(self.httpx, type(error).__name__, None)
            if type(error).__module__.partition(".")[0] != self.core.__name__ or mapped is None:
                raise
            raise mapped(str(error)) from error

    def _open(self, key: _Key) -> Any:
        # httpcore resolves names for no SOCKS proxy and loses connections that fail: our backend connects through it.
        is_socks = key.proxy is not None and key.proxy.is_socks
        backend = (AsyncDeadlineBackend if self.is_async else DeadlineBackend)(
            self.core, key.proxy if is_socks else None, public_only=key.public_only
        )
        settings = {
            "ssl_context": self._dialer.tls,
            "network_backend": backend,
            "max_connections": None,
            "max_keepalive_connections": _MAX_IDLE if key.is_reused else 0,
            "keepalive_expiry": _IDLE_SECONDS,
        }
        prefix = "Async" if self.is_async else ""
        if key.proxy is None or is_socks:
            return getattr(self.core, f"{prefix}ConnectionPool")(**settings)
        return getattr(self.core, f"{prefix}HTTPProxy")(
            proxy_url=key.proxy.url,
            proxy_auth=None if key.proxy.user is None else (key.proxy.user, key.proxy.password or ""),
            proxy_ssl_context=self._dialer.tls if key.proxy.scheme == "https" else None,
            **settings,
        )


class _AsyncPools(_Pools):
    is_async = True


class StrictTransport:
    """A blocking transport for an httpx client."""

    def __init__(self, httpx: ModuleType, proxies: ProxyTable) -> None:
        self._pools = _Pools(httpx, proxies)
        self._stream_type = _subclass(httpx, "SyncByteStream", _ResponseBody)

    def handle_request(self, request: Any) -> Any:
        """Send a request, and wait for the head of its response."""
        with self._pools.mapped_errors():
            found = self._pools.pool_for(request).handle_request(self._pools.core_request(request))
        return self._pools.response(found, self._stream_type(found.stream, self._pools))

    def close(self) -> None:
        """Close every pool."""
        for pool in self._pools.take_all():
            pool.close()


class AsyncStrictTransport:
    """An async transport for an httpx client."""

    def __init__(self, httpx: ModuleType, proxies: ProxyTable) -> None:
        self._pools = _AsyncPools(httpx, proxies)
        self._stream_type = _subclass(httpx, "AsyncByteStream", _AsyncResponseBody)

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request, and wait for the head of its response."""
        with self._pools.mapped_errors():
            found = await self._pools.pool_for(request).handle_async_request(self._pools.core_request(request))
        return self._pools.response(found, self._stream_type(found.stream, self._pools))

    async def aclose(self) -> None:
        """Close every pool."""
        for pool in self._pools.take_all():
            await pool.aclose()


class _ResponseBody:
    def __init__(self, stream: Any, pools: _Pools) -> None:
        self._stream = stream
        self._pools = pools

    def __iter__(self) -> Iterator[bytes]:
        with self._pools.mapped_errors():
            yield from self._stream

    def close(self) -> None:
        self._stream.close()


class _AsyncResponseBody:
    def __init__(self, stream: Any, pools: _Pools) -> None:
        self._stream = aiter(stream)
        self._close = stream.aclose
        self._pools = pools

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with self._pools.mapped_errors():
            data: bytes = await anext(self._stream)
        return data

    async def aclose(self) -> None:
        # httpcore shields this from cancellation.
        await self._close()


@cache
def _subclass(httpx: ModuleType, base: str, cls: type[Any]) -> Callable[..., Any]:
    """`cls` as a subclass of one of the library's classes, for its `isinstance` checks."""
    return cast("Callable[..., Any]", type(cls.__name__, (cls, getattr(httpx, base)), {}))
