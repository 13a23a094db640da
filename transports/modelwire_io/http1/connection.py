"""One HTTP/1.1 connection without I/O: requests become bytes, bytes become a flow's events.

h11 decides everything about heads and framing. The bytes of a chunked body go past it through `ChunkedReader`, which
keeps h11's rules; h11 itself sees the last chunk and the trailers, and so knows when the response is over and whether
the connection can be used again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import h11

from modelwire.errors import ConnectError, FlowFailed, RemoteProtocolError, TruncatedError
from modelwire.events import BodyReceived, Event, RequestFailed, RequestFailureKind, ResponseEnded, ResponseStarted
from modelwire.formats.inflate import Inflater
from modelwire.http import Headers, content_coding, find_header
from modelwire.limits import DEFAULT_LIMITS

from .chunked import ChunkedReader

# Names, values, colons and line ends of a head, and of all the interim responses before it. The flow's own limit on
# heads is the narrower one; this keeps an endless head from being kept.
MOST_HEAD_BYTES = DEFAULT_LIMITS.head + 16 * 1024

# As h11 has it: a line end may lack its CR.
_END_OF_HEAD = re.compile(rb"\n\r?\n")


class Http11Connection:
    """The state of one connection, request after request.

    `send` begins an exchange and gives the bytes to write; `receive_data` takes what was read (`b""` at the end of
    the connection); `next_event` gives the events one by one, None when more data is needed.
    """

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES)
        self._request_id = 0
        self._must_close = False
        self._at_eof = False
        self._unread: list[bytes] = []
        self._head = bytearray()
        self._has_head = False
        self._head_size = 0
        self._chunks: ChunkedReader | None = None
        self._failure: RemoteProtocolError | None = None
        self._body_is_whole = False
        self._coding: str | None = None
        self._inflater: Inflater | None = None
        self._pieces: Iterator[bytes] | None = None  # of what is inflated
        self.is_over = True
        """Whether no response is awaited."""

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent: the response is over, nothing came after it, and both sides agree."""
        return self.is_over and not self._must_close

    def send(self, request_id: int, method: str, target: str, headers: Headers, body: bytes) -> bytes:
        """Begin an exchange; returns what is to be written. Framing is a matter of the headers.

        Raises `ConnectError` for a request that HTTP/1.1 has no form for.
        """
        self._request_id = request_id
        self.is_over = self._has_head = self._body_is_whole = False
        self._head_size = 0
        self._chunks = self._inflater = self._pieces = None
        encoded = [(name.encode("ascii"), value.strip(" \t").encode("latin-1")) for name, value in headers]
        try:
            outgoing = self._h11.send(h11.Request(method=method, target=target, headers=encoded)) or b""
            if body:
                outgoing += self._h11.send(h11.Data(data=body)) or b""
            self._h11.send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            self.is_over = self._must_close = True
            raise ConnectError(f"this request is no HTTP/1.1: {_without_data(error)}") from None
        return outgoing

    def close_after_response(self) -> None:
        """Let no other request be sent: not all of this one may have arrived."""
        self._must_close = True

    def receive_data(self, data: bytes) -> None:
        """Take what was read; `b""` where the other side has closed."""
        if data:
            self._unread.append(data)
        else:
            self._at_eof = True

    def next_event(self) -> Event | None:
        """The next event of the response, or None when more data is needed, or it is over."""
        if self.is_over:
            return None
        try:
            return self._next()
        except TruncatedError as error:
            return self._fail("network", str(error))
        except FlowFailed as error:
            return self._fail("protocol", str(error))
        except h11.RemoteProtocolError as error:
            # What h11 cannot read at the end of the connection is wrong because it ended.
            return self._fail("network" if self._at_eof else "protocol", _without_data(error))

    def _next(self) -> Event | None:
        while True:
            if self._pieces is not None:
                piece = next(self._pieces, None)
                if piece is not None:
                    return BodyReceived(self._request_id, piece)
                self._pieces = None
            if self._body_is_whole:
                return self._finish()
            if self._failure is not None:
                raise self._failure
            if not self._unread and not self._at_eof:
                return None
            event = self._read_body() if self._has_head else self._read_head()
            if event is not None:
                return event

    def _read_head(self) -> Event | None:
        """Give h11 a head when it is whole: h11 must not see the bytes of the body."""
        searched = max(0, len(self._head) - 3)
        self._head += b"".join(self._unread)
        self._unread.clear()
        end = _END_OF_HEAD.search(self._head, searched)
        if end is None:
            if self._at_eof:
                raise TruncatedError("the server closed the connection before it had answered")
            self._count_head(len(self._head))
            return None
        self._count_head(end.end())
        self._h11.receive_data(bytes(self._head[: end.end()]))
        rest = bytes(self._head[end.end() :])
        self._head.clear()
        if rest:
            self._unread.append(rest)
        event = self._h11.next_event()
        if isinstance(event, h11.InformationalResponse):
            self._head_size += end.end()
            return None
        if not isinstance(event, h11.Response):
            raise RemoteProtocolError("what came is no head of a response")
        return self._begin_body(event)

    def _count_head(self, size: int) -> None:
        if self._head_size + size > MOST_HEAD_BYTES:
            raise RemoteProtocolError(f"the head of the response exceeds {MOST_HEAD_BYTES} bytes")

    def _begin_body(self, response: h11.Response) -> ResponseStarted:
        self._has_head = True
        raw = response.headers.raw_items()
        headers: Headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
        self._coding = content_coding(headers)
        is_chunked = find_header(headers, "transfer-encoding") is not None
        if is_chunked and find_header(headers, "content-length") is not None:
            # RFC 9112, 6.3: two framings in one head are an attack or a mistake; the connection cannot be trusted.
            self._must_close = True
        if is_chunked or not self._unread:
            # There may be no body at all. Where something follows, reading that will tell.
            self._body_is_whole = isinstance(self._h11.next_event(), h11.EndOfMessage)
        if is_chunked and not self._body_is_whole:
            self._chunks = ChunkedReader()
        return ResponseStarted(self._request_id, response.status_code, headers)

    def _read_body(self) -> BodyReceived | None:
        """Turn what was read into a piece of the body, or into many that are to be inflated."""
        data = self._unread[0] if len(self._unread) == 1 else b"".join(self._unread)
        self._unread.clear()
        body = self._read_by_h11(data) if self._chunks is None else self._read_chunks(self._chunks, data)
        if not body:
            return None
        if self._coding is None:
            return BodyReceived(self._request_id, body)
        if self._inflater is None:
            self._inflater = Inflater(self._coding)
        self._pieces = self._inflater.feed(body)
        return None

    def _read_chunks(self, chunks: ChunkedReader, data: bytes) -> bytes:
        if self._at_eof and not data:
            raise TruncatedError("the server closed the connection in the middle of the body")
        body, rest = chunks.feed(data)
        self._failure = chunks.failure
        if rest is not None:
            self._chunks = None
            self._unread.append(rest)
        return body

    def _read_by_h11(self, data: bytes) -> bytes:
        if data:
            self._h11.receive_data(data)
        if self._at_eof:
            self._h11.receive_data(b"")
        found: list[bytes] = []
        while isinstance(event := self._h11.next_event(), h11.Data):
            found.append(bytes(event.data))
        self._body_is_whole = isinstance(event, h11.EndOfMessage)
        return b"".join(found)

    def _finish(self) -> ResponseEnded:
        """The body is whole; see whether the connection is still good."""
        if self._inflater is not None:
            self._inflater.end()
        self.is_over = True
        surplus, _ = self._h11.trailing_data
        both_done = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        self._must_close = self._must_close or bool(surplus or self._unread) or self._at_eof or not both_done
        if not self._must_close:
            self._h11.start_next_cycle()
        return ResponseEnded(self._request_id)

    def _fail(self, kind: RequestFailureKind, detail: str) -> RequestFailed:
        self.is_over = self._must_close = True
        return RequestFailed(self._request_id, kind, detail)


def _without_data(error: h11.ProtocolError) -> str:
    """What h11 says, without the bytes that it quotes: there may be a secret in them."""
    return str(error).partition(":")[0]
