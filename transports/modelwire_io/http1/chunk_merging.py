"""Many small HTTP chunks made into one, for a library above that makes an event of each.

What httpcore reads it hands to h11, which takes ten microseconds a chunk, and an answer comes in thousands of them.
Here the chunks that one read brings become one. `ChunkedReader` checks them as h11 would, and what it refuses is passed
on as something that h11 refuses. All else goes through as it came: heads, the last chunk, trailers, bodies without
chunks.
"""

from __future__ import annotations

import re

from .chunked import ChunkedReader

_END_OF_HEAD = re.compile(rb"\n\r?\n")
# h11 takes no other coding, and no list of them.
_IS_CHUNKED = re.compile(rb"\ntransfer-encoding:[ \t]*chunked[ \t]*\r?\n", re.IGNORECASE)
# Where a status stands, and those that nothing follows (RFC 9112, 6.3).
_STATUS = slice(9, 12)
_BODILESS = (b"204", b"304")
# Bytes of a head that is looked at; h11 takes no longer one from httpcore (100 KiB).
_LONGEST_HEAD = 128 * 1024
# What is no header of a chunk.
_ILLEGAL = b"!\r\n"


class ChunkMerger:
    """The bytes that one connection brings. Say `begin` before each write, and `feed` all that is read."""

    def __init__(self) -> None:
        self._head: bytearray | None = None  # what there is of a head; None where none is awaited
        self._chunks: ChunkedReader | None = None

    def begin(self, request: bytes) -> None:
        """These bytes of a request are about to be written: what is read next begins with the head of its response."""
        # Whatever it says, no body follows what answers HEAD.
        self._head = None if request.startswith(b"HEAD ") else bytearray()
        self._chunks = None

    def feed(self, data: bytes) -> bytes:
        """What to read instead of `data`; nothing where it is only the beginning of a chunk's header."""
        heads: list[bytes] = []
        while self._head is not None and data:
            size = self._look_at(self._head, data)
            heads.append(data[:size])
            data = data[size:]
        body = data if self._chunks is None else self._merge(self._chunks, data)
        return b"".join([*heads, body]) if heads else body

    def _look_at(self, head: bytearray, data: bytes) -> int:
        """Take as much of `data` as belongs to the head, and see what follows that; returns the bytes of it."""
        before = len(head)
        head += data
        end = _END_OF_HEAD.search(head, max(0, before - 3))
        if end is None:
            if len(head) > _LONGEST_HEAD:
                self._head = None
            return len(data)
        status = head[_STATUS]
        self._head = bytearray() if status[:1] == b"1" else None
        if self._head is None and status not in _BODILESS and _IS_CHUNKED.search(head, 0, end.end()):
            self._chunks = ChunkedReader()
        return end.end() - before

    def _merge(self, chunks: ChunkedReader, data: bytes) -> bytes:
        body, rest = chunks.feed(data)
        merged = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        if chunks.failure is not None:
            rest = _ILLEGAL
        if rest is None:
            return merged
        self._chunks = None
        return merged + rest
