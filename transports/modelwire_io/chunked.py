"""The chunked transfer coding, read fast: h11's rules for every byte, without an event for every chunk.

A stream of small events arrives as a great many small chunks. h11 makes an object of each; here one call takes all
chunks that a read brought and gives their bytes in one piece. What is checked is what h11 checks (0.16): a size of 1
to 20 hexadecimal digits, extensions that begin with a semicolon, CRLF after the header, and CRLF, exactly, after the
data. The last chunk and the trailers are left to h11 itself.

Tiny chunks, a few letters each, are taken many at a time: split at every CRLF, a run of them gives headers and data by
turns, unless one holds a CRLF in its data, and one comparison of all sizes with all lengths proves the lot. Anything
else is read chunk by chunk: the search for two bytes costs more than that where chunks are longer.
"""

from __future__ import annotations

import re
from functools import lru_cache

from modelwire.errors import RemoteProtocolError

# RFC 9112, 7.1. As h11 has it: a limit on the digits, anything but a line feed in an extension, blanks at the end.
_HEADER = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;.*)?[ \t]*")
# Bytes of a chunk's header with its line end. It is a number; an extension may be endless, and would be kept.
LONGEST_HEADER = 1024
# Bytes: of the data of a tiny chunk, and of the runs that are taken of such.
TINY = 64
SHORTEST_RUN, LONGEST_RUN = 512, 8192


class ChunkedReader:
    """Takes the bytes of a chunked body up to its last chunk.

    `failure` says what was wrong with them, once something was: what came before that is given out nevertheless.
    """

    def __init__(self) -> None:
        self.failure: RemoteProtocolError | None = None
        self._remaining = 0  # bytes of the chunk under way, with the CRLF that ends it
        self._pending = b""  # the beginning of a chunk header

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The body's bytes in `data`, and, once the last chunk begins, everything from its header on."""
        pieces: list[bytes] = []
        rest: bytes | None = None
        try:
            rest = self._read(data, pieces)
        except RemoteProtocolError as error:
            self.failure = error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), rest

    def _read(self, data: bytes, pieces: list[bytes]) -> bytes | None:
        position = 0
        if self._remaining:
            position = self._go_on(data, pieces)
        elif self._pending:
            data, self._pending = self._pending + data, b""
        end = len(data)
        last_run = end - SHORTEST_RUN
        while position < end:
            line_end = data.find(b"\r\n", position, position + LONGEST_HEADER)
            if line_end < 0:
                self._keep_header(data[position:])
                break
            size = _size(data[position:line_end])
            if size == 0:
                return data[position:]
            if size < TINY and position <= last_run:
                taken = self._take_run(data[position : position + LONGEST_RUN], pieces)
                position += taken
                if taken:
                    continue
                last_run = -1
            start = line_end + 2
            stop = start + size
            if stop + 2 > end:
                self._remaining = size + 2
                self._go_on(data[start:], pieces)
                break
            pieces.append(data[start:stop])
            position = stop + 2
            if data[stop:position] != b"\r\n":
                raise RemoteProtocolError("a chunk of the body does not end where it said")
        return None

    def _take_run(self, data: bytes, pieces: list[bytes]) -> int:
        """Take all whole chunks at the beginning of `data` if none of them is odd, else none; returns how far."""
        parts = data.split(b"\r\n")
        count = (len(parts) - 1) // 2 * 2
        headers, body = parts[0:count:2], parts[1:count:2]
        if list(map(_size_in_run, headers)) != list(map(len, body)):
            return 0
        pieces += body
        return sum(map(len, headers)) + sum(map(len, body)) + 2 * count

    def _go_on(self, data: bytes, pieces: list[bytes]) -> int:
        """Take what there is of the chunk under way; returns how far that goes."""
        body = self._remaining - 2
        if body > 0:
            pieces.append(data[:body])
        taken = min(len(data), self._remaining)
        # Of the CRLF, what is there must be right at once: nothing else may follow the data.
        footer = data[max(0, body) : taken]
        begun = max(0, -body)
        if footer and footer != b"\r\n"[begun : begun + len(footer)]:
            raise RemoteProtocolError("a chunk of the body does not end where it said")
        self._remaining -= taken
        return taken

    def _keep_header(self, data: bytes) -> None:
        self._pending = data
        if len(data) >= LONGEST_HEADER:
            raise RemoteProtocolError("the header of a chunk is too long")


@lru_cache(maxsize=512)
def _size_in_run(header: bytes) -> int:
    """The size that a header without an extension says; -1 for any other, and for that of the last chunk."""
    match = _HEADER.fullmatch(header)
    return -1 if match is None or b";" in header else int(match[1], 16) or -1


# The same few sizes come again and again, and remembering is faster than reading.
@lru_cache(maxsize=512)
def _size(header: bytes) -> int:
    """The size that a chunk header says."""
    match = _HEADER.fullmatch(header)
    if match is None:
        raise RemoteProtocolError("a chunk of the body has no proper header")
    return int(match[1], 16)
