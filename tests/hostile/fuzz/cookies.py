"""Cookies and dates: any header that sets one is read or ignored, and a stored cookie can be sent."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fuzz.target import Choices, Target
from modelwire.formats.cookies import MOST_COOKIES, Cookies, cookie_header, site_cookies, store_cookies
from modelwire.formats.dates import parse_http_date, parse_retry_after
from modelwire.http import Request
from played_flow import NOW

# None: an invalid header is ignored.
ALLOWED = ()
URLS = (
    "https://www.a.example/app/x?y",
    "http://www.a.example/",
    "http://127.0.0.1:8080/a",
    "http://[::1]/",
    "https://com",
)
# Unix times: now, the first, and the last that a flow accepts.
TIMES = (NOW, 0.0, 9.9e10)
# Values of Set-Cookie. Each is also read as a date and as a number of seconds.
BETWEEN = b"\n"


def play(data: bytes) -> None:
    """An input is a choice of a URL and of a time, then the values of headers."""
    choices = Choices(data)
    url, now = choices.one_of(URLS), choices.one_of(TIMES)
    values = choices.rest.decode("latin-1").split("\n")
    cookies: Cookies = ()
    for value in values:
        cookies = store_cookies(cookies, url, (("Set-Cookie", value),), now)
        check_cookies(cookies, now)
        check_date(value, now)
    assert site_cookies(cookies, url, now) == cookies, "stored a cookie that this host may not set"


def check_cookies(cookies: Cookies, now: float) -> None:
    """Assert that there are not too many cookies, that none has expired, and that each goes to its own host only."""
    assert len(cookies) <= MOST_COOKIES
    assert all(cookie.expires is None or cookie.expires > now for cookie in cookies)
    for cookie in cookies:
        there = f"https://{cookie.domain}/"
        Request(method="GET", url="https://a.example/", headers=cookie_header(cookies, there, now))
    assert cookie_header(cookies, "https://b.example/", now) == ()


def check_date(text: str, now: float) -> None:
    """Assert that a date is a valid time or None."""
    date, pause = parse_http_date(text, now), parse_retry_after(text, now)
    assert date is None or math.isfinite(date)
    assert pause is None or (math.isfinite(pause) and pause >= 0)


VALUES = (
    b"a=b; Path=/; Max-Age=60; Secure; HttpOnly",
    b"a=b; Expires=Wed, 21 Oct 2065 07:28:00 GMT; Domain=.a.example; Path=/app",
    b"__Host-a=; Expires=Wednesday, 21-Oct-65 07:28:60 GMT; Domain=example",
    b"a=%20; Expires=Wed Oct 21 07:28:00 2065; Max-Age=-1",
    b"a=b\x01c; Path=/\x01",
    b"=b; Domain=www.a.example; path=x",
    b"Wed, 21 Oct 2065 07:28:00 GMT",
    b"Wednesday, 21-Oct-65 07:28:00 GMT",
    b"Wed Oct  1 07:28:00 2065",
    b"Wed, 31 Feb 2065 24:61:60 GMT",
    b"120",
)


def seeds() -> Iterator[bytes]:
    """Values as servers send them, separate and together."""
    yield from (bytes([number, 0]) + value for number, value in enumerate(VALUES))
    yield b"\0\0" + BETWEEN.join(VALUES)


WORDS = (
    *(b"; Path=/", b"; Domain=", b"; Max-Age=", b"; Expires=", b"; Secure", b" GMT", b"00:00:00", b"23:59:60", b"Feb"),
    *(b"0000", b"9999", b"01 Jan 1970", b"29-Feb-00", b"Sunday, ", b"999999999999", b"a.example", b"\n", b"=", b"\xb2"),
)
COOKIES = Target("cookies", play, ALLOWED, seeds, WORDS)
