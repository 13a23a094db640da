"""A fast reader of the chunked transfer coding: as strict as h11, without an event for every chunk.

A stream of small events arrives as very many small chunks. h11 creates an object for each; this reader takes all chunks
of one read in one call and returns their bytes in one piece. It checks the same as h11 (0.16): a size of 1 to 20
hexadecimal digits, extensions that begin with a semicolon, CRLF after the header, and exactly CRLF after the data. The
last chunk and the trailers are left to h11 itself.

The CRLF that ends a chunk is treated as the beginning of the next chunk's header, so that everything between the data
of two chunks is checked in one step.

Small chunks are read in runs: split at every CRLF, a run gives headers and data alternately, up to the first chunk with
a CRLF in its data, and one comparison of all sizes with all lengths checks them all. Everything else is read chunk by
chunk, because for longer chunks the split costs more than that.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import compress
from operator import ne

from modelwire.errors import RemoteProtocolError

# RFC 9112, 7.1. As in h11: at most 20 digits, anything but a line feed in an extension, blanks at the end.
_HEADER = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;.*)?[ \t]*")
# Bytes: longest header, with the line ends around it. An extension may be endless, and would be held in memory.
MAX_HEADER_BYTES = 1024
# Bytes: a chunk with less data than this may begin a run.
SMALL_CHUNK_BYTES = 128
# Bytes: the least data that is tried as a run, and the most that is taken as one.
MIN_RUN_BYTES, MAX_RUN_BYTES = 256, 8192


class ChunkedReader:
    """Reads a chunked body up to its last chunk.

    `failure` is set once the body turns out to be malformed; `feed` still returns the data before that point.
    """

    def __init__(self) -> None:
        self.failure: RemoteProtocolError | None = None
        self._remaining = 0  # bytes that are missing from the current chunk's data
        self._pending = b"\r\n"  # the beginning of a header; initially, the end of an imaginary chunk

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Return the body's bytes in `data`, and, once the last chunk begins, everything from its header on."""
        pieces: list[bytes] = []
        rest: bytes | None = None
        try:
            rest = self._read(data, pieces)
        except RemoteProtocolError as error:
            self.failure = error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), rest

    def _read(self, data: bytes, pieces: list[bytes]) -> bytes | None:
        position = self._remaining
        if position:
            pieces.append(data[:position])
        elif self._pending:
            data, self._pending = self._pending + data, b""
        end = len(data)
        last_run = end - MIN_RUN_BYTES
        while position < end:
            line_end = data.find(b"\r\n", position + 2, position + MAX_HEADER_BYTES)
            if line_end < 0:
                self._store_header(data[position:])
                break
            size = _size(data[position:line_end])
            if size < SMALL_CHUNK_BYTES:
                if size == 0:
                    return data[position + 2 :]
                if position <= last_run:
                    taken = _take_run(data[position : position + MAX_RUN_BYTES], pieces)
                    if taken:
                        position += taken
                        continue
                    last_run = -1
            start = line_end + 2
            position = start + size
            pieces.append(data[start:position])
        self._remaining = max(0, position - end)
        return None

    def _store_header(self, data: bytes) -> None:
        if not b"\r\n".startswith(data[:2]):
            raise _wrong_length()
        if len(data) >= MAX_HEADER_BYTES:
            raise RemoteProtocolError("the header of a chunk is too long")
        self._pending = data


def _take_run(data: bytes, pieces: list[bytes]) -> int:
    """Read whole chunks from the beginning of `data`, up to an irregular one. Returns how many bytes they take."""
    before, *parts = data.split(b"\r\n")
    if before:
        return 0
    # The last part may be incomplete.
    count = (len(parts) - 1) // 2
    headers, body = parts[0 : 2 * count : 2], parts[1 : 2 * count : 2]
    sizes, lengths = list(map(_size_in_run, headers)), list(map(len, body))
    if sizes != lengths:
        count = next(compress(range(count), map(ne, sizes, lengths)))
        headers, body, lengths = headers[:count], body[:count], lengths[:count]
    pieces += body
    return sum(map(len, headers)) + sum(lengths) + 4 * count


@lru_cache(maxsize=512)
def _size_in_run(header: bytes) -> int:
    """The size in a header without an extension; -1 for any other header, and for that of the last chunk."""
    match = _HEADER.fullmatch(header)
    return -1 if match is None or b";" in header else int(match[1], 16) or -1


# The same few headers occur again and again, and a cache is faster than parsing.
@lru_cache(maxsize=512)
def _size(header: bytes) -> int:
    """The size in a chunk header, which begins with the CRLF of the chunk before."""
    if header[:2] != b"\r\n":
        raise _wrong_length()
    match = _HEADER.fullmatch(header, 2)
    if match is None:
        raise RemoteProtocolError("a chunk of the body has a malformed header")
    return int(match[1], 16)


def _wrong_length() -> RemoteProtocolError:
    return RemoteProtocolError("a chunk of the body does not end where its header says")
