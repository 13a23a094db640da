"""How a request gets to its server: directly, or through a proxy, and what stands in its request line then."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from modelwire.errors import ConnectError, InvalidInput
from modelwire.http import Headers, Request, find_header, origin, without_query

from .addresses import may_be_public
from .proxies import ProxyTable

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_BEFORE_PATH = re.compile(r"https?://([^/?#]*)")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Proxy(NamedTuple):
    """A proxy, taken apart. `scheme` is one of `modelwire_io.proxies.SCHEMES`."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, and not HTTP."""
        return self.scheme.startswith("socks")

    @property
    def url(self) -> str:
        """Where it is, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def headers(self) -> Headers:
        """What it wants to know beside a request that it gets to read."""
        if self.user is None:
            return ()
        pair = f"{self.user}:{self.password or ''}".encode()
        return (("Proxy-Authorization", f"Basic {base64.b64encode(pair).decode()}"),)

    @property
    def secrets(self) -> list[str]:
        """What must not be shown: the password, as it is and as it is sent."""
        return [self.password, *(value.removeprefix("Basic ") for _, value in self.headers())] if self.password else []

    def __repr__(self) -> str:
        return f"Proxy({self.url})"


class Route(NamedTuple):
    """Where a connection leads. Two requests with the same route may share one."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    public_only: bool

    @property
    def is_tunnelled(self) -> bool:
        """Whether a proxy only passes bytes on, so that the server itself is talked to."""
        return self.proxy is not None and (self.scheme == "https" or self.proxy.is_socks)

    def target(self, request: Request) -> str:
        """What stands in the request line: the path, or for a proxy that reads requests the whole URL."""
        path = request.url[len(_before_path(request)[0]) :].partition("#")[0]
        if not path.startswith("/"):
            path = f"/{path}"
        return path if self.proxy is None or self.is_tunnelled else f"{self.scheme}://{_authority(request)}{path}"

    def headers(self, request: Request) -> Headers:
        """All headers of a request in their order: its framing, what a proxy wants, and its own."""
        framing: Headers = ()
        if find_header(request.headers, "host") is None:
            framing = (("Host", _authority(request)),)
        has_body = bool(request.body) or request.method in _METHODS_WITH_BODY
        if has_body and find_header(request.headers, "content-length") is None:
            framing = (*framing, ("Content-Length", str(len(request.body))))
        extra = () if self.proxy is None or self.is_tunnelled else self.proxy.headers()
        return (*framing, *extra, *request.headers)


def find_route(request: Request, proxies: ProxyTable) -> Route:
    """The route of a request.

    Raises `ConnectError` for a URL that leads nowhere, and where the address must be public and the name says that it
    is not: behind a proxy that resolves names itself, that is all that can be seen.
    """
    try:
        scheme, host, port = origin(request.url)
        url = proxies.proxy_for(request.url)
    except InvalidInput as error:
        raise ConnectError(str(error)) from None
    if request.public_only and not may_be_public(host):
        raise ConnectError(f"{without_query(request.url)} is not at a public address")
    proxy = None if url is None else _take_apart(url)
    # socks5 (not socks5h) means that names are resolved here.
    is_resolved_here = proxy is None or proxy.scheme == "socks5"
    return Route(scheme, host, port, proxy, request.public_only and is_resolved_here)


def secrets_of(proxies: ProxyTable) -> list[str]:
    """What a proxy is told that no message may show."""
    return [secret for url in proxies.urls for secret in _take_apart(url).secrets]


def _authority(request: Request) -> str:
    """Host and port as the URL has them."""
    return _before_path(request)[1].rpartition("@")[2]


def _before_path(request: Request) -> re.Match[str]:
    match = _BEFORE_PATH.match(request.url)
    # A request has no other URLs.
    assert match is not None
    return match


def _take_apart(url: str) -> Proxy:
    parts = urlsplit(url)
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], user, password)
