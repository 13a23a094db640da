"""The connection pools of httpx, or httpx2, and requests in its terms.

What httpx does of its own accord is kept out here: headers, cookies, redirects, proxies of the environment, and mending
of URLs.
"""

from __future__ import annotations

import importlib
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any, Literal, NamedTuple, Self, cast

from modelwire.errors import ConnectError, InvalidInput
from modelwire.http import Headers, Request
from modelwire_io.net.deadline_sockets import DeadlineTlsSocket
from modelwire_io.net.loops import PerLoop
from modelwire_io.net.proxies import Proxy, ProxyTable
from modelwire_io.net.routes import find_route

from .httpx_backend import AsyncGuardedBackend, GuardedBackend
from .httpx_logs import name_steps_alone

Library = Literal["httpx", "httpx2"]

# An open stream needs a connection of its own, and idle ones are few: there is nothing to be gained by a limit.
_POOL_LIMITS = {"max_connections": None, "max_keepalive_connections": 100, "keepalive_expiry": 15.0}

# What httpcore says of a step.
StepInfo = Mapping[str, Any]

# What httpx keeps a timeout for.
_OPERATIONS = ("connect", "read", "write", "pool")


class _ExactUrl(NamedTuple):
    """What httpx asks of a URL to send a request to it. A URL of its own would mend the target."""

    raw_scheme: bytes
    raw_host: bytes
    port: int | None
    raw_path: bytes

    def __repr__(self) -> str:
        # The path and its query may hold a key, and tracebacks show what they meet.
        return f"_ExactUrl({self.raw_scheme!r}, {self.raw_host!r}, {self.port!r})"


class Body:
    """A request's body. httpx's own is a generator, which trio warns of when it is left for the garbage collector."""

    def __init__(self, data: bytes) -> None:
        self._pieces = [data] if data else []

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _AsyncPieces(iter(self._pieces))


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
    """What requests must have in common to share connections."""

    proxy: Proxy | None
    # A connection whose address nobody checked must not be used again where it has to be public.
    public_only: bool
    # A connection that is used again may turn out dead only after that.
    is_kept: bool


