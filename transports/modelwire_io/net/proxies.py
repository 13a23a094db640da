"""Which proxy a request goes through: the given one, or the environment's, as everywhere."""

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
# What no URL holds, and what `urlsplit` overlooks.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff]")


class Proxy(NamedTuple):
    """A proxy, taken apart. `scheme` is one of `SCHEMES`."""

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


class ProxyTable:
    """Decides once what `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (in either case) mean.

    A `proxy` that is given is used for everything, and the environment is not asked; `""` means none at all.
    Proxies of the environment are not used for loopback. Raises `InvalidInput` for a proxy URL that cannot work.
    """

    def __init__(self, proxy: str | None, environment: Mapping[str, str]) -> None:
        self._given = None if proxy is None else _checked(proxy, "the proxy")
        variables = _variables(environment) if proxy is None else {}
        self._by_scheme = {scheme: _proxy_of(scheme, variables) for scheme in ("http", "https")}
        self._exempt = [entry.strip().lower() for entry in variables.get("no_proxy", "").split(",") if entry.strip()]

    @property
    def urls(self) -> list[str]:
        """Every proxy that a request might go through."""
        return [url for url in (self._given, *self._by_scheme.values()) if url]

    def proxy_for(self, url: str) -> str | None:
        """The URL of the proxy for a request to `url`, or None for a direct connection."""
        if self._given is not None:
            return self._given or None
        scheme, host, port = origin(url)
        if is_loopback(host) or any(_matches(entry, host, port) for entry in self._exempt):
            return None
        return self._by_scheme[scheme] or None


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment by names in lower case; a variable that is written so counts before one that is not."""
    found = {name.lower(): value for name, value in environment.items()}
    # A server that runs as CGI takes HTTP_PROXY from a request's header `Proxy` (CVE-2016-5385).
    if "REQUEST_METHOD" in environment:
        found.pop("http_proxy", None)
    return found | {name: value for name, value in environment.items() if name.islower()}


def _proxy_of(scheme: str, variables: Mapping[str, str]) -> str:
    """The proxy for URLs of this scheme; empty where there is none."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        if variables.get(name):
            return _checked(variables[name], name.upper())
    return ""


def _checked(url: str, name: str) -> str:
    """The proxy's URL, `http://` put before one that has no scheme, `socks` spelt as `socks5h`."""
    if not url:
        return ""
    full = url if "://" in url else f"http://{url}"
    scheme, _, rest = full.partition("://")
    scheme = {"socks": "socks5h"}.get(scheme.lower(), scheme.lower())
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        known = scheme in SCHEMES and parts.hostname and (parts.port or True) and not _BLANK.search(full)
    except ValueError:
        known = False
    if not known:
        shown = without_query(f"{scheme}://{rest.rpartition('@')[2]}")
        raise InvalidInput(f"{name} is {shown!r}, which is no proxy: write http://HOST:PORT or socks5://HOST:PORT")
    return f"{scheme}://{rest}"


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY stands for this host: `*`, a name, a domain, an address, a network; with a port."""
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
    """An entry without its port and brackets, and the port, if it has one."""
    if entry.startswith("["):
        address, _, rest = entry[1:].partition("]")
        return address, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def secrets_of(proxies: ProxyTable) -> list[str]:
    """What a proxy is told that no message may show."""
    return [secret for url in proxies.urls for secret in parse_proxy(url).secrets]


def parse_proxy(url: str) -> Proxy:
    """The parts of a proxy's URL, as `ProxyTable` gives it."""
    parts = urlsplit(url)
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], user, password)
