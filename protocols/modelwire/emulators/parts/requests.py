"""A strict view of a request, and routes to handlers. Whatever is missing or wrong raises `HttpRefusal`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from modelwire.emulators.emulator import CLOCK_SKEW, EmulatorRequest, EmulatorResponse
from modelwire.emulators.parts import forms
from modelwire.errors import RemoteProtocolError
from modelwire.http import find_header, media_type
from modelwire.json import decode

from .responses import HttpRefusal

T = TypeVar("T")

# RFC 9112, 3.2.1: the origin form, in visible ASCII.
_TARGET = re.compile(r"/[!-~]*")
_VISIBLE = re.compile(r"[!-~]*")
# An Origin or Referer with any host: a client may send the real service's host to the emulator.
_SITE = re.compile(r"https?://[!-~]+")


class StrictRequest:
    """One request, parsed. Its methods raise `HttpRefusal` if what they read is missing or wrong."""

    def __init__(self, request: EmulatorRequest) -> None:
        if not _TARGET.fullmatch(request.target) or not _VISIBLE.fullmatch(request.base_url):
            raise HttpRefusal(400, "the request target is not a path in visible ASCII")
        self.method = request.method
        self.target = request.target
        self.path, _, self.query = request.target.partition("?")
        self.headers = request.headers
        self.body = request.body
        self.base_url = request.base_url

    def header(self, name: str, missing: int = 400) -> str:
        """The value of a header. If it is missing or empty, the refusal has the status `missing`."""
        value = (find_header(self.headers, name) or "").strip()
        if not value:
            raise HttpRefusal(missing, f"the header {name!r} is missing")
        return value

    def cookies(self) -> dict[str, str]:
        """The request's cookies, by name."""
        pairs = (pair.strip().partition("=") for pair in (find_header(self.headers, "cookie") or "").split(";"))
        return {name: value for name, _, value in pairs if name}

    def expect_headers(self, expected: Iterable[tuple[str, str]]) -> None:
        """Require these headers, with exactly these values."""
        for name, value in expected:
            if self.header(name) != value:
                raise HttpRefusal(400, f"the header {name!r} must be {value!r}")

    def expect_site(self, name: str, ending: str) -> None:
        """Require that a header (Origin, Referer) is an http(s) URL on any host, with this ending."""
        value = self.header(name)
        if not _SITE.fullmatch(value) or not value.endswith(ending):
            raise HttpRefusal(400, f"the header {name!r} must be an http(s) URL, with {ending!r} at its end")

    def expect_type(self, expected: str) -> None:
        """Require this Content-Type, with any parameters."""
        if media_type(self.headers) != expected:
            raise HttpRefusal(400, f"the header 'content-type' must be {expected!r}")

    def json(self, shape: type[T]) -> T:
        """The JSON body, decoded as `shape`."""
        self.expect_type("application/json")
        try:
            return decode(self.body, shape)
        except RemoteProtocolError as error:
            raise HttpRefusal(400, f"the body is not valid: {error}") from None

    def query_pairs(self) -> forms.Pairs:
        """Names and values of the query, in order."""
        return forms.read_pairs(self.query, "the query")

    def query_field(self, name: str) -> str:
        """The value of a query field that must not be empty."""
        return required(forms.by_name(self.query_pairs(), "the query"), name, "the query")

    def form(self) -> dict[str, str]:
        """The fields of a URL-encoded body."""
        self.expect_type("application/x-www-form-urlencoded")
        return forms.read_urlencoded(self.body)

    def multipart(self) -> dict[str, str]:
        """The text fields of a multipart body."""
        self.expect_type("multipart/form-data")
        return forms.read_multipart(self.body, self.header("content-type"))


class EmulatorRoute(NamedTuple):
    """The handler for a method and a pattern of paths. It gets the pattern's named groups as keyword arguments."""

    method: str
    pattern: str
    handler: Callable[..., EmulatorResponse]


def respond(request: EmulatorRequest, now: float, routes: Iterable[EmulatorRoute]) -> EmulatorResponse:
    """The response of the handler whose route matches the request, or an error response."""
    try:
        strict = StrictRequest(request)
        route, groups = _find_route(strict, routes)
        return route.handler(strict, now, **groups)
    except HttpRefusal as refusal:
        return refusal.response()


def _find_route(request: StrictRequest, routes: Iterable[EmulatorRoute]) -> tuple[EmulatorRoute, dict[str, str]]:
    allowed = []
    for route in routes:
        if matched := re.fullmatch(route.pattern, request.path):
            if route.method == request.method:
                return route, matched.groupdict()
            allowed.append(route.method)
    if allowed:
        names = ", ".join(allowed)
        raise HttpRefusal(405, f"the path {request.path[:200]} allows only {names}", (("allow", names),))
    raise HttpRefusal(404, f"there is no path {request.path[:200]}")


def required(fields: dict[str, str], name: str, place: str, *, may_be_empty: bool = False) -> str:
    """The value of a field that must be present. Blank values are refused unless `may_be_empty`."""
    value = fields.get(name)
    if value is None:
        raise HttpRefusal(400, f"{place} has no field {name!r}")
    if not value.strip() and not may_be_empty:
        raise HttpRefusal(400, f"{place} has an empty field {name!r}")
    return value


def whole_number(text: str, what: str, *, lowest: int = 0, highest: int = 10**15) -> int:
    """`text` as a whole number between the bounds. The refusal calls it `what`."""
    # Limit the digits first: `int` is slow for thousands of them, and raises `ValueError` above its own limit.
    if not re.fullmatch(r"[0-9]{1,16}", text) or not lowest <= int(text) <= highest:
        raise HttpRefusal(400, f"{what} must be a whole number from {lowest} to {highest}")
    return int(text)


def expect_recent(seconds: float, now: float, what: str) -> None:
    """Require a time (Unix time, seconds) within `CLOCK_SKEW` of `now`."""
    # `not <=` rather than `>`, so that NaN is refused too.
    if not abs(now - seconds) <= CLOCK_SKEW:
        raise HttpRefusal(403, f"{what} is more than {CLOCK_SKEW:.0f} s off")