class _Adapter:
    """httpx or httpx2, and what a transport over it is made of."""

    transport_class: str
    backend: type[GuardedBackend] | type[AsyncGuardedBackend]

    def __init__(self, library: Library, proxies: ProxyTable) -> None:
        self.httpx = _load(library, library)
        self._core = _load({"httpx": "httpcore", "httpx2": "httpcore2"}[library], library)
        name_steps_alone(self._core.__name__)
        self._proxies = proxies

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """What all pools trust: the usual authorities, or those of `SSL_CERT_FILE`. It takes long to make."""
        try:
            context: ssl.SSLContext = self.httpx.create_ssl_context(trust_env=True)
        except OSError as error:
            raise InvalidInput(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {error}") from None
        context.sslsocket_class = DeadlineTlsSocket
        return context

    @cached_property
    def _body_type(self) -> type[Body]:
        """`Body` as one of the library's streams, which is what it insists on."""
        bases = (Body, self.httpx.SyncByteStream, self.httpx.AsyncByteStream)
        return cast("type[Body]", type("Body", bases, {}))

    def request(self, request: Request, note: Callable[[str, StepInfo], object]) -> Any:
        """The request in httpx's terms, with what was given and its framing, and nothing else.

        `note` is told each step that is taken with it (https://www.encode.io/httpcore/extensions/#trace).
        Raises `ConnectError` for a host that is none, and for one that only this machine or network knows where it
        must be public: through a proxy, which resolves names itself, that is all that can be seen.
        """
        find_route(request, self._proxies)
        site, target = _split(request.url)
        try:
            made = self.httpx.Request(
                request.method,
                site,
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
                content=request.body or None,
                extensions={"timeout": dict.fromkeys(_OPERATIONS, request.timeout), "trace": note},
            )
        except (self.httpx.InvalidURL, UnicodeError) as error:
            raise ConnectError(str(error)) from None
        made.stream = self._body_type(request.body)
        made.url = _ExactUrl(made.url.raw_scheme, made.url.raw_host, made.url.port, target)
        return made

    def _pool_of(self, opened: dict[_Key, Any], request: Request) -> Any:
        """The one of these pools that a request goes through, opened when it is first needed."""
        route = find_route(request, self._proxies)
        key = _Key(route.proxy, route.public_only, request.repeatable)
        if key not in opened:
            # Another thread may have been faster; its pool is then the one.
            opened.setdefault(key, self._open(key))
        return opened[key]

    def _open(self, key: _Key) -> Any:
        # httpcore leaves the names to a SOCKS proxy in any case, and loses connections that come to nothing.
        socks, proxy = (key.proxy, None) if key.proxy is not None and key.proxy.is_socks else (None, key.proxy)
        limits = _POOL_LIMITS if key.is_kept else _POOL_LIMITS | {"max_keepalive_connections": 0}
        pool = getattr(self.httpx, self.transport_class)(
            verify=self._tls,
            proxy=None if proxy is None else self._proxy(proxy),
            limits=self.httpx.Limits(**limits),
        )
        # There is no public way to put a backend under httpx's own transport.
        pool._pool._network_backend = self.backend(self._core, socks, public_only=key.public_only)
        return pool

    def _proxy(self, proxy: Proxy) -> Any:
        return self.httpx.Proxy(
            proxy.url,
            auth=None if proxy.user is None else (proxy.user, proxy.password or ""),
            ssl_context=self._tls if proxy.scheme == "https" else None,
        )


class Pools(_Adapter):
    """The connection pools of one transport."""

    transport_class = "HTTPTransport"
    backend = GuardedBackend

    def __init__(self, library: Library, proxies: ProxyTable) -> None:
        super().__init__(library, proxies)
        self._opened: dict[_Key, Any] = {}

    def pool_for(self, request: Request) -> Any:
        """The pool that a request goes through."""
        return self._pool_of(self._opened, request)

    def close(self) -> None:
        """Close every pool; a request after that opens new ones."""
        pools = list(self._opened.values())
        self._opened.clear()
        for pool in pools:
            pool.close()


class AsyncPools(_Adapter):
    """The same for async code: each event loop has pools of its own."""

    transport_class = "AsyncHTTPTransport"
    backend = AsyncGuardedBackend

    def __init__(self, library: Library, proxies: ProxyTable) -> None:
        super().__init__(library, proxies)
        self._opened: PerLoop[dict[_Key, Any]] = PerLoop(dict, _close_all)

    async def pool_for(self, request: Request) -> Any:
        """The pool that a request goes through."""
        return self._pool_of(await self._opened.get(), request)

    async def close(self) -> None:
        """Close every pool of this event loop; a request after that opens new ones."""
        await self._opened.close()


async def _close_all(opened: dict[_Key, Any]) -> None:
    for pool in opened.values():
        await pool.aclose()


def begins_to_send(step: str, info: StepInfo) -> bool:
    """Whether it is with this step that the request itself begins to leave, and not one for a tunnel."""
    return step == "http11.send_request_headers.started" and info["request"].method != b"CONNECT"


def is_doubtful(response: Any, headers: Headers) -> bool:
    """Whether the connection of a response that has come to its end should not be used again.

    More may have come than the response, which httpx would take for the next one; there is no public way to see that.
    Or there were two framings in its head, which is an attack or a mistake (RFC 9112, 6.3).
    """
    surplus, _ = response.stream._httpcore_stream._stream._connection._h11_state.trailing_data
    has_two_framings = {"transfer-encoding", "content-length"} <= {name.lower() for name, _ in headers}
    return bool(surplus) or has_two_framings


def _load(module: str, library: Library) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput(f"{library} is not installed: pip install 'modelwire[{library}]'") from None


def _split(url: str) -> tuple[str, bytes]:
    """Scheme and authority of a URL, and what of the rest goes on the wire."""
    site, target = re.findall(r"(https?://[^/?#]*)([^#]*)", url)[0]
    return site, target.encode() if target.startswith("/") else b"/" + target.encode()
