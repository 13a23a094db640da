"""Choose the proxy for a request: the caller's, or that of the usual environment variables."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from modelwire.errors import InvalidInput
from modelwire.http import Headers, origin, without_query

from .addresses import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
SCHEMES = tuple(_DEFAULT_PORTS)
# Characters that no URL may contain, and that `urlsplit` does not reject.
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff]")


class Proxy(NamedTuple):
    """The parts of a proxy URL. `scheme` is one of `SCHEMES`."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None

    @property
    def is_socks(self) -> bool:
        """True for SOCKS, False for HTTP."""
        return self.scheme.startswith("socks")

    @property
    def url(self) -> str:
        """Its URL, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def headers(self) -> Headers:
        """The headers for the proxy itself, to be added to a request that it reads."""
        if self.user is None:
            return ()
        pair = f"{self.user}:{self.password or ''}".encode()
        return (("Proxy-Authorization", f"Basic {base64.b64encode(pair).decode()}"),)

    @property
    def secrets(self) -> list[str]:
        """Strings that must not be shown: the password, plain and as it is sent."""
        return [self.password, *(value.removeprefix("Basic ") for _, value in self.headers())] if self.password else []

    def __repr__(self) -> str:
        return f"Proxy({self.url})"


class ProxyTable:
    """The proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (upper or lower case), parsed once.

    If `proxy` is given, it is used for every request and the environment is ignored; `""` means no proxy at all.
    Proxies from the environment are not used for loopback addresses. Raises `InvalidInput` for an invalid proxy URL.
    """

    def __init__(self, proxy: str | None, environment: Mapping[str, str]) -> None:
        self._given = None if proxy is None else _normalized(proxy, "the proxy")
        variables = _variables_by_lower_name(environment) if proxy is None else {}
        self._by_scheme = {scheme: _proxy_for_scheme(scheme, variables) for scheme in ("http", "https")}
        self._exempt = [entry.strip().lower() for entry in variables.get("no_proxy", "").split(",") if entry.strip()]

    @property
    def urls(self) -> list[str]:
        """Every proxy that a request may go through."""
        return [url for url in (self._given, *self._by_scheme.values()) if url]

    def proxy_for(self, url: str) -> str | None:
        """The URL of the proxy for a request to `url`, or None for a direct connection."""
        if self._given is not None:
            return self._given or None
        scheme, host, port = origin(url)
        if is_loopback(host) or any(_matches(entry, host, port) for entry in self._exempt):
            return None
        return self._by_scheme[scheme] or None


def _variables_by_lower_name(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with lower-case names. A variable whose name is in lower case overrides the others."""
    found = {name.lower(): value for name, value in environment.items()}
    # Under CGI, HTTP_PROXY holds a client's request header `Proxy` (CVE-2016-5385).
    if "REQUEST_METHOD" in environment:
        found.pop("http_proxy", None)
    return found | {name: value for name, value in environment.items() if name.islower()}


def _proxy_for_scheme(scheme: str, variables: Mapping[str, str]) -> str:
    """The proxy URL for requests of this scheme; empty if there is none."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        if variables.get(name):
            return _normalized(variables[name], name.upper())
    return ""


def _normalized(url: str, name: str) -> str:
    """The proxy's URL with a scheme: `http` if it has none, `socks5h` for `socks`. Raises `InvalidInput`."""
    if not url:
        return ""
    full = url if "://" in url else f"http://{url}"
    scheme, _, rest = full.partition("://")
    scheme = {"socks": "socks5h"}.get(scheme.lower(), scheme.lower())
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        is_valid = scheme in SCHEMES and parts.hostname and (parts.port or True) and not _FORBIDDEN.search(full)
    except ValueError:
        is_valid = False
    if not is_valid:
        shown = without_query(f"{scheme}://{rest.rpartition('@')[2]}")
        raise InvalidInput(
            f"{name} is {shown!r}, which is not a proxy URL: write http://HOST:PORT or socks5://HOST:PORT"
        )
    return f"{scheme}://{rest}"


def _matches(entry: str, host: str, port: int) -> bool:
    """True if a NO_PROXY entry covers the host: `*`, a name, a domain, an address or a network, maybe with a port."""
    if entry == "*":
        return True
    pattern, entry_port = _split_port(entry)
    if entry_port and entry_port != str(port):
        return False
    try:
        network = ipaddress.ip_network(pattern, strict=False)
        return ipaddress.ip_address(host.partition("%")[0]) in network
    except ValueError:
        domain = pattern.removeprefix("*").removeprefix(".").rstrip(".")
        return host == domain or host.endswith(f".{domain}")


def _split_port(entry: str) -> tuple[str, str]:
    """An entry without brackets and port, and its port, or `""`."""
    if entry.startswith("["):
        address, _, rest = entry[1:].partition("]")
        return address, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def proxy_secrets(proxies: ProxyTable) -> list[str]:
    """The strings of all proxies that no message may show."""
    return [secret for url in proxies.urls for secret in parse_proxy(url).secrets]


def parse_proxy(url: str) -> Proxy:
    """Parse a proxy URL as `ProxyTable.proxy_for` returns it."""
    parts = urlsplit(url)
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], user, password)
