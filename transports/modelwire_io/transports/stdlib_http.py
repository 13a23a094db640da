"""A stricter `http.client`, for the transports over it and over urllib3.

The socket that it gets does TLS, proxies and deadlines.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Iterable, Sequence
from http.client import BadStatusLine, HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any, Protocol

from modelwire.events import BodyReceived, Event, RequestFailed, ResponseStarted
from modelwire.formats.inflate import Inflater
from modelwire.http import Headers, content_coding

from .failures import request_failed

READ_SIZE = 64 * 1024  # bytes
MAX_INTERIM_RESPONSES = 100

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class StrictResponse(HTTPResponse):
    """A final response with unambiguous framing, which never takes a cut for an end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fp = _StrictReader(self.fp.detach())

    def begin(self) -> None:
        """Read the head, and skip interim responses before it: http.client skips only those with status 100."""
        for _ in range(MAX_INTERIM_RESPONSES):
            super().begin()
            if self.status >= 200:
                self._check_framing()
                return
            # `begin` reads a head only if there is none yet.
            vars(self).update(headers=None, msg=None)
        raise HTTPException("too many interim responses")

    def read1(self, n: int = -1) -> bytes:
        """Some bytes of the body, or none at its end. Raises `IncompleteRead` if it is cut off."""
        data = super().read1(n)
        if not data and n and self.length:
            raise IncompleteRead(b"", self.length)
        return data

    def _check_framing(self) -> None:
        """Refuse heads that http.client accepts, or takes for a response without a length."""
        if self.headers.defects or not all(map(_TOKEN.fullmatch, self.headers.keys())):
            raise HTTPException("a line of the head is not a valid header")
        codings = self.headers.get_all("transfer-encoding", [])
        lengths = self.headers.get_all("content-length", [])
        require_known_framing(codings, lengths)
        if codings and lengths:
            # RFC 9112, 6.3: two framings in one head are an attack or a mistake; the connection cannot be trusted.
            self.will_close = True


def require_known_framing(codings: Sequence[str], lengths: Iterable[str]) -> None:
    """Raises `HTTPException` for values of Transfer-Encoding and Content-Length that http.client would guess about."""
    if codings and [coding.strip(" \t").lower() for coding in codings] != ["chunked"]:
        raise HTTPException("an unknown transfer coding")
    different = set(lengths)
    if len(different) > 1 or not all(length.isdecimal() and length.isascii() for length in different):
        raise HTTPException("a Content-Length that is not a number")


class _StrictReader(io.BufferedReader):
    """Raises an error if the connection ends inside a head or trailers, which http.client takes for their end."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise RemoteDisconnected("the server closed the connection in the middle of its response")
        return line


class BodyReader(Protocol):
    """A source of body bytes."""

    def read1(self, amount: int, /) -> bytes:
        """Some bytes, or none at the end."""
        ...


def response_events(request_id: int, status: int, headers: Headers, body: BodyReader) -> Generator[Event, None, None]:
    """A response as events, but for `ResponseEnded`. Raises the errors of reading, and `FlowFailed` for a bad body."""
    yield ResponseStarted(request_id, status, headers)
    inflater: Inflater | None = None
    while data := body.read1(READ_SIZE):
        inflater = inflater or Inflater(content_coding(headers))
        for piece in inflater.feed(data):
            yield BodyReceived(request_id, piece)
    if inflater is not None:
        inflater.end()


def failed(request_id: int, error: Exception, *, is_sent: bool) -> RequestFailed:
    """An error of http.client, of its socket or of ours, as an event."""
    if is_sent and isinstance(error, HTTPException) and not isinstance(error, IncompleteRead | RemoteDisconnected):
        # Its text quotes the server, which may hold a secret.
        detail = "the server did not send a valid HTTP response" if isinstance(error, BadStatusLine) else ""
        return request_failed(request_id, error, is_sent=True, kind="protocol", detail=detail)
    return request_failed(request_id, error, is_sent=is_sent)
