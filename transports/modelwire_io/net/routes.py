"""How a request gets to its server: directly, or through a proxy, and what stands in its request line then."""

from __future__ import annotations

import re
from typing import NamedTuple

from modelwire.errors import ConnectError, InvalidInput
from modelwire.http import Headers, Request, find_header, origin, without_query

from .addresses import may_be_public
from .proxies import Proxy, ProxyTable, parse_proxy

_BEFORE_PATH = re.compile(r"https?://([^/?#]*)")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


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
    proxy = None if url is None else parse_proxy(url)
    # socks5 (not socks5h) means that names are resolved here.
    is_resolved_here = proxy is None or proxy.scheme == "socks5"
    return Route(scheme, host, port, proxy, request.public_only and is_resolved_here)


def _authority(request: Request) -> str:
    """Host and port as the URL has them."""
    return _before_path(request)[1].rpartition("@")[2]


def _before_path(request: Request) -> re.Match[str]:
    match = _BEFORE_PATH.match(request.url)
    # A request has no other URLs.
    assert match is not None
    return match
