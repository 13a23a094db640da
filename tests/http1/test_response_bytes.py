"""`ResponseBytes`: h11 reads the same from merged chunks, and no byte after a response goes unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """The response as h11 reads it: all events but data, the data, the bytes after it, and if h11 refused it."""

    events: list[str]
    body: bytes
    surplus: bytes
    is_refused: bool


class Conversation:
    """One connection as httpcore uses it, with or without the merging beneath."""

    def __init__(self, *, merges: bool, method: str = "GET") -> None:
        self._method = method
        self._h11 = h11.Connection(h11.CLIENT)
        self._merger = ResponseBytes()
        self._merges = merges
        self.events = 0

    def read(self, pieces: Iterable[bytes]) -> Response:
        """Send a request, and read its response."""
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

    def begin_next(self) -> None:
        """Prepare for another request."""
        self._h11.start_next_cycle()

    @property
    def must_not_reuse(self) -> bool:
        return self._merger.must_not_reuse

    @property
    def is_done(self) -> bool:
        """True if h11 would reuse the connection."""
        return self._h11.our_state is self._h11.their_state is h11.DONE


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
        merging.begin_next()
        plain.begin_next()


def test_many_chunks_are_one() -> None:
    conversation = Conversation(merges=True)
    response = conversation.read([HEAD + chunk(b"word ") * 1000, chunk(b"word ") * 1000 + chunk(b"")])
    assert response.body == b"word " * 2000
    # The head, two pieces, the end.
    assert conversation.events == 4


@pytest.mark.parametrize(
    ("part", "rest"), [(b"5", b"\r\nhello\r\n"), (b"5\r", b"\nhello\r\n"), (b"5;a", b"=b\r\nhello\r\n")]
)
def test_the_beginning_of_a_chunk_header_is_held_back(part: bytes, rest: bytes) -> None:
    merger = ResponseBytes()
    merger.begin(b"GET / HTTP/1.1\r\n\r\n")
    assert merger.feed(HEAD + chunk(b"a")) == HEAD + chunk(b"a")
    assert merger.feed(part) == b""
    assert merger.feed(rest) == chunk(b"hello")


def test_a_head_without_end_is_not_stored() -> None:
    merger = ResponseBytes()
    merger.begin(b"GET / HTTP/1.1\r\n\r\n")
    for _ in range(300):
        assert merger.feed(b"x" * 1024) == b"x" * 1024
    assert merger.feed(b"\r\n" + HEAD + b"5\r\nhe") == b"\r\n" + HEAD + b"5\r\nhe"


def test_bytes_before_a_request_go_through() -> None:
    assert ResponseBytes().feed(HEAD + b"5\r\nhe") == HEAD + b"5\r\nhe"


def test_bytes_after_a_response_to_head_go_through() -> None:
    pieces = [HEAD + b"5"]
    merged = Conversation(merges=True, method="HEAD").read(pieces)
    assert merged == Conversation(merges=False, method="HEAD").read(pieces)
    assert merged.surplus == b"5"


# Connections that must not be reused.

CHUNKS = HEAD + chunk(b"hello") + chunk(b"wor")
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
WHOLE = {
    "length": ("GET", LENGTH + b"hello"),
    "no length": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "chunks": ("GET", CHUNKS + b"0\r\n\r\n"),
    "bare line ends": ("GET", b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + chunk(b"hello") + b"0\r\n\r\n"),
    "trailers": ("GET", CHUNKS + b"0;a=b\r\nX-A: b\r\nX-B: c\r\n\r\n"),
    "interim": ("GET", b"".join(INTERIM) + LENGTH + b"hello"),
    "HEAD": ("HEAD", LENGTH),
    "HEAD, chunked": ("HEAD", HEAD),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "204, length": ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
}
SURPLUS = [b"\n", b"surplus", LENGTH + b"other", chunk(b""), HEAD]
DOUBTFUL = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"hello") + chunk(b""),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\ncontent-length:5\r\n\r\n" + chunk(b"hello") + chunk(b""),
    # Framings that only h11 understands: bytes after them would not be noticed.
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n" + chunk(b"hello") + chunk(b""),
]
AT_WHOLE = pytest.mark.parametrize(("method", "whole"), WHOLE.values(), ids=WHOLE)


def all_in_two(stream: bytes) -> Iterator[list[bytes]]:
    """Every way to cut a stream into two pieces, and byte by byte."""
    yield bytewise(stream)
    for cut in range(len(stream)):
        yield [stream[:cut], stream[cut:]]


@AT_WHOLE
def test_a_connection_may_be_reused_after_a_whole_response(method: str, whole: bytes) -> None:
    for pieces in all_in_two(whole):
        conversation = Conversation(merges=True, method=method)
        assert conversation.read(pieces).surplus == b""
        assert conversation.is_done
        assert not conversation.must_not_reuse


@AT_WHOLE
@pytest.mark.parametrize("surplus", SURPLUS)
def test_a_connection_with_bytes_after_a_response_must_not_be_reused(method: str, whole: bytes, surplus: bytes) -> None:
    for pieces in all_in_two(whole + surplus):
        conversation = Conversation(merges=True, method=method)
        assert conversation.read(pieces).surplus == surplus
        assert conversation.must_not_reuse


@pytest.mark.parametrize("doubtful", DOUBTFUL)
def test_a_connection_with_a_doubtful_framing_must_not_be_reused(doubtful: bytes) -> None:
    for pieces in all_in_two(doubtful):
        conversation = Conversation(merges=True)
        assert conversation.read(pieces).body == b"hello"
        assert conversation.must_not_reuse


def test_a_connection_that_ends_with_its_body_must_not_be_reused() -> None:
    conversation = Conversation(merges=True)
    assert conversation.read([b"HTTP/1.1 200 OK\r\n\r\nhello"]).body == b"hello"
    assert conversation.must_not_reuse


def test_a_request_to_head_may_have_a_body() -> None:
    merger = ResponseBytes()
    merger.begin(b"HEAD / HTTP/1.1\r\nContent-Length: 2\r\n\r\n")
    merger.begin(b"ok")
    assert merger.feed(LENGTH) == LENGTH
    before = merger.must_not_reuse
    assert merger.feed(b"hello") == b"hello"
    assert (before, merger.must_not_reuse) == (False, True)
    # After a response, another request begins.
    merger.begin(b"GET / HTTP/1.1\r\n\r\n")
    assert merger.feed(CHUNKS) == HEAD + chunk(b"hellowor")


@given(
    st.lists(st.sampled_from([*WHOLE.values()]), min_size=1, max_size=4), st.sampled_from([b"", *SURPLUS]), st.data()
)
def test_every_surplus_that_h11_finds_is_noticed(
    responses: list[tuple[str, bytes]], surplus: bytes, draw: st.DataObject
) -> None:
    method = responses[0][0]
    merging, plain = Conversation(merges=True, method=method), Conversation(merges=False, method=method)
    wholes = [whole for each, whole in responses if each == method]
    for number, whole in enumerate(wholes, start=1):
        is_last = number == len(wholes)
        pieces = draw.draw(cuts(whole + surplus if is_last else whole))
        found = plain.read(pieces)
        assert merging.read(pieces) == found
        assert merging.must_not_reuse == bool(found.surplus) == (is_last and bool(surplus))
        if not found.surplus:
            merging.begin_next()
            plain.begin_next()


@given(st.sampled_from(HEADS), BODIES, st.binary(max_size=9), st.data())
@settings(max_examples=max(400, settings().max_examples))
def test_no_surplus_goes_unnoticed(head: bytes, body: bytes, surplus: bytes, draw: st.DataObject) -> None:
    pieces = draw.draw(cuts(head + body + surplus))
    plain, merging = Conversation(merges=False), Conversation(merges=True)
    found = plain.read(pieces)
    merging.read(pieces)
    if plain.is_done and found.surplus:
        assert merging.must_not_reuse
