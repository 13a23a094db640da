"""One HTTP/1.1 connection without I/O: turns requests into bytes, and bytes into a flow's events.

h11 parses heads and decides the framing. A chunked body bypasses it: `ChunkedReader` reads that, by h11's rules. h11
then gets the last chunk and the trailers, so it knows when the response has ended and whether the connection can be
reused.
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

# Bytes: a response head together with all interim responses before it. The flow's own limit on heads is lower; this one
# bounds the memory for a head that never ends.
MAX_HEAD_BYTES = DEFAULT_LIMITS.head + 16 * 1024

# As in h11, a line may end without CR.
_END_OF_HEAD = re.compile(rb"\n\r?\n")


class Http11Connection:
    """The state of one connection, for one request after another.

    `send` begins an exchange and returns the bytes to write; `receive_data` takes the data read (`b""` at the end of
    the connection); `next_event` returns the events one by one, None if it needs more data.
    """

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._request_id = 0
        self._must_close = False
        self._at_eof = False
        self._unread: list[bytes] = []
        self._head_buffer = bytearray()
        self._has_head = False
        self._head_size = 0
        self._chunked_reader: ChunkedReader | None = None
        self._chunk_error: RemoteProtocolError | None = None
        self._is_body_complete = False
        self._content_coding: str | None = None
        self._inflater: Inflater | None = None
        self._pieces: Iterator[bytes] | None = None  # decompressed, not yet returned
        self.is_over = True
        """True when idle: no response is expected."""

    @property
    def is_reusable(self) -> bool:
        """True if another request may be sent: idle, no data after the last response, and neither side closes."""
        return self.is_over and not self._must_close

    def send(self, request_id: int, method: str, target: str, headers: Headers, body: bytes) -> bytes:
        """Begin an exchange; returns the bytes to write. The caller sets Host and Content-Length in `headers`.

        Raises `ConnectError` for a request that is not valid HTTP/1.1.
        """
        self._request_id = request_id
        self.is_over = self._has_head = self._is_body_complete = False
        self._head_size = 0
        self._chunked_reader = self._inflater = self._pieces = None
        encoded = [(name.encode("ascii"), value.strip(" \t").encode("latin-1")) for name, value in headers]
        try:
            outgoing = self._h11.send(h11.Request(method=method, target=target, headers=encoded)) or b""
            if body:
                outgoing += self._h11.send(h11.Data(data=body)) or b""
            self._h11.send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            self.is_over = self._must_close = True
            raise ConnectError(f"the request is not valid HTTP/1.1: {_without_data(error)}") from None
        return outgoing

    def close_after_response(self) -> None:
        """Do not reuse the connection: the server may not have received the whole request."""
        self._must_close = True

    def receive_data(self, data: bytes) -> None:
        """Take the data read; `b""` if the server has closed the connection."""
        if data:
            self._unread.append(data)
        else:
            self._at_eof = True

    def next_event(self) -> Event | None:
        """The next event of the response. None if it needs more data, or has ended."""
        if self.is_over:
            return None
        try:
            return self._next()
        except TruncatedError as error:
            return self._fail("network", str(error))
        except FlowFailed as error:
            return self._fail("protocol", str(error))
        except h11.RemoteProtocolError as error:
            # At the end of the connection, h11 fails because the response is incomplete.
            return self._fail("network" if self._at_eof else "protocol", _without_data(error))

    def _next(self) -> Event | None:
        while True:
            if self._pieces is not None:
                piece = next(self._pieces, None)
                if piece is not None:
                    return BodyReceived(self._request_id, piece)
                self._pieces = None
            if self._is_body_complete:
                return self._finish()
            if self._chunk_error is not None:
                raise self._chunk_error
            if not self._unread and not self._at_eof:
                return None
            event = self._read_body() if self._has_head else self._read_head()
            if event is not None:
                return event

    def _read_head(self) -> Event | None:
        """Pass a complete head to h11, and no more: h11 must not see the bytes of the body."""
        searched = max(0, len(self._head_buffer) - 3)
        self._head_buffer += b"".join(self._unread)
        self._unread.clear()
        end = _END_OF_HEAD.search(self._head_buffer, searched)
        if end is None:
            if self._at_eof:
                raise TruncatedError("the server closed the connection before it had sent a response")
            self._count_head(len(self._head_buffer))
            return None
        self._count_head(end.end())
        self._h11.receive_data(bytes(self._head_buffer[: end.end()]))
        rest = bytes(self._head_buffer[end.end() :])
        self._head_buffer.clear()
        if rest:
            self._unread.append(rest)
        event = self._h11.next_event()
        if isinstance(event, h11.InformationalResponse):
            self._head_size += end.end()
            return None
        if not isinstance(event, h11.Response):
            raise RemoteProtocolError("the server did not send a valid HTTP response")
        return self._begin_body(event)

    def _count_head(self, size: int) -> None:
        if self._head_size + size > MAX_HEAD_BYTES:
            raise RemoteProtocolError(f"the head of the response exceeds {MAX_HEAD_BYTES} bytes")

    def _begin_body(self, response: h11.Response) -> ResponseStarted:
        self._has_head = True
        raw = response.headers.raw_items()
        headers: Headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
        self._content_coding = content_coding(headers)
        is_chunked = find_header(headers, "transfer-encoding") is not None
        if is_chunked and find_header(headers, "content-length") is not None:
            # RFC 9112, 6.3: two framings in one head may be an attack, so the connection must be closed.
            self._must_close = True
        if is_chunked or not self._unread:
            # Ask h11 whether there is a body at all. If data follows, `_read_body` finds out.
            self._is_body_complete = isinstance(self._h11.next_event(), h11.EndOfMessage)
        if is_chunked and not self._is_body_complete:
            self._chunked_reader = ChunkedReader()
        return ResponseStarted(self._request_id, response.status_code, headers)

    def _read_body(self) -> BodyReceived | None:
        """Read body data: returns it, or, if it is compressed, sets `_pieces`."""
        data = self._unread[0] if len(self._unread) == 1 else b"".join(self._unread)
        self._unread.clear()
        body = (
            self._read_by_h11(data) if self._chunked_reader is None else self._read_chunks(self._chunked_reader, data)
        )
        if not body:
            return None
        if self._content_coding is None:
            return BodyReceived(self._request_id, body)
        if self._inflater is None:
            self._inflater = Inflater(self._content_coding)
        self._pieces = self._inflater.feed(body)
        return None

    def _read_chunks(self, chunks: ChunkedReader, data: bytes) -> bytes:
        if self._at_eof and not data:
            raise TruncatedError("the server closed the connection in the middle of the body")
        body, rest = chunks.feed(data)
        self._chunk_error = chunks.failure
        if rest is not None:
            self._chunked_reader = None
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
        self._is_body_complete = isinstance(event, h11.EndOfMessage)
        return b"".join(found)

    def _finish(self) -> ResponseEnded:
        """The body is complete: determine whether the connection can be reused."""
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
    """h11's message without the bytes that it quotes, which may contain a secret."""
    return str(error).partition(":")[0]
