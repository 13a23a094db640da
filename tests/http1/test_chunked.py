"""The chunked transfer coding: the same results as h11, byte for byte."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunked_bodies import BODIES, NO_DIGITS, Read, read_by_h11
from modelwire_io.http1.chunked import MAX_HEADER_BYTES, SMALL_CHUNK_BYTES, ChunkedReader
from played_flow import bytewise, cuts, two_part_cuts
from raw_server import chunk


def read_by_ours(pieces: Iterable[bytes]) -> Read:
    """Read with `ChunkedReader` up to the last chunk, then with h11, as `Http11Connection` does."""
    reader = ChunkedReader()
    body = b""
    left = iter(pieces)
    for piece in left:
        data, rest = reader.feed(piece)
        body += data
        if reader.failure is not None:
            return Read(body, False, True)
        if rest is not None:
            end = read_by_h11([rest, *left])
            assert end.body == b""
            return Read(body, end.is_whole, end.is_refused)
    return Read(body, False, False)


def assert_same(pieces: list[bytes]) -> None:
    assert read_by_ours(pieces) == read_by_h11(pieces)


@given(BODIES, st.data())
@settings(max_examples=max(600, settings().max_examples))
def test_accepts_and_refuses_the_same_as_h11(body: bytes, draw: st.DataObject) -> None:
    assert_same(draw.draw(cuts(body)))
    assert_same([body])


SMALL_DATA = st.binary(min_size=1, max_size=SMALL_CHUNK_BYTES + 2) | st.sampled_from([b"\r\n", b"a\r\n1\r\nb"])


@given(st.lists(SMALL_DATA, min_size=1, max_size=4), BODIES, st.data())
def test_many_small_chunks(small: list[bytes], body: bytes, draw: st.DataObject) -> None:
    long = b"".join(map(chunk, small)) * draw.draw(st.integers(20, 150)) + body
    assert_same(draw.draw(cuts(long)))
    assert_same([long])


CHANGES = st.sampled_from([b"", b"\r", b"\n", b"0", b"f", b";", b" ", b"\0", b"-", b"\r\n"])


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=5), st.data())
@settings(max_examples=max(400, settings().max_examples))
def test_a_corrupted_body_gives_the_same_as_h11(data: list[bytes], draw: st.DataObject) -> None:
    body = bytearray(b"".join(map(chunk, data)) + chunk(b""))
    for _ in range(draw.draw(st.integers(1, 3))):
        place = draw.draw(st.integers(0, len(body) - 1))
        body[place : place + 1] = draw.draw(CHANGES)
    assert_same(draw.draw(cuts(bytes(body))))


@pytest.mark.parametrize("header", [*NO_DIGITS, b"", b"5 ;a", b"0" * 20 + b"5", b"5\0"])
def test_refuses_a_size_that_only_python_accepts_as_a_number(header: bytes) -> None:
    assert_same([header + b"\r\nabcde\r\n0\r\n\r\n"])
    reader = ChunkedReader()
    assert reader.feed(chunk(b"before") + header + b"\r\nabcde\r\n") == (b"before", None)
    assert str(reader.failure) == "a chunk of the body has a malformed header"


@pytest.mark.parametrize("header", [b"5", b"05", b"0" * 19 + b"5", b"5;a", b"5 ", b"5;a\rb", b"5;\0", b"5;a \t"])
def test_accepts_any_spelling_of_a_size(header: bytes) -> None:
    body = header + b"\r\nabcde\r\n" + chunk(b"")
    for pieces in ([body], bytewise(body), *two_part_cuts(body)):
        assert read_by_ours(pieces) == read_by_h11(pieces) == Read(b"abcde", True, False)


def test_returns_all_chunks_of_a_read_in_one_piece() -> None:
    assert ChunkedReader().feed(chunk(b"one ") + chunk(b"two ") + b"5\r\nth") == (b"one two th", None)


def test_returns_the_last_chunk_and_all_that_follows_unread() -> None:
    assert ChunkedReader().feed(chunk(b"one") + b"0;a\r\nX: y\r\n\r\n") == (b"one", b"0;a\r\nX: y\r\n\r\n")


def test_refuses_a_footer_at_its_first_wrong_byte() -> None:
    for end in (b"x", b"\n", b"\rx", b"\r\r"):
        for pieces in ([b"3\r\nabc" + end], [b"3\r\nabc", end], bytewise(b"3\r\nabc" + end)):
            assert read_by_ours(pieces).is_refused
            assert_same(list(pieces))


def test_the_limit_on_headers_is_exact_however_they_are_cut() -> None:
    longest = b"3;" + b"x" * (MAX_HEADER_BYTES - 6)
    for header, is_refused in ((longest, False), (longest + b"x", True)):
        body = header + b"\r\nabc\r\n" + chunk(b"")
        for pieces in ([body], bytewise(body), [body[:-12], body[-12:]]):
            assert read_by_ours(pieces).is_refused is is_refused


def test_holds_no_more_than_a_header_in_memory() -> None:
    reader = ChunkedReader()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for piece in bytewise(b"fffffff\r\n"):
            reader.feed(piece)
        data = bytes(1 << 20)
        for _ in range(64):
            reader.feed(data)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held - before - len(data) < 64 * 1024


@pytest.mark.parametrize(
    ("make", "cut"),
    [
        pytest.param(lambda size: chunk(b"x") * size, False, id="small chunks"),
        pytest.param(lambda size: chunk(b"x" * size * 6), True, id="small pieces"),
        pytest.param(lambda size: chunk(b"x") * size, True, id="small pieces of small chunks"),
        pytest.param(lambda size: (b"1;" + b"a" * 500 + b"\r\nx\r\n") * (size // 80), True, id="long headers"),
    ],
)
def test_time_grows_linearly_with_the_body(make: Callable[[int], bytes], cut: bool) -> None:
    def seconds(size: int) -> float:
        body = make(size)
        pieces = bytewise(body) if cut else [body]
        began = time.process_time()
        reader = ChunkedReader()
        for piece in pieces:
            reader.feed(piece)
        return time.process_time() - began

    small, large = min(seconds(4_000) for _ in range(3)), min(seconds(32_000) for _ in range(3))
    assert large < 3 * 8 * small, (small, large)
