"""Content codings: any chunks, bounded steps, and every kind of damage."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import RemoteProtocolError, TruncatedError
from modelwire.formats.inflate import INFLATE_STEP_BYTES, Inflater
from played_flow import bytewise, cuts, two_part_cuts


def raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "in capitals": (" GZIP ", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its wrapping": ("deflate", raw),
    "deflate that is gzip": ("deflate", gzip.compress),
}
TEXT = "Grüße, 世界! ".encode() * 20


def inflate(coding: str | None, chunks: Iterable[bytes]) -> bytes:
    inflater = Inflater(coding)
    pieces = [piece for chunk in chunks for piece in inflater.feed(chunk)]
    inflater.end()
    assert b"" not in pieces
    assert max(map(len, pieces), default=0) <= INFLATE_STEP_BYTES or coding in (None, "", "identity")
    return b"".join(pieces)


@pytest.fixture(params=CODINGS.values(), ids=list(CODINGS))
def coding(request: pytest.FixtureRequest) -> tuple[str, Callable[[bytes], bytes]]:
    found: tuple[str, Callable[[bytes], bytes]] = request.param
    return found


def test_any_chunks_give_the_same(coding: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, compress = coding
    body = compress(TEXT)
    for chunks in ([body], bytewise(body), *two_part_cuts(body), [b"", body, b""]):
        assert inflate(name, chunks) == TEXT


@given(st.binary(max_size=300), st.data())
def test_any_bytes_in_any_chunks(data: bytes, draw: st.DataObject) -> None:
    for name, compress in CODINGS.values():
        assert inflate(name, draw.draw(cuts(compress(data)))) == data


@given(st.sampled_from(sorted(CODINGS)), st.integers(0, 200), st.binary(min_size=1, max_size=3), st.data())
def test_the_data_before_the_damage_does_not_depend_on_the_chunks(
    coding: str, place: int, damage: bytes, draw: st.DataObject
) -> None:
    name, compress = CODINGS[coding]
    body = compress(bytes(range(256)))
    body = body[:place] + damage + body[place:]
    whole = inflate_damaged(name, [body])
    assert inflate_damaged(name, draw.draw(cuts(body))) == inflate_damaged(name, bytewise(body)) == whole


def test_the_data_before_the_damage_is_returned() -> None:
    body = gzip.compress(TEXT)
    assert inflate_damaged("gzip", [body[:-8] + b"another sum"]) == (TEXT, "the compressed body is damaged")


def inflate_damaged(coding: str, chunks: Iterable[bytes]) -> tuple[bytes, str]:
    """The decoded part of a body, and the error message, or an empty string."""
    inflater = Inflater(coding)
    body = b""
    try:
        for chunk in chunks:
            for piece in inflater.feed(chunk):
                assert 0 < len(piece) <= INFLATE_STEP_BYTES
                body += piece
        inflater.end()
    except (RemoteProtocolError, TruncatedError) as error:
        return body, str(error)
    return body, ""


@pytest.mark.parametrize("name", [None, "", "identity", " Identity "])
def test_no_coding(name: str | None) -> None:
    inflater = Inflater(name)
    assert list(inflater.feed(b"abc")) == [b"abc"]
    assert list(inflater.feed(b"")) == []
    inflater.end()


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "identity, gzip", "x"])
def test_an_unsupported_coding(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match="content coding"):
        Inflater(name)


def test_a_bomb_comes_in_bounded_steps(coding: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, compress = coding
    assert INFLATE_STEP_BYTES == 64 * 1024
    sizes = [len(piece) for piece in Inflater(name).feed(compress(bytes(50 * INFLATE_STEP_BYTES)))]
    assert sum(sizes) == 50 * INFLATE_STEP_BYTES
    assert max(sizes) == INFLATE_STEP_BYTES


def test_a_bomb_is_inflated_no_further_than_it_is_read() -> None:
    pieces = Inflater("gzip").feed(gzip.compress(bytes(1 << 26)))
    assert len(next(pieces)) == INFLATE_STEP_BYTES
    pieces.close()  # type: ignore[attr-defined]


# Bytes: around the end of a step, and the longest match of deflate (258) behind it.
STEP = INFLATE_STEP_BYTES
SIZES = [*range(STEP - 3, STEP + 3), STEP + 257, STEP + 258, 2 * STEP, 3 * STEP + 1]


@pytest.mark.parametrize("size", SIZES)
def test_no_output_is_lost_at_the_end_of_a_step(coding: tuple[str, Callable[[bytes], bytes]], size: int) -> None:
    # The last bits of the input may expand to more bytes than fit into the step.
    name, compress = coding
    body = compress(bytes(size))
    assert len(inflate(name, [body])) == len(inflate(name, bytewise(body))) == size


def test_a_body_that_is_cut_off(coding: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, compress = coding
    body = compress(TEXT)
    for length in range(1, len(body)):
        with pytest.raises(TruncatedError):
            inflate(name, [body[:length]])


def test_an_empty_body_is_complete_with_any_coding(coding: tuple[str, Callable[[bytes], bytes]]) -> None:
    # Some servers send Content-Encoding with a response that has no body.
    assert inflate(coding[0], []) == inflate(coding[0], [b""]) == b""


def test_bytes_after_the_end(coding: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, compress = coding
    body = compress(TEXT) + b"x"
    for chunks in ([body], bytewise(body)):
        with pytest.raises(RemoteProtocolError, match="more bytes"):
            inflate(name, chunks)


def test_the_data_before_the_extra_bytes_is_returned() -> None:
    pieces = Inflater("gzip").feed(gzip.compress(b"abc") + b"x")
    assert next(pieces) == b"abc"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("gzip", b"plain text, not compressed"),
        ("gzip", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT, mtime=0)[:-8] + b"\0" * 8),
        ("deflate", b"\x78\x9c" + b"\xff" * 10),
        ("deflate", zlib.compress(TEXT)[:-4] + b"\0" * 4),
        ("deflate", b"plain text, not compressed"),
    ],
)
def test_a_damaged_body(name: str, body: bytes) -> None:
    for chunks in ([body], bytewise(body)):
        with pytest.raises(RemoteProtocolError, match="damaged"):
            inflate(name, chunks)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate"]), st.data())
def test_any_bytes_are_inflated_or_refused_whatever_the_chunks(body: bytes, name: str, data: st.DataObject) -> None:
    outcomes = []
    for chunks in ([body], bytewise(body), data.draw(cuts(body))):
        try:
            outcomes.append(("ok", inflate(name, chunks)))
        except (RemoteProtocolError, TruncatedError) as error:
            outcomes.append((error.kind, str(error).encode()))
    assert len(set(outcomes)) == 1
