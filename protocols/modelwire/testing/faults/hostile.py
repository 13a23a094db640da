"""Responses that no service should send: senseless bodies, and good ones with one change."""

from __future__ import annotations

import re
from typing import NamedTuple

from hypothesis import strategies as st

from modelwire.events import RequestFailureKind
from modelwire.http import Headers
from modelwire.limits import Limits
from modelwire.testing.wire import ScriptedResponse

# Replacements for a whole body.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "a page": b"<!doctype html><html><head><title>\x1b[31mLog in\r\n</title></head><body>captcha</body></html>",
    "null": b"null",
    "a number": b"7",
    "a string": b'"surprise"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "an error": b'{"error": {"message": "no \\u001b[2J \\u202e way", "code": 7}}',
    "an error of another type": b'{"error": [1], "message": {}, "detail": 5}',
    "half an object": b'{"status": "DO',
    "a huge number": b"9" * 5000,
    "a huge exponent": b"1e999999",
    "not a number": b"NaN",
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate in bytes": b'"\xed\xa0\x80"',
    "bytes that are not UTF-8": b"\xff\xfe\x00\x80\xc3",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "zeros": bytes(100),
    "deep lists": b"[" * 20_000,
    "deep objects": b'{"a":' * 20_000,
    "deep and whole": b"[" * 5_000 + b"]" * 5_000,
    "an event": b"data: {}\n\n",
    "an event of null": b"data: null\n\n",
    "an event without an end": b'event: x\ndata: {"a": 1}',
    "events of nothing": b"\n\n\n\nevent: message\n\n: comment\n\ndata\n\nid: 1\n\nretry: 99999999999999999999\n\n",
    "the end alone": b"data: [DONE]\n\n",
    "carriage returns": b"data: a\r\rdata: b\r\n\r\n\r",
    "half a character": "€".encode()[:2],
}

# Replacements for one JSON value in a body.
VALUES: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "a negative number": b"-1",
    "a fraction": b"0.5",
    "a huge number": b"9" * 5000,
    "more than 64 bits": b"18446744073709551616",
    "a huge exponent": b"1e999999",
    "a small exponent": b"1e-999999",
    "an empty string": b'""',
    "a blank": b'" "',
    "a long string": b'"' + b"x" * 5000 + b'"',
    "a string of digits": b'"123456789012345678901234567890"',
    "another string": b'"surprise"',
    "control characters": b'"\\u0000\\u001b[31m\\r\\n\\u2028\\u202e"',
    "raw control characters": b'"\x00\x1b\r"',
    "a lone surrogate": b'"\\ud800"',
    "surrogates in disorder": b'"\\udc00\\ud800"',
    "bytes that are not UTF-8": b'"\xff\xfe"',
    "a path": b'"../../../etc/passwd"',
    "dots": b'".."',
    "a URL of another scheme": b'"file:///etc/passwd"',
    "an invalid URL": b'"http://[::1"',
    "a URL with blanks": b'"https://a.example/ x\\r\\ny: z"',
    "an empty list": b"[]",
    "a list": b"[null]",
    "an empty object": b"{}",
    "an object": b'{"a": null}',
    "deep lists": b"[" * 20_000,
    "nothing at all": b"",
}

# The names of one value of each JSON type, and of values that break decoders.
TYPES = ("null", "zero", "a huge number", "an empty string", "an invalid URL", "a list", "an object", "deep lists")

# Headers of a response.
HEADERS: dict[str, Headers] = {
    "no headers": (),
    "JSON": (("content-type", "application/json"),),
    "an invalid type": (("content-type", "text/html; charset=\udc80"),),
    "cookies for all": (("set-cookie", "a=b; Max-Age=999999999999; Path=/; Domain=.com"), ("set-cookie", "=; x")),
    "invalid cookies": (("set-cookie", "a=\x00\r\nx: y"), ("Set-Cookie", "\udc80=ж; expires=never")),
    "an expired cookie": (("set-cookie", "credential=; Max-Age=-1"),),
    "retry at once": (("retry-after", "0"),),
    "retry never": (("retry-after", "9" * 400),),
    "retry in the past": (("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"), ("retry-after", "-1")),
    "an invalid location": (("location", "http://[::1/\r\n"), ("content-type", "")),
    "too many headers": (("x", ""),) * 300,
    "too long a header": (("x", "y" * 70_000),),
}

STATUSES = (200, 201, 204, 206, 299, 302, 400, 401, 403, 404, 408, 418, 429, 500, 503, 599, 0, 100, 600, -1)

# Limits that ordinary responses exceed.
TIGHT_LIMITS = Limits(body=300, stream=700, line=90, event=140, error_body=20, head=200, headers=4)

