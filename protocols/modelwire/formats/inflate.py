"""Content codings, undone in bounded steps: no answer takes more memory than a step, however far it expands."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from modelwire.errors import RemoteProtocolError, TruncatedError

STEP = 64 * 1024  # bytes

# The codings of RFC 9110, 8.4.1, by the window bits that tell zlib their wrapping. 47: zlib or gzip, by its head.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
# Deflate without any wrapping.
_RAW = -15


class Inflater:
    """Undoes one content coding (`gzip`, `deflate`, `identity` or none).

    Raises `RemoteProtocolError` for a coding that it does not know, for a chain of them, and for broken data.
    """

    def __init__(self, coding: str | None) -> None:
        name = (coding or "").strip().lower()
        self._decompress: zlib._Decompress | None = None
        self._is_empty = True
        # The first two bytes, until they have told how deflate is wrapped.
        self._head: bytes | None = b"" if name == "deflate" else None
        if name not in ("", "identity"):
            if name not in _WINDOW_BITS:
                raise RemoteProtocolError("the response comes in a content coding that was not asked for")
            self._decompress = zlib.decompressobj(_WINDOW_BITS[name])

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded bytes, at most `STEP` at a time; take them all before the next `feed`."""
        if self._decompress is None:
            if data:
                yield data
            return
        self._is_empty = self._is_empty and not data
        if self._head is not None:
            data = self._see_wrapping(self._head + data)
        pending = data
        piece = b""
        # A full step may have left more inside, though nothing is left to put in.
        while (pending or len(piece) == STEP) and not self._decompress.eof:
            before = self._decompress.copy()
            try:
                piece = self._decompress.decompress(pending, STEP)
            except zlib.error:
                piece = _undamaged(before, pending)
                if piece:
                    yield piece
                raise RemoteProtocolError("the compressed body is damaged") from None
            if piece:
                yield piece
            pending = self._decompress.unconsumed_tail
        if pending or self._decompress.unused_data:
            raise RemoteProtocolError("more bytes follow the end of a compressed body")

    def _see_wrapping(self, data: bytes) -> bytes:
        """`data` once its first two bytes are there, which tell how it is wrapped; nothing before that."""
        if len(data) < 2:
            self._head = data
            return b""
        self._head = None
        is_zlib = data[0] & 15 == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0  # RFC 1950, 2.2
        if not is_zlib and data[:2] != b"\x1f\x8b":
            # Some servers send deflate without the zlib wrapping that RFC 9110, 8.4.1.2, asks for.
            self._decompress = zlib.decompressobj(_RAW)
        return data

    def end(self) -> None:
        """The body ended. Raises `TruncatedError` where the compressed data had not; some servers compress nothing."""
        if self._decompress is not None and not self._decompress.eof and not self._is_empty:
            raise TruncatedError("the compressed body was cut off")


def _undamaged(decompress: zlib._Decompress, data: bytes) -> bytes:
    """What comes before the damage. zlib keeps that to itself, unless it gets the bytes one by one."""
    pieces: list[bytes] = []
    try:
        pieces.extend(map(decompress.decompress, [data[start : start + 1] for start in range(len(data))]))
    except zlib.error:
        pass
    return b"".join(pieces)
