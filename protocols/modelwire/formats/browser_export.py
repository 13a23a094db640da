"""A browser's exports: a HAR, a list of cookies, or the state of its storage.

Developer tools save a page's requests as a HAR (HTTP Archive 1.2): http://www.softwareishard.com/blog/har-12-spec/.
Browser extensions export cookies as a list (name, value, domain, path, expirationDate, hostOnly, ...). Playwright's
`storage_state` has cookies and localStorage: https://playwright.dev/python/docs/api/class-browsercontext.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from modelwire.errors import InvalidInput
from modelwire.http import Headers

from .cookies import Cookie

T = TypeVar("T")

# Bytes: the longest file that is read. A HAR contains complete responses, so it may be long.
LONGEST_EXPORT = 128 * 1024 * 1024


class SentRequest(msgspec.Struct, frozen=True):
    """A request that the browser sent."""

    url: str
    headers: Headers

    def __repr__(self) -> str:
        return f"SentRequest(headers=<{len(self.headers)}>)"


class BrowserExport(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of an export: requests in order, cookies, and localStorage by origin."""

    requests: tuple[SentRequest, ...] = ()
    cookies: tuple[Cookie, ...] = ()
    local_storage: dict[str, dict[str, str]] = {}

    def __repr__(self) -> str:
        counts = f"{len(self.requests)} requests, {len(self.cookies)} cookies, {len(self.local_storage)} origins"
        return f"BrowserExport(<{counts}>)"


def parse_export(data: bytes) -> BrowserExport:
    """Read an export. Raises `InvalidInput` for any other file, without showing its contents."""
    if len(data) > LONGEST_EXPORT:
        raise InvalidInput(
            f"the file is longer than {LONGEST_EXPORT // 1024**2} MiB: export the requests of one page only"
        )
    text = data.removeprefix(b"\xef\xbb\xbf")
    start = text.lstrip()[:1]
    if start == b"[":
        return BrowserExport(cookies=_as_cookies(_decode(text, list[_ExportedCookie])))
    if start != b"{":
        raise InvalidInput("the file is neither a HAR nor a JSON export of cookies")
    found = _decode(text, _Export)
    if found.log is None and found.cookies is None:
        raise InvalidInput("the file is JSON, but neither a HAR nor an export of cookies")
    return BrowserExport(
        requests=() if found.log is None else tuple(_as_request(entry.request) for entry in found.log.entries),
        cookies=_as_cookies(found.cookies or []),
        local_storage={
            state.origin: {item.name: item.value for item in state.local_storage} for state in found.origins
        },
    )


# The shapes of the files.


class _Pair(msgspec.Struct):
    name: str
    value: str


class _HarRequest(msgspec.Struct):
    url: str
    headers: list[_Pair] = []


class _HarEntry(msgspec.Struct):
    request: _HarRequest


class _HarLog(msgspec.Struct):
    entries: list[_HarEntry]


class _ExportedCookie(msgspec.Struct):
    name: str
    value: str
    domain: str
    path: str = "/"
    secure: bool = False
    host_only: bool | None = msgspec.field(name="hostOnly", default=None)
    expiration_date: float | None = msgspec.field(name="expirationDate", default=None)
    expires: float | None = None


class _OriginState(msgspec.Struct):
    origin: str
    local_storage: list[_Pair] = msgspec.field(name="localStorage", default_factory=list)


class _Export(msgspec.Struct):
    log: _HarLog | None = None
    cookies: list[_ExportedCookie] | None = None
    origins: list[_OriginState] = []


def _decode(data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the file does not have the shape of a browser's export: {error}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidInput("the file is damaged or incomplete: export it again") from None


def _as_request(request: _HarRequest) -> SentRequest:
    # Drop HTTP/2's pseudo-headers (`:method`, `:path`, ...): HTTP/1.1 has them in the request line.
    headers = ((header.name, header.value) for header in request.headers if not header.name.startswith(":"))
    return SentRequest(request.url, tuple(headers))


def _as_cookies(cookies: list[_ExportedCookie]) -> tuple[Cookie, ...]:
    return tuple(map(_as_cookie, cookies))


def _as_cookie(cookie: _ExportedCookie) -> Cookie:
    expires = cookie.expires if cookie.expiration_date is None else cookie.expiration_date
    return Cookie(
        name=cookie.name,
        value=cookie.value,
        domain=cookie.domain.removeprefix(".").lower(),
        host_only=not cookie.domain.startswith(".") if cookie.host_only is None else cookie.host_only,
        path=cookie.path or "/",
        secure=cookie.secure,
        # A session cookie has -1, 0 or no value here.
        expires=expires if expires is not None and expires > 0 else None,
    )
