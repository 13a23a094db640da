"""What no service should send: bodies that are nothing, and good ones with one thing changed."""

from __future__ import annotations

import re
from typing import NamedTuple

from hypothesis import strategies as st

from modelwire.events import RequestFailureKind
from modelwire.http import Headers
from modelwire.limits import Limits
from modelwire.testing.wire import Answer

KIB = 1024

# In place of a whole body.
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

# In place of one value of JSON, in whatever text.
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
    "a URL that is none": b'"http://[::1"',
    "a URL with blanks": b'"https://a.example/ x\\r\\ny: z"',
    "an empty list": b"[]",
    "a list": b"[null]",
    "an empty object": b"{}",
    "an object": b'{"a": null}',
    "deep lists": b"[" * 20_000,
    "nothing at all": b"",
}

# One of each type, and what breaks a decoder.
TYPES = ("null", "zero", "a huge number", "an empty string", "a URL that is none", "a list", "an object", "deep lists")

# What may stand in a head.
HEADERS: dict[str, Headers] = {
    "none": (),
    "JSON": (("content-type", "application/json"),),
    "a type that is none": (("content-type", "text/html; charset=\udc80"),),
    "cookies for all": (("set-cookie", "a=b; Max-Age=999999999999; Path=/; Domain=.com"), ("set-cookie", "=; x")),
    "cookies that are none": (("set-cookie", "a=\x00\r\nx: y"), ("Set-Cookie", "\udc80=ж; expires=never")),
    "a cookie that is over": (("set-cookie", "credential=; Max-Age=-1"),),
    "at once": (("retry-after", "0"),),
    "never": (("retry-after", "9" * 400),),
    "in the past": (("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"), ("retry-after", "-1")),
    "a place that is none": (("location", "http://[::1/\r\n"), ("content-type", "")),
    "too many": (("x", ""),) * 300,
    "too long": (("x", "y" * 70_000),),
}

STATUSES = (200, 201, 204, 206, 299, 302, 400, 401, 403, 404, 408, 418, 429, 500, 503, 599, 0, 100, 600, -1)

# Limits that ordinary answers exceed, so that what happens there can be seen.
TIGHT = Limits(body=300, stream=700, line=90, event=140, error_body=20, head=200, headers=4)

# What an answer without an end repeats.
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

# Those of them that make a difference to what is done between two pieces.
LINES = (b"x", b"\n", b": comment\n\n", b"data: x\n")

# A value of JSON: a string, a number, a word.
_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|\b(?:true|false|null)\b')


# What tells one kind of place in a body from another: so many bytes before it. And so many kinds are enough.
_CONTEXT, _MOST_KINDS = 16, 60


def places_of(body: bytes) -> list[int]:
    """Where in a body there are values of JSON, to be given to `Valued`: of each kind the first and the last."""
    first: dict[bytes, int] = {}
    last: dict[bytes, int] = {}
    for place, match in enumerate(_VALUE.finditer(body)):
        before = body[max(0, match.start() - _CONTEXT) : match.start()]
        first.setdefault(before, place)
        last[before] = place
    kinds = list(first)[:_MOST_KINDS]
    return sorted({*(first[kind] for kind in kinds), *(last[kind] for kind in kinds)})


class Whole(NamedTuple):
    """Another body altogether."""

    name: str

    def of(self, body: bytes) -> bytes:
        """The body that comes instead."""
        return BODIES[self.name]


class Valued(NamedTuple):
    """Another value in the place of one that is there, be it a key."""

    place: int
    name: str

    def of(self, body: bytes) -> bytes:
        """The body with it."""
        found = list(_VALUE.finditer(body))
        if not found:
            return VALUES[self.name] + body
        start, end = found[self.place % len(found)].span()
        return body[:start] + VALUES[self.name] + body[end:]


class Lined(NamedTuple):
    """A line that is missing (0 times), or comes more than once."""

    place: int
    times: int

    def of(self, body: bytes) -> bytes:
        """The body with it."""
        lines = body.splitlines(keepends=True) or [b""]
        place = self.place % len(lines)
        lines[place : place + 1] = lines[place : place + 1] * self.times
        return b"".join(lines)


class Spliced(NamedTuple):
    """Some bytes in the place of others."""

    place: int
    removed: int
    data: bytes

    def of(self, body: bytes) -> bytes:
        """The body with them."""
        place = self.place % (len(body) + 1)
        return body[:place] + self.data + body[place + self.removed :]


class Repeated(NamedTuple):
    """The same once more, after its end."""

    times: int

    def of(self, body: bytes) -> bytes:
        """The body so many times."""
        return body * self.times


Change = Whole | Valued | Lined | Spliced | Repeated


class Bad(NamedTuple):
    """What comes in the place of a good answer: None leaves it as it is. `broken` is how it ends, where it fails."""

    change: Change | None = None
    status: int | None = None
    headers: str | None = None
    broken: RequestFailureKind | None = None

    def instead_of(self, answer: Answer) -> Answer:
        """What comes."""
        return Answer(
            answer.status if self.status is None else self.status,
            answer.headers if self.headers is None else HEADERS[self.headers],
            answer.body if self.change is None else self.change.of(answer.body),
            answer.stays_open,
        )


def bad_answers() -> st.SearchStrategy[Bad]:
    """Bad answers of every kind, and now and then a good one."""
    places = st.integers(0, 400)
    changes = st.one_of(
        st.none(),
        st.builds(Valued, places, st.sampled_from(sorted(VALUES))),
        st.builds(Whole, st.sampled_from(sorted(BODIES))),
        st.builds(Lined, places, st.sampled_from([0, 2, 3])),
        st.builds(Repeated, st.just(2)),
        st.builds(Spliced, st.integers(0, 7000), st.integers(0, 40), st.binary(max_size=12)),
    )
    return st.builds(
        Bad,
        changes,
        st.sampled_from([*[None] * 20, *STATUSES]),
        st.sampled_from([*[None] * 10, *HEADERS]),
        st.sampled_from([None, None, None, "network", "timeout", "protocol", "connect"]),
    )
