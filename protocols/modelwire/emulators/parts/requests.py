"""A request as a strict service reads it: everything is asked for by name, and refused where it is missing or wrong."""

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
# Whose host is nobody's business here: a client aimed at the emulator may still name the real one.
_SITE = re.compile(r"https?://[!-~]+")


class StrictRequest:
    """One request, taken apart. Whatever is asked of it and is not right raises `HttpRefusal`."""

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
        """The header of that name; `missing` is the status where there is none, or an empty one."""
        value = (find_header(self.headers, name) or "").strip()
        if not value:
            raise HttpRefusal(missing, f"the header {name!r} is missing")
        return value

    def cookies(self) -> dict[str, str]:
        """The cookies that came, by name."""
        pairs = (pair.strip().partition("=") for pair in (find_header(self.headers, "cookie") or "").split(";"))
        return {name: value for name, _, value in pairs if name}

    def expect_headers(self, expected: Iterable[tuple[str, str]]) -> None:
        """These headers must be there, with these values."""
        for name, value in expected:
            if self.header(name) != value:
                raise HttpRefusal(400, f"the header {name!r} must be {value!r}")

    def expect_site(self, name: str, ending: str) -> None:
        """The header (Origin, Referer) must be an http(s) URL that ends so, on whatever host."""
        value = self.header(name)
        if not _SITE.fullmatch(value) or not value.endswith(ending):
            raise HttpRefusal(400, f"the header {name!r} must be an http(s) URL, with {ending!r} at its end")

    def expect_type(self, expected: str) -> None:
        """The Content-Type must be this one, with whatever parameters."""
        if media_type(self.headers) != expected:
            raise HttpRefusal(400, f"the header 'content-type' must be {expected!r}")

    def json(self, shape: type[T]) -> T:
        """The body as JSON of this shape."""
        self.expect_type("application/json")
        try:
            return decode(self.body, shape)
        except RemoteProtocolError as error:
            raise HttpRefusal(400, f"the body is not what it must be: {error}") from None

    def query_pairs(self) -> forms.Pairs:
        """Names and values of the query, in their order."""
        return forms.read_pairs(self.query, "the query")

    def query_field(self, name: str) -> str:
        """One value of the query, not empty."""
        return required(forms.by_name(self.query_pairs(), "the query"), name, "the query")

    def form(self) -> dict[str, str]:
        """The body as a URL-encoded form."""
        self.expect_type("application/x-www-form-urlencoded")
        return forms.read_urlencoded(self.body)

    def multipart(self) -> dict[str, str]:
        """The body as a multipart form of text fields."""
        self.expect_type("multipart/form-data")
        return forms.read_multipart(self.body, self.header("content-type"))


class Route(NamedTuple):
    """Who answers a method on the paths that a pattern matches; the pattern's named groups are arguments."""

    method: str
    pattern: str
    answer: Callable[..., EmulatorResponse]


def answer(request: EmulatorRequest, now: float, routes: Iterable[Route]) -> EmulatorResponse:
    """What the route says that fits the request; a refusal where it, or all of them, refuse."""
    try:
        incoming = StrictRequest(request)
        route, groups = _find_route(incoming, routes)
        return route.answer(incoming, now, **groups)
    except HttpRefusal as refusal:
        return refusal.response()


def _find_route(incoming: StrictRequest, routes: Iterable[Route]) -> tuple[Route, dict[str, str]]:
    allowed = []
    for route in routes:
        if matched := re.fullmatch(route.pattern, incoming.path):
            if route.method == incoming.method:
                return route, matched.groupdict()
            allowed.append(route.method)
    if allowed:
        names = ", ".join(allowed)
        raise HttpRefusal(405, f"the path {incoming.path[:200]} takes {names} alone", (("allow", names),))
    raise HttpRefusal(404, f"there is no path {incoming.path[:200]}")


def required(fields: dict[str, str], name: str, place: str, *, may_be_empty: bool = False) -> str:
    """A field that must be there, and hold something unless `may_be_empty`."""
    value = fields.get(name)
    if value is None:
        raise HttpRefusal(400, f"{place} has no field {name!r}")
    if not value.strip() and not may_be_empty:
        raise HttpRefusal(400, f"{place} has an empty field {name!r}")
    return value


def whole_number(text: str, what: str, *, lowest: int = 0, highest: int = 10**15) -> int:
    """`text` as a whole number, in its bounds."""
    # The digits are counted first: `int` takes long over thousands of them, and refuses more.
    if not re.fullmatch(r"[0-9]{1,16}", text) or not lowest <= int(text) <= highest:
        raise HttpRefusal(400, f"{what} must be a whole number from {lowest} to {highest}")
    return int(text)


def expect_recent(seconds: float, now: float, what: str) -> None:
    """A client's clock may be off a little, and no more."""
    # Written so that a clock that is not a number is refused as well.
    if not abs(now - seconds) <= CLOCK_SKEW:
        raise HttpRefusal(403, f"{what} is more than {CLOCK_SKEW:.0f} s off")
