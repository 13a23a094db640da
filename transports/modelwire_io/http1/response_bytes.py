"""The bytes that one connection receives, prepared for a library above: httpcore.

httpcore hands what it reads to h11, which takes ten microseconds a chunk, and an answer arrives in thousands of them.
Here the chunks of one read become one. `ChunkedReader` checks them as h11 would, and passes on what it refuses as
something that h11 refuses. All else goes through unchanged: heads, the last chunk, trailers, bodies without chunks.

httpcore does not report bytes after a response, and would take them for the next one. `must_not_reuse` does.
"""

from __future__ import annotations

import re

from .chunked import ChunkedReader

_END_OF_HEAD = re.compile(rb"\n\r?\n")
# h11 accepts no other coding, and no list of them.
_IS_CHUNKED = re.compile(rb"\ntransfer-encoding:[ \t]*chunked[ \t]*\r?\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,20})[ \t]*\r?\n", re.IGNORECASE)
# Where the status is in a head, and the statuses without a body (RFC 9112, 6.3).
_STATUS = slice(9, 12)
_BODILESS = (b"204", b"304")
# Bytes: a longer head is not examined. h11 accepts up to 100 KiB from httpcore.
_MAX_HEAD_BYTES = 128 * 1024
# Not a valid chunk header.
_ILLEGAL = b"!\r\n"


class ResponseBytes:
    """The responses on one connection. Call `begin` before each write, and `feed` with all that is read."""

    def __init__(self) -> None:
        self.must_not_reuse = False
        """True if bytes came after the response, or if they would not be noticed, or if its head has two framings
        (RFC 9112, 6.3)."""
        self._is_bodiless = False
        self._head: bytearray | None = None  # the beginning of a head; None if none is expected
        self._chunks: ChunkedReader | None = None
        self._end: bytearray | None = None  # from the last chunk on
        self._left: int | None = None  # bytes of a body with a length

    def begin(self, request: bytes) -> None:
        """These bytes of a request are about to be written: the next read begins with the head of its response."""
        if self._head is None:
            # The beginning of a request. A response to HEAD has no body, whatever its headers say.
            self._is_bodiless = request.startswith(b"HEAD ")
        self._head = bytearray()
        self._chunks = self._end = self._left = None

    def feed(self, data: bytes) -> bytes:
        """The bytes to read instead of `data`: none if it is only the beginning of a chunk header."""
        heads: list[bytes] = []
        while self._head is not None and data:
            size = self._read_head(self._head, data)
            heads.append(data[:size])
            data = data[size:]
        body = self._read_body(data) if data else data
        return b"".join([*heads, body]) if heads else body

    def _read_head(self, head: bytearray, data: bytes) -> int:
        """Take the bytes of `data` that belong to the head, and see what follows it. Returns their number."""
        before = len(head)
        head += data
        end = _END_OF_HEAD.search(head, max(0, before - 3))
        if end is None:
            if len(head) > _MAX_HEAD_BYTES:
                self._head, self.must_not_reuse = None, True
            return len(data)
        status = head[_STATUS]
        self._head = bytearray() if status[:1] == b"1" else None
        if self._head is None:
            is_chunked, length = _IS_CHUNKED.search(head, 0, end.end()), _LENGTH.search(head, 0, end.end())
            self.must_not_reuse = self.must_not_reuse or (is_chunked is not None and length is not None)
            if self._is_bodiless or status in _BODILESS:
                self._left = 0
            elif is_chunked is not None:
                self._chunks = ChunkedReader()
            elif length is not None:
                self._left = int(length[1])
            else:
                # A body until the end of the connection, or a framing that h11 may accept, such as a folded header.
                self.must_not_reuse = True
        return end.end() - before

    def _read_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            return self._merge(self._chunks, data)
        if self._left is not None:
            self._left -= len(data)
            self.must_not_reuse = self.must_not_reuse or self._left < 0
        elif self._end is not None:
            self._read_end(self._end, data)
        return data

    def _merge(self, chunks: ChunkedReader, data: bytes) -> bytes:
        body, rest = chunks.feed(data)
        merged = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        if chunks.failure is not None:
            rest = _ILLEGAL
        if rest is None:
            return merged
        self._chunks = None
        self._end = bytearray()
        self._read_end(self._end, rest)
        return merged + rest

    def _read_end(self, end: bytearray, data: bytes) -> None:
        """Look for the end of the last chunk and the trailers, and for bytes after it."""
        end += data
        found = _END_OF_HEAD.search(end)
        if len(end) > _MAX_HEAD_BYTES or (found is not None and found.end() < len(end)):
            self.must_not_reuse = True
