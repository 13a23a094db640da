"""Python's own HTTP client, taught what it lacks: what the transports over it, and over urllib3, have in common.

Connecting, TLS, proxies and deadlines are a matter of the socket that it is given.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator
from http.client import BadStatusLine, HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any, Protocol

from modelwire.events import BodyReceived, Event, RequestFailed, ResponseStarted
from modelwire.formats.inflate import Inflater
from modelwire.http import Headers, content_coding

from .failures import request_failed

READ_SIZE = 64 * 1024  # bytes
MOST_INTERIM_RESPONSES = 100

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class StrictResponse(HTTPResponse):
    """A response that is no interim one, whose framing is beyond doubt, and that does not take a cut for an end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fp = _StrictReader(self.fp.detach())

    def begin(self) -> None:
        """Read the head, and those of interim responses before it: http.client knows of no other than 100."""
        for _ in range(MOST_INTERIM_RESPONSES):
            super().begin()
            if self.status >= 200:
                self._check_framing()
                return
            # So it begins anew.
            vars(self).update(headers=None, msg=None)
        raise HTTPException("too many interim responses")

    def read1(self, n: int = -1) -> bytes:
        """Some bytes of the body, or none at its end. Raises `IncompleteRead` where it is cut off."""
        data = super().read1(n)
        if not data and n and self.length:
            raise IncompleteRead(b"", self.length)
        return data

    def _check_framing(self) -> None:
        """What http.client overlooks, or takes for a response without a length."""
        if self.headers.defects or not all(map(_TOKEN.fullmatch, self.headers.keys())):
            raise HTTPException("a line of the head is no header")
        codings = self.headers.get_all("transfer-encoding", [])
        lengths = set(self.headers.get_all("content-length", []))
        if codings and [coding.strip(" \t").lower() for coding in codings] != ["chunked"]:
            raise HTTPException("an unknown transfer coding")
        if len(lengths) > 1 or not all(length.isdecimal() and length.isascii() for length in lengths):
            raise HTTPException("a length that is none")
        if codings and lengths:
            # RFC 9112, 6.3: two framings in one head are an attack or a mistake; the connection cannot be trusted.
            self.will_close = True


class _StrictReader(io.BufferedReader):
    """http.client takes the end of the connection for the end of a head, or of the trailers."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise RemoteDisconnected("the server closed the connection in the middle of its answer")
        return line


class Body(Protocol):
    """Where a body is read from."""

    def read1(self, amount: int, /) -> bytes:
        """Some bytes, or none at the end."""
        ...


def response_events(request_id: int, status: int, headers: Headers, body: Body) -> Generator[Event, None, None]:
    """A response as events, but for its end. Raises what reading the body raises, and `FlowFailed` for a bad one."""
    yield ResponseStarted(request_id, status, headers)
    inflater: Inflater | None = None
    while data := body.read1(READ_SIZE):
        inflater = inflater or Inflater(content_coding(headers))
        for piece in inflater.feed(data):
            yield BodyReceived(request_id, piece)
    if inflater is not None:
        inflater.end()


def failed(request_id: int, error: Exception, *, is_sent: bool) -> RequestFailed:
    """An exception of http.client, of its socket or of ours, as an event."""
    if is_sent and isinstance(error, HTTPException) and not isinstance(error, IncompleteRead | RemoteDisconnected):
        # It quotes what came, and that may hold a secret.
        detail = "what came is no HTTP" if isinstance(error, BadStatusLine) else ""
        return request_failed(request_id, error, is_sent=True, kind="protocol", detail=detail)
    return request_failed(request_id, error, is_sent=is_sent)
