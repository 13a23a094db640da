"""HTTP as the core sees it: what to send (`Request`), what came (`Response`), and the bodies of both.

Nothing here speaks HTTP's wire format; that is the transports' work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from .errors import InvalidInput
from .json import JsonValue, decode

T = TypeVar("T")

Headers = tuple[tuple[str, str], ...]

# RFC 9110, 5.6.2 (token) and 5.5 (field values: obs-text is tolerated; control characters and outer blanks are not).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])")
_URL = re.compile(r"https?://[!-~]+")
# Characters of a URL that is none.
_LONGEST_SHOWN = 200
_BEFORE_PATH = re.compile(r"[^/?#]*//[^/?#]*")


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request, complete but for its framing: a transport adds Host and Content-Length, and nothing else.

    `timeout` is seconds of silence tolerated, at connecting and between two reads. `repeatable` is false where a
    second sending could cost something twice. `public_only` makes the transport refuse any address that is not
    public (loopback, private, link-local), checked where the connection is made.

    Raises `InvalidInput` for a URL, a header name or a value that HTTP cannot carry, without showing it.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    timeout: float = 60.0
    repeatable: bool = True
    public_only: bool = False

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.method):
            raise InvalidInput("the request method is not an HTTP token")
        if not _URL.fullmatch(self.url):
            raise InvalidInput("a URL must begin with http:// or https:// and hold visible ASCII alone")
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name):
                raise InvalidInput("a header name holds a character that HTTP does not allow")
            if not _FIELD_VALUE.fullmatch(value):
                raise InvalidInput(f"the header {name!r} holds a character that HTTP does not allow")

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers)
        return f"Request({self.method} {without_query(self.url)}, headers=<{names}>, body=<{len(self.body)} bytes>)"


class Response(msgspec.Struct, frozen=True, gc=False):
    """A complete response."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None where there is none."""
        return find_header(self.headers, name)

    def text(self) -> str:
        """The body as UTF-8, invalid bytes replaced."""
        return self.body.decode("utf-8", "replace")

    def decode(self, shape: type[T]) -> T:
        """The body as JSON of this shape. Raises `RemoteProtocolError` with the path of a field that is wrong."""
        return decode(self.body, shape)

    def __repr__(self) -> str:
        return f"Reply(status={self.status}, body=<{len(self.body)} bytes>)"


def find_header(headers: Headers, name: str) -> str | None:
    """The first header of that name, in any case; None where there is none."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


def content_coding(headers: Headers) -> str | None:
    """The content codings, in their order; None where there are none.

    Several headers are one list (RFC 9110, 5.3): who took the first alone would take a body as plain that is not.
    """
    found = [value for name, value in headers if name.lower() == "content-encoding"]
    return ", ".join(found) if found else None


def media_type(headers: Headers) -> str:
    """The type and subtype of Content-Type, in lower case and without parameters; empty where there is none."""
    return (find_header(headers, "content-type") or "").partition(";")[0].strip().lower()


def json_body(value: JsonValue) -> bytes:
    """`value` (a Struct, or plain JSON) as JSON in UTF-8."""
    return msgspec.json.encode(value)


def form_body(fields: Mapping[str, str]) -> bytes:
    """Fields as `application/x-www-form-urlencoded`, in their order."""
    return urlencode(fields).encode()


def multipart_body(fields: Mapping[str, str], boundary: str) -> bytes:
    """Text fields as `multipart/form-data` (RFC 7578), in their order.

    Raises `InvalidInput` for a name that could end its own header.
    """
    parts = []
    for name, value in fields.items():
        if not re.fullmatch(r'[^\x00-\x1f"\\\x7f]+', name):
            raise InvalidInput("the name of a form field holds a quote or a control character")
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, defaults filled in: what must be equal for a secret to be sent along.

    Raises `InvalidInput` where the URL names no such thing.
    """
    match = _BEFORE_PATH.match(url)
    found = _origin_of(match[0] if match else "")
    if isinstance(found, str):
        raise InvalidInput(f"{without_query(url)[:_LONGEST_SHOWN]!r} {found}")
    return found


# Few hosts are asked, and each of them often.
@lru_cache(maxsize=128)
def _origin_of(address: str) -> tuple[str, str, int] | str:
    """The origin of a URL without a path, or what is wrong with it."""
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        default = {"http": 80, "https": 443}[scheme]
        port = default if parts.port is None else parts.port
    except (ValueError, KeyError):
        return "is not an http(s) URL"
    return (scheme, host, port) if host else "names no host"


def without_query(url: str) -> str:
    """The URL as it may be shown: no user name, no password, no query, no fragment."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)[^/]*@", r"\1", bare)


def header_size(headers: Iterable[tuple[str, str]]) -> int:
    """The bytes that names and values take, as `Limits.head` counts them."""
    return sum(len(name) + len(value) for name, value in headers)
