"""Chunks that are made into one: h11 reads the same from them as from those that came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunked_bodies import BODIES
from modelwire_io.http1.response_bytes import ResponseBytes
from played_flow import bytewise, cuts
from raw_server import chunk

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEADS = [
    HEAD,
    b"HTTP/1.1 200 OK\ntransfer-encoding:\t CHUNKED \n\n",
    b"HTTP/1.1 503 Busy\r\nA: b\r\nTransfer-Encoding:chunked\r\nC: d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n Transfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"no HTTP\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\r\n" + HEAD,
]
INTERIM = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n"]


class Response(NamedTuple):
    """What h11 has read: events, but for the data, and that; what is left over; whether it was refused."""

    events: list[str]
    body: bytes
    surplus: bytes
    is_refused: bool


class Conversation:
    """What httpcore does with one connection, with or without the merging beneath."""

    def __init__(self, *, merges: bool, method: str = "GET") -> None:
        self._method = method
        self._h11 = h11.Connection(h11.CLIENT)
        self._merger = ResponseBytes()
        self._merges = merges
        self.events = 0

    def read(self, pieces: Iterable[bytes]) -> Response:
        """Ask, and read the response."""
        request = self._h11.send(h11.Request(method=self._method, target="/", headers=[("Host", "a")]))
        self._merger.begin(request or b"")
        self._h11.send(h11.EndOfMessage())
        events: list[str] = []
        body = b""
        try:
            for piece in [*filter(None, pieces), None]:
                data = b"" if piece is None else self._merger.feed(piece) if self._merges else piece
                if data or (piece is None and self._h11.their_state is not h11.DONE):
                    self._h11.receive_data(data)
                while not isinstance(event := self._h11.next_event(), type):
                    self.events += 1
                    if isinstance(event, h11.Data):
                        body += event.data
                    else:
                        events.append(repr(event))
                    if isinstance(event, h11.EndOfMessage):
                        break
        except h11.RemoteProtocolError:
            return Response(events, body, b"", True)
        return Response(events, body, self._h11.trailing_data[0], False)

    def go_on(self) -> None:
        """Another request."""
        self._h11.start_next_cycle()


def assert_same(pieces: list[bytes]) -> None:
    assert Conversation(merges=True).read(pieces) == Conversation(merges=False).read(pieces)


@given(st.lists(st.sampled_from(INTERIM), max_size=2), st.sampled_from([HEAD, HEAD, *HEADS]), BODIES, st.data())
@settings(max_examples=max(400, settings().max_examples))
def test_the_same_is_read(interim: list[bytes], head: bytes, body: bytes, draw: st.DataObject) -> None:
    stream = b"".join(interim) + head + body
    assert_same(draw.draw(cuts(stream)))
    assert_same([stream])
    assert_same(bytewise(stream))


@given(st.lists(st.lists(st.binary(min_size=1, max_size=9), max_size=5), min_size=2, max_size=4), st.data())
def test_responses_one_after_the_other(bodies: list[list[bytes]], draw: st.DataObject) -> None:
    merging, plain = Conversation(merges=True), Conversation(merges=False)
    for body in bodies:
        pieces = draw.draw(cuts(HEAD + b"".join(map(chunk, body)) + chunk(b"")))
        assert merging.read(pieces) == plain.read(pieces)
        merging.go_on()
        plain.go_on()


def test_many_chunks_are_one() -> None:
    conversation = Conversation(merges=True)
    response = conversation.read([HEAD + chunk(b"word ") * 1000, chunk(b"word ") * 1000 + chunk(b"")])
    assert response.body == b"word " * 2000
    # The head, two pieces, the end.
    assert conversation.events == 4


@pytest.mark.parametrize(
    ("part", "rest"), [(b"5", b"\r\nhello\r\n"), (b"5\r", b"\nhello\r\n"), (b"5;a", b"=b\r\nhello\r\n")]
)
def test_the_beginning_of_a_chunk_is_kept(part: bytes, rest: bytes) -> None:
    merger = ResponseBytes()
    merger.begin(b"GET / HTTP/1.1\r\n\r\n")
    assert merger.feed(HEAD + chunk(b"a")) == HEAD + chunk(b"a")
    assert merger.feed(part) == b""
    assert merger.feed(rest) == chunk(b"hello")


def test_a_head_without_end_is_not_kept() -> None:
    merger = ResponseBytes()
    merger.begin(b"GET / HTTP/1.1\r\n\r\n")
    for _ in range(300):
        assert merger.feed(b"x" * 1024) == b"x" * 1024
    assert merger.feed(b"\r\n" + HEAD + b"5\r\nhe") == b"\r\n" + HEAD + b"5\r\nhe"


def test_what_nobody_asked_for_goes_through() -> None:
    assert ResponseBytes().feed(HEAD + b"5\r\nhe") == HEAD + b"5\r\nhe"


def test_nothing_is_kept_of_what_follows_an_answer_to_head() -> None:
    pieces = [HEAD + b"5"]
    merged = Conversation(merges=True, method="HEAD").read(pieces)
    assert merged == Conversation(merges=False, method="HEAD").read(pieces)
    assert merged.surplus == b"5"
