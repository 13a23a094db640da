"""The route of a request, directly or through a proxy, and the request line and headers that it needs there."""

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
    """The destination of a connection. Requests with equal routes may share one. `host` and `port` are the server's.

    `public_only`: every address of `host` must be public.
    """

    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    public_only: bool

    @property
    def is_tunnelled(self) -> bool:
        """True if there is a proxy that only passes bytes on and does not read requests."""
        return self.proxy is not None and (self.scheme == "https" or self.proxy.is_socks)

    def target(self, request: Request) -> str:
        """The target in the request line: the path, or the whole URL for a proxy that reads requests."""
        path = request.url[len(_before_path(request)[0]) :].partition("#")[0]
        if not path.startswith("/"):
            path = f"/{path}"
        return path if self.proxy is None or self.is_tunnelled else f"{self.scheme}://{_authority(request)}{path}"

    def headers(self, request: Request) -> Headers:
        """All headers of a request, in order: Host and Content-Length, those for the proxy, and the request's own."""
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

    Raises `ConnectError` for an invalid URL, and for a `public_only` request if the host is evidently not public. If a
    proxy resolves the host name, no further check is possible; otherwise `Route.public_only` demands one.
    """
    try:
        scheme, host, port = origin(request.url)
        url = proxies.proxy_for(request.url)
    except InvalidInput as error:
        raise ConnectError(str(error)) from None
    if request.public_only and not may_be_public(host):
        raise ConnectError(f"{without_query(request.url)} is not at a public address")
    proxy = None if url is None else parse_proxy(url)
    # With socks5, unlike socks5h, the client resolves host names.
    is_resolved_here = proxy is None or proxy.scheme == "socks5"
    return Route(scheme, host, port, proxy, request.public_only and is_resolved_here)


def _authority(request: Request) -> str:
    """Host and port as they are written in the URL."""
    return _before_path(request)[1].rpartition("@")[2]


def _before_path(request: Request) -> re.Match[str]:
    match = _BEFORE_PATH.match(request.url)
    # `Request` accepts no other URLs.
    assert match is not None
    return match