# Units that an endless body repeats.
UNITS: tuple[bytes, ...] = (
    b"x",
    b" ",
    b"\xff",
    "🐉".encode(),
    b"[",
    b'{"a":',
    b'"',
    b"\\",
    b"\n",
    b"\r\n",
    b": comment\n\n",
    b"data: x\n",
    b"data: {}\n\n",
    b"data: \n",
    b"event: x\n",
    b"id: 1\nretry: 1\n",
    b"<script src=",
    b"<title ",
    b"<link as=script href=/_nuxt/a.js ",
    b'secret:"',
)

# The units that matter to the work between two chunks: the checks with small chunks use these alone.
LINES = (b"x", b"\n", b": comment\n\n", b"data: x\n")

# A JSON string, number or literal.
_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|\b(?:true|false|null)\b')

# Bytes: values that follow the same bytes are of one kind.
_CONTEXT_BYTES = 16
# Kinds of values that are tried in one body. More would take too long.
_MAX_KINDS = 60


def places_of(body: bytes) -> list[int]:
    """The numbers of JSON values in a body, for `ReplacedValue.place`: the first and the last of each kind."""
    first: dict[bytes, int] = {}
    last: dict[bytes, int] = {}
    for place, match in enumerate(_VALUE.finditer(body)):
        before = body[max(0, match.start() - _CONTEXT_BYTES) : match.start()]
        first.setdefault(before, place)
        last[before] = place
    kinds = list(first)[:_MAX_KINDS]
    return sorted({*(first[kind] for kind in kinds), *(last[kind] for kind in kinds)})


class ReplacedBody(NamedTuple):
    """Another body, by its name in `BODIES`."""

    name: str

    def apply(self, body: bytes) -> bytes:
        return BODIES[self.name]


class ReplacedValue(NamedTuple):
    """One JSON value (or key) of a body, replaced by the value of this name in `VALUES`."""

    place: int
    name: str

    def apply(self, body: bytes) -> bytes:
        found = list(_VALUE.finditer(body))
        if not found:
            return VALUES[self.name] + body
        start, end = found[self.place % len(found)].span()
        return body[:start] + VALUES[self.name] + body[end:]


class RepeatedLine(NamedTuple):
    """One line of a body, left out (0 times) or repeated."""

    place: int
    times: int

    def apply(self, body: bytes) -> bytes:
        lines = body.splitlines(keepends=True) or [b""]
        place = self.place % len(lines)
        lines[place : place + 1] = lines[place : place + 1] * self.times
        return b"".join(lines)


class Splice(NamedTuple):
    """Some bytes of a body, replaced by others."""

    place: int
    removed: int
    data: bytes

    def apply(self, body: bytes) -> bytes:
        place = self.place % (len(body) + 1)
        return body[:place] + self.data + body[place + self.removed :]


class RepeatedBody(NamedTuple):
    """The whole body, repeated."""

    times: int

    def apply(self, body: bytes) -> bytes:
        return body * self.times


Change = ReplacedBody | ReplacedValue | RepeatedLine | Splice | RepeatedBody


class BadResponse(NamedTuple):
    """Changes to a good response; None leaves a part as it is. With `failure` the request fails after the body."""

    change: Change | None = None
    status: int | None = None
    headers: str | None = None
    failure: RequestFailureKind | None = None

    def apply(self, good: ScriptedResponse) -> ScriptedResponse:
        """The good response with these changes."""
        return ScriptedResponse(
            good.status if self.status is None else self.status,
            good.headers if self.headers is None else HEADERS[self.headers],
            good.body if self.change is None else self.change.apply(good.body),
            good.stays_open,
        )


def bad_responses() -> st.SearchStrategy[BadResponse]:
    """Bad responses of every kind, and sometimes a good one."""
    places = st.integers(0, 400)
    changes = st.one_of(
        st.none(),
        st.builds(ReplacedValue, places, st.sampled_from(sorted(VALUES))),
        st.builds(ReplacedBody, st.sampled_from(sorted(BODIES))),
        st.builds(RepeatedLine, places, st.sampled_from([0, 2, 3])),
        st.builds(RepeatedBody, st.just(2)),
        st.builds(Splice, st.integers(0, 7000), st.integers(0, 40), st.binary(max_size=12)),
    )
    return st.builds(
        BadResponse,
        changes,
        st.sampled_from([*[None] * 20, *STATUSES]),
        st.sampled_from([*[None] * 10, *HEADERS]),
        st.sampled_from([None, None, None, "network", "timeout", "protocol", "connect"]),
    )
