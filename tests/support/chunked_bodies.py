"""Chunked bodies, valid and invalid, and how h11 decodes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import h11
from hypothesis import strategies as st

from raw_server import chunk


class Read(NamedTuple):
    """The result of decoding a body: its bytes, if it is whole, and if it was refused."""

    body: bytes
    is_whole: bool
    is_refused: bool


def read_by_h11(pieces: Iterable[bytes]) -> Read:
    """Decode a chunked body with h11 alone."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 30)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert isinstance(connection.next_event(), h11.Response)
    body = b""
    for piece in pieces:
        if piece:
            connection.receive_data(piece)
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError:
                return Read(body, False, True)
            if isinstance(event, h11.EndOfMessage):
                return Read(body, True, False)
            if not isinstance(event, h11.Data):
                break
            body += event.data
    return Read(body, False, False)


# Sizes and extensions in every spelling, and strings that resemble them.
DIGITS = [b"A", b"0b1", b"1e1", b"0a", b"0" * 19 + b"A", b"0" * 20 + b"A", b"fffffffff", b"0" * 20, b"0" * 21, b""]
NO_DIGITS = [b"0x5", b"0X5", b"0o7", b"+5", b"-5", b"5_0", b" 5", b"5g", b"\xb2", b"\xd9\xa3"]
SIZES = st.integers(0, 300).map(lambda size: b"%x" % size) | st.sampled_from(DIGITS + NO_DIGITS)
GOOD_EXTENSIONS = [b"", b" ", b"\t ", b";", b";a", b";a=b ", b";a\rb", b";\0", b";\xff"]
EXTENSIONS = st.sampled_from([*GOOD_EXTENSIONS, b" ;a", b";a\nb", b"\r", b"\n", b"x"])
LINE_ENDS = st.sampled_from([b"\r\n"] * 6 + [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b""])
PIECES = st.builds(
    lambda size, extension, header_end, data, data_end: size + extension + header_end + data + data_end,
    SIZES,
    EXTENSIONS,
    LINE_ENDS,
    st.binary(max_size=40) | st.sampled_from([b"\r\n", b"0\r\n\r\n", b"5"]),
    LINE_ENDS,
)
GOOD_ENDS = [b"0\r\n\r\n", b"00;a\r\nX-A: b\r\n\r\n", b"0\r\n\n"]
ENDS = st.sampled_from([*GOOD_ENDS, b"0\r\nbad\r\n\r\n", b"0\r\n", b"0", b"", b"0\n\n"])
BODIES = st.builds(
    lambda good, odd, end: b"".join(map(chunk, good)) + b"".join(odd) + end,
    st.lists(st.binary(min_size=1, max_size=40), max_size=4),
    st.lists(PIECES, max_size=2),
    ENDS,
)
