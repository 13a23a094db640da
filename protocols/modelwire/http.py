"""HTTP messages for the core: `Request`, `Response`, and their headers, bodies and URLs.

The wire format of HTTP is the transports' work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from .errors import InvalidInput
from .json import JsonValue, decode
from .limits import DEFAULT_LIMITS

T = TypeVar("T")

Headers = tuple[tuple[str, str], ...]

# RFC 9110, 5.6.2 (tokens) and 5.5 (field values: obs-text is allowed; control characters and outer blanks are not).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])")
_URL = re.compile(r"https?://[!-~]+")
# Characters: the part of an invalid URL that a message shows.
_LONGEST_SHOWN = 200
# Names of parameters whose values are secret.
_SECRET = re.compile(r"key|token|secret|sig|pass|auth|code|cred", re.IGNORECASE)
_BEFORE_PATH = re.compile(r"[^/?#]*//[^/?#]*")


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One complete request. A transport adds only the framing: Host and Content-Length.

    `timeout` is seconds of silence tolerated, at connecting and between two reads; a flow fills in its own
    `limits.silence` if it is None. `repeatable` is False if a second sending could cost something twice. `public_only`
    makes the transport refuse any address that is not public (loopback, private, link-local), checked as it connects.

    Raises `InvalidInput` for a URL, a header name or a value that HTTP cannot carry; the message does not show it.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    timeout: float | None = None
    repeatable: bool = True
    public_only: bool = False

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.method):
            raise InvalidInput("the request method is not an HTTP token")
        if not _URL.fullmatch(self.url):
            raise InvalidInput("a URL must begin with http:// or https:// and contain only visible ASCII")
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name):
                raise InvalidInput("a header name contains a character that HTTP does not allow")
            if not _FIELD_VALUE.fullmatch(value):
                raise InvalidInput(f"the header {name!r} contains a character that HTTP does not allow")

    @property
    def silence(self) -> float:
        """Seconds without a byte after which a transport gives up: `timeout`, or 60 if it is not set."""
        return DEFAULT_LIMITS.silence if self.timeout is None else self.timeout

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers)
        return f"Request({self.method} {without_query(self.url)}, headers=<{names}>, body=<{len(self.body)} bytes>)"


class Response(msgspec.Struct, frozen=True, gc=False):
    """A complete response."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, ignoring case; None if there is none."""
        return find_header(self.headers, name)

    def text(self) -> str:
        """The body as UTF-8, invalid bytes replaced."""
        return self.body.decode("utf-8", "replace")

    def decode(self, type_: type[T]) -> T:
        """The body decoded from JSON as this type. Raises `RemoteProtocolError` with the path of the wrong field."""
        return decode(self.body, type_)

    def __repr__(self) -> str:
        return f"Response(status={self.status}, body=<{len(self.body)} bytes>)"


def find_header(headers: Headers, name: str) -> str | None:
    """The value of the first header of this name, ignoring case; None if there is none."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


def content_coding(headers: Headers) -> str | None:
    """The content codings, in order, separated by commas; None if there are no Content-Encoding headers.

    Several headers are one list (RFC 9110, 5.3). Reading only the first could miss a coding.
    """
    found = [value for name, value in headers if name.lower() == "content-encoding"]
    return ", ".join(found) if found else None


def media_type(headers: Headers) -> str:
    """The type and subtype of Content-Type, in lower case and without parameters; empty if there is none."""
    return (find_header(headers, "content-type") or "").partition(";")[0].strip().lower()


def json_body(value: JsonValue) -> bytes:
    """`value` (a Struct or plain data) as JSON in UTF-8."""
    return msgspec.json.encode(value)


def form_body(fields: Mapping[str, str]) -> bytes:
    """Fields as `application/x-www-form-urlencoded`, in order."""
    return urlencode(fields).encode()


def multipart_body(fields: Mapping[str, str], boundary: str) -> bytes:
    """Text fields as `multipart/form-data` (RFC 7578), in order.

    Raises `InvalidInput` for a name with a quote, a backslash or a control character, which could end its header.
    """
    parts = []
    for name, value in fields.items():
        if not re.fullmatch(r'[^\x00-\x1f"\\\x7f]+', name):
            raise InvalidInput("the name of a form field contains a quote, a backslash or a control character")
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, the port filled in.

    A secret for one URL may be sent to another one only if their origins are equal.
    Raises `InvalidInput` if the URL is not http(s) or has no host.
    """
    match = _BEFORE_PATH.match(url)
    found = _origin_of(match[0] if match else "")
    if isinstance(found, str):
        raise InvalidInput(f"{without_query(url)[:_LONGEST_SHOWN]!r} {found}")
    return found


# A program requests few origins, and each of them often.
@lru_cache(maxsize=128)
def _origin_of(address: str) -> tuple[str, str, int] | str:
    """The origin of a URL without a path; if it is invalid, the reason."""
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        default = {"http": 80, "https": 443}[scheme]
        port = default if parts.port is None else parts.port
    except (ValueError, KeyError):
        return "is not an http(s) URL"
    return (scheme, host, port) if host else "has no host"


def join_url(base: str, path: str) -> str:
    """`path`, which begins with a slash, below a base URL."""
    return base.rstrip("/") + path


def add_query(url: str, query: str) -> str:
    """The URL with these parameters before its own."""
    address, separator, fragment = url.partition("#")
    path, _, own = address.partition("?")
    return f"{path}?{query}&{own}{separator}{fragment}" if own else f"{path}?{query}{separator}{fragment}"


def secrets_in_query(query: str) -> list[str]:
    """The values of a query that are secret by their names (`key`, `token`, ...), and parameters without a value."""
    found = parse_qsl(query, keep_blank_values=True)
    return [value or name for name, value in found if not value or _SECRET.search(name)]


def without_query(url: str) -> str:
    """The URL without user name, password, query and fragment, so that it can be shown."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)[^/]*@", r"\1", bare)


def header_size(headers: Iterable[tuple[str, str]]) -> int:
    """The size of all names and values in bytes, as `Limits.head` counts it."""
    return sum(len(name) + len(value) for name, value in headers)
