"""The chunked transfer coding, read fast: h11's rules for every byte, without an event for every chunk.

A stream of small events arrives as a great many small chunks. h11 makes an object of each; here one call takes all
chunks that a read brought and gives their bytes in one piece. What is checked is what h11 checks (0.16): a size of 1
to 20 hexadecimal digits, extensions that begin with a semicolon, CRLF after the header, and CRLF, exactly, after the
data. The last chunk and the trailers are left to h11 itself.

The CRLF that ends a chunk is taken for the beginning of the next one's header: one look at a header then sees all that
is to be seen between the data of two chunks.

Small chunks are taken many at a time: split at every CRLF, a run of them gives headers and data by turns, until one
holds a CRLF in its data, and one comparison of all sizes with all lengths proves the lot. Anything else is read chunk
by chunk: the search for two bytes costs more than that where chunks are longer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import compress
from operator import ne

from modelwire.errors import RemoteProtocolError

# RFC 9112, 7.1. As h11 has it: a limit on the digits, anything but a line feed in an extension, blanks at the end.
_HEADER = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;.*)?[ \t]*")
# Bytes of a header and the line ends around it. It is a number; but an extension may be endless, and would be kept.
LONGEST_HEADER = 1024
# Bytes: of the data of a small chunk, and of the runs that are taken of such.
SMALL = 128
SHORTEST_RUN, LONGEST_RUN = 256, 8192


class ChunkedReader:
    """Takes the bytes of a chunked body up to its last chunk.

    `failure` says what was wrong with them, once something was: what came before that is given out nevertheless.
    """

    def __init__(self) -> None:
        self.failure: RemoteProtocolError | None = None
        self._remaining = 0  # bytes of data of the chunk under way
        self._pending = b"\r\n"  # the beginning of a header; before the first one, it is as if a chunk had ended

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
        position = self._remaining
        if position:
            pieces.append(data[:position])
        elif self._pending:
            data, self._pending = self._pending + data, b""
        end = len(data)
        last_run = end - SHORTEST_RUN
        while position < end:
            line_end = data.find(b"\r\n", position + 2, position + LONGEST_HEADER)
            if line_end < 0:
                self._keep_header(data[position:])
                break
            size = _size(data[position:line_end])
            if size < SMALL:
                if size == 0:
                    return data[position + 2 :]
                if position <= last_run:
                    taken = _take_run(data[position : position + LONGEST_RUN], pieces)
                    if taken:
                        position += taken
                        continue
                    last_run = -1
            start = line_end + 2
            position = start + size
            pieces.append(data[start:position])
        self._remaining = max(0, position - end)
        return None

    def _keep_header(self, data: bytes) -> None:
        if not b"\r\n".startswith(data[:2]):
            raise _misplaced()
        if len(data) >= LONGEST_HEADER:
            raise RemoteProtocolError("the header of a chunk is too long")
        self._pending = data


def _take_run(data: bytes, pieces: list[bytes]) -> int:
    """Take whole chunks from the beginning of `data` until one is odd; returns how far that goes."""
    before, *parts = data.split(b"\r\n")
    if before:
        return 0
    # What follows the last CRLF may go on.
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
    """The size that a header without an extension says; -1 for any other, and for that of the last chunk."""
    match = _HEADER.fullmatch(header)
    return -1 if match is None or b";" in header else int(match[1], 16) or -1


# The same few sizes come again and again, and remembering is faster than reading.
@lru_cache(maxsize=512)
def _size(header: bytes) -> int:
    """The size that a chunk header says, the CRLF before it included."""
    if header[:2] != b"\r\n":
        raise _misplaced()
    match = _HEADER.fullmatch(header, 2)
    if match is None:
        raise RemoteProtocolError("a chunk of the body has no proper header")
    return int(match[1], 16)


def _misplaced() -> RemoteProtocolError:
    return RemoteProtocolError("a chunk of the body does not end where it said")
