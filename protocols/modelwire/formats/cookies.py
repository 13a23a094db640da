"""A cookie store as a tuple of JSON-able records: what RFC 6265 asks of a client, as pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from modelwire.errors import InvalidInput
from modelwire.http import Headers

from .dates import parse_http_date

# What RFC 6265, 6.1, asks a client to hold at least. What is over is dropped, the oldest first.
MOST_COOKIES = 50
LONGEST_COOKIE = 4096

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Without blanks at its ends, which a header could not carry.
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
    """`cookies` after a response from `url`: new ones added, old ones replaced, expired ones gone."""
    kept = {(cookie.domain, cookie.path, cookie.name): cookie for cookie in cookies}
    for name, value in headers:
        if name.lower() != "set-cookie":
            continue
        cookie = parse_cookie(value, url, now)
        if cookie is not None:
            key = (cookie.domain, cookie.path, cookie.name)
            kept.pop(key, None)
            kept[key] = cookie
    fresh = tuple(cookie for cookie in kept.values() if cookie.expires is None or cookie.expires > now)
    return fresh[-MOST_COOKIES:]


def cookie_header(cookies: Cookies, url: str, now: float) -> Headers:
    """The Cookie header for a request to `url`, as headers to be added: one, or none."""
    scheme, host, path = _place(url)
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
    """Of the cookies that another client holds, those that could be sent to the host of `url`, the newest last."""
    _, host, _ = _place(url)
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
    """The cookie of one Set-Cookie header, or None where a client must ignore it (RFC 6265, 5.2 and 5.3)."""
    pair, *attributes = text.split(";")
    name, separator, value = (part.strip() for part in pair.partition("="))
    if not separator or len(text) > LONGEST_COOKIE or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        return None
    scheme, host, path = _place(url)
    given = {key.strip().lower(): rest.strip() for key, _, rest in (item.partition("=") for item in attributes)}
    domain = given.get("domain", "").lower().removeprefix(".")
    # A foreign domain is refused, and so is one without a dot inside: nobody may set a cookie for all of `com`.
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
    """Max-Age has the last word over Expires."""
    age = given.get("max-age", "")
    if re.fullmatch(r"-?[0-9]{1,12}", age):
        return now + int(age)
    return parse_http_date(given.get("expires", ""), now)


def _place(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidInput("there are no cookies for a URL that is none") from None
    return parts.scheme, (parts.hostname or "").lower(), parts.path or "/"


def _is_below(host: str, domain: str) -> bool:
    # An address has no subdomains: 1.127.0.0.1 does not exist, and [::1] has no dot.
    return host.endswith("." + domain) and not re.fullmatch(r"[0-9.]+", host)


def _covers(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")
