"""The connection pools of httpx, or httpx2, and requests in its terms.

What httpx does of its own accord is kept out here: headers, cookies, redirects, proxies of the environment, and mending
of URLs.
"""

from __future__ import annotations

import importlib
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from types import ModuleType
from typing import Any, Literal, NamedTuple, Self, cast

from modelwire.errors import ConnectError, InvalidInput
from modelwire.http import Request, origin, without_query

from .addresses import may_be_public
from .httpx_guard import AsyncGuardedBackend, GuardedBackend
from .proxies import ProxyTable

Library = Literal["httpx", "httpx2"]

# An open stream needs a connection of its own, and idle ones are few: there is nothing to be gained by a limit.
_POOL_LIMITS = {"max_connections": None, "max_keepalive_connections": 100, "keepalive_expiry": 15.0}

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
    """A request's body, which knows whether it was asked for: before that, nothing that counts has left.

    httpx's own is a generator, which trio warns of when it is left for the garbage collector.
    """

    def __init__(self, data: bytes) -> None:
        self.was_begun = False
        self._pieces = [data] if data else []

    def __iter__(self) -> Iterator[bytes]:
        self.was_begun = True
        return iter(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.was_begun = True
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


class Pools:
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
        try:
            context: ssl.SSLContext = self.httpx.create_ssl_context(trust_env=True)
        except OSError as error:
            raise InvalidInput(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {error}") from None
        return context

    @cached_property
    def _body_type(self) -> type[Body]:
        """`Body` as one of the library's streams, which is what it insists on."""
        bases = (Body, self.httpx.SyncByteStream, self.httpx.AsyncByteStream)
        return cast("type[Body]", type("Body", bases, {}))

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
        made.stream = self._body_type(request.body)
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


def _load(module: str, library: Library) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput(f"{library} is not installed: pip install 'modelwire[{library}]'") from None


def _split(url: str) -> tuple[str, bytes]:
    """Scheme and authority of a URL, and what of the rest goes on the wire."""
    site, target = re.findall(r"(https?://[^/?#]*)([^#]*)", url)[0]
    return site, target.encode() if target.startswith("/") else b"/" + target.encode()
