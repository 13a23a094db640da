"""Decompression of bodies in bounded steps: memory does not depend on how far a body expands."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from modelwire.errors import RemoteProtocolError, TruncatedError

# Bytes: the most that one step decompresses, and so the largest chunk of a compressed body.
INFLATE_STEP_BYTES = 64 * 1024

# zlib's window bits by content coding (RFC 9110, 8.4.1). They say which wrapping to expect; 47: zlib's or gzip's.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
# Window bits: deflate without a wrapping.
_RAW = -15


class Inflater:
    """Decodes one content coding (`gzip`, `deflate`, `identity` or None).

    Raises `RemoteProtocolError` for an unknown coding, for several codings, and for damaged data.
    """

    def __init__(self, coding: str | None) -> None:
        name = (coding or "").strip().lower()
        self._decompress: zlib._Decompress | None = None
        self._is_empty = True
        # The bytes so far, until the first two show how deflate is wrapped; None from then on.
        self._head: bytes | None = b"" if name == "deflate" else None
        if name not in ("", "identity"):
            if name not in _WINDOW_BITS:
                raise RemoteProtocolError("the response has a content coding that was not requested")
            self._decompress = zlib.decompressobj(_WINDOW_BITS[name])

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded bytes, at most `INFLATE_STEP_BYTES` at a time; exhaust the iterator before the next `feed`."""
        if self._decompress is None:
            if data:
                yield data
            return
        self._is_empty = self._is_empty and not data
        if self._head is not None:
            data = self._detect_wrapping(self._head + data)
        pending = data
        piece = b""
        # After a full step, zlib may hold more output although all input is consumed.
        while (pending or len(piece) == INFLATE_STEP_BYTES) and not self._decompress.eof:
            before = self._decompress.copy()
            try:
                piece = self._decompress.decompress(pending, INFLATE_STEP_BYTES)
            except zlib.error:
                piece = _before_damage(before, pending)
                if piece:
                    yield piece
                raise RemoteProtocolError("the compressed body is damaged") from None
            if piece:
                yield piece
            pending = self._decompress.unconsumed_tail
        if pending or self._decompress.unused_data:
            raise RemoteProtocolError("more bytes follow the end of a compressed body")

    def _detect_wrapping(self, data: bytes) -> bytes:
        """`data`, once its first two bytes are there and show how it is wrapped; before that, nothing."""
        if len(data) < 2:
            self._head = data
            return b""
        self._head = None
        is_zlib = data[0] & 15 == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0  # RFC 1950, 2.2
        if not is_zlib and data[:2] != b"\x1f\x8b":
            # Some servers send deflate without the zlib wrapping that RFC 9110, 8.4.1.2, requires.
            self._decompress = zlib.decompressobj(_RAW)
        return data

    def end(self) -> None:
        """End the body. Raises `TruncatedError` if the compressed data is incomplete; an empty body is not an error."""
        if self._decompress is not None and not self._decompress.eof and not self._is_empty:
            raise TruncatedError("the compressed body was cut off")


def _before_damage(decompress: zlib._Decompress, data: bytes) -> bytes:
    """The output before the damage. On an error zlib discards it, unless it gets the bytes one by one."""
    pieces: list[bytes] = []
    try:
        pieces.extend(map(decompress.decompress, [data[start : start + 1] for start in range(len(data))]))
    except zlib.error:
        pass
    return b"".join(pieces)
