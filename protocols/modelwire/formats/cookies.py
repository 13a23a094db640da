"""Cookies of a client (RFC 6265): the store is a tuple of records, and pure functions update and read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from modelwire.errors import InvalidInput
from modelwire.http import Headers

from .dates import parse_http_date

# Cookies: the size of a store; the oldest are dropped. RFC 6265, 6.1, asks for at least this many per domain.
MOST_COOKIES = 50
# Characters: a longer Set-Cookie header, or a longer name and value, is ignored. RFC 6265, 6.1, asks for 4096 bytes.
LONGEST_COOKIE = 4096

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# No spaces at its ends: a header could not carry them.
_VALUE = re.compile(r"(?! )[\x20-\x7e]*(?<! )")


class Cookie(msgspec.Struct, frozen=True, kw_only=True):
    """One cookie. `domain` is a host without a leading dot; `expires` is Unix time, or None for the session."""

    name: str
    value: str
    domain: str
    host_only: bool = True
    path: str = "/"
    secure: bool = False
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Cookie({self.name}, domain={self.domain!r}, path={self.path!r})"


Cookies = tuple[Cookie, ...]


def store_cookies(cookies: Cookies, url: str, headers: Headers, now: float) -> Cookies:
    """`cookies` after a response from `url`: new ones added, old ones replaced, expired ones removed."""
    stored = {(cookie.domain, cookie.path, cookie.name): cookie for cookie in cookies}
    for name, value in headers:
        if name.lower() != "set-cookie":
            continue
        cookie = parse_cookie(value, url, now)
        if cookie is not None:
            key = (cookie.domain, cookie.path, cookie.name)
            stored.pop(key, None)
            stored[key] = cookie
    fresh = tuple(cookie for cookie in stored.values() if cookie.expires is None or cookie.expires > now)
    return fresh[-MOST_COOKIES:]


def cookie_header(cookies: Cookies, url: str, now: float) -> Headers:
    """The Cookie header for a request to `url`: a tuple of one header, or an empty one."""
    scheme, host, path = _split_url(url)
    fitting = [
        cookie
        for cookie in cookies
        if (cookie.expires is None or cookie.expires > now)
        and (scheme == "https" or not cookie.secure)
        and (host == cookie.domain or (not cookie.host_only and _is_below(host, cookie.domain)))
        and _covers(cookie.path, path)
    ]
    fitting.sort(key=lambda cookie: -len(cookie.path))
    return (("cookie", "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)),) if fitting else ()


def site_cookies(cookies: Iterable[Cookie], url: str, now: float) -> Cookies:
    """The cookies of another client that may be sent to the host of `url`, the newest last."""
    _, host, _ = _split_url(url)
    fitting = [
        cookie
        for cookie in cookies
        if (host == cookie.domain or (not cookie.host_only and _is_below(host, cookie.domain)))
        and (cookie.expires is None or cookie.expires > now)
        and len(cookie.name) + len(cookie.value) <= LONGEST_COOKIE
        and _NAME.fullmatch(cookie.name)
        and _VALUE.fullmatch(cookie.value)
        and _VALUE.fullmatch(cookie.path)
    ]
    return tuple(fitting)[-MOST_COOKIES:]


def parse_cookie(text: str, url: str, now: float) -> Cookie | None:
    """The cookie of one Set-Cookie header, or None if a client must ignore it (RFC 6265, 5.2 and 5.3)."""
    pair, *attributes = text.split(";")
    name, separator, value = (part.strip() for part in pair.partition("="))
    if not separator or len(text) > LONGEST_COOKIE or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        return None
    scheme, host, path = _split_url(url)
    given = {key.strip().lower(): rest.strip() for key, _, rest in (item.partition("=") for item in attributes)}
    domain = given.get("domain", "").lower().removeprefix(".")
    # Refuse a foreign domain, and one without a dot inside: no server may set a cookie for all of `com`.
    if domain and domain != host and ("." not in domain or not _is_below(host, domain)):
        return None
    if "secure" in given and scheme != "https":
        return None
    own_path = given.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        host_only=not domain,
        path=own_path if own_path[:1] == "/" and _VALUE.fullmatch(own_path) else path.rpartition("/")[0] or "/",
        secure="secure" in given,
        expires=_expiry(given, now),
    )


def _expiry(given: dict[str, str], now: float) -> float | None:
    """When the cookie expires (Unix time, seconds). Max-Age takes precedence over Expires (RFC 6265, 4.1.2.2)."""
    age = given.get("max-age", "")
    if re.fullmatch(r"-?[0-9]{1,12}", age):
        return now + int(age)
    return parse_http_date(given.get("expires", ""), now)


def _split_url(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidInput("not a valid URL") from None
    return parts.scheme, (parts.hostname or "").lower(), parts.path or "/"


def _is_below(host: str, domain: str) -> bool:
    # An IP address has no subdomains: 1.127.0.0.1 does not exist, and [::1] has no dot.
    return host.endswith("." + domain) and not re.fullmatch(r"[0-9.]+", host)


def _covers(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")
