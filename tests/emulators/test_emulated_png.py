from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.emulators.parts.png import draw


def chunks(picture: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG, each with its checksum verified."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", picture[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(kind + data)
        found.append((kind, data))
        at += 12 + length
    return found


@pytest.mark.parametrize(("width", "height"), [(256, 256), (256, 144), (32, 256), (1, 1)])
def test_a_picture_is_a_complete_png(width: int, height: int) -> None:
    (header, fields), (palette, colours), (data, packed), (end, nothing) = chunks(draw("a cat", 1, width, height))
    assert (header, palette, data, end) == (b"IHDR", b"PLTE", b"IDAT", b"IEND")
    assert struct.unpack(">IIBBBBB", fields) == (width, height, 8, 3, 0, 0, 0)
    assert len(colours) == 3 * 256
    assert nothing == b""
    rows = zlib.decompress(packed)
    assert len(rows) == height * (width + 1)
    assert set(rows[:: width + 1]) == {0}


def test_a_picture_is_256_by_256_by_default() -> None:
    assert struct.unpack(">II", chunks(draw("a cat", 1))[0][1][:8]) == (256, 256)


def test_the_same_prompt_and_seed_give_the_same_picture() -> None:
    assert draw("a cat", 1) == draw("a cat", 1)


@pytest.mark.parametrize(("prompt", "seed"), [("a dog", 1), ("a cat", 2), ("", 1), ("a cat", -1), ("a cat", 10**400)])
def test_another_prompt_or_seed_gives_another_picture(prompt: str, seed: int) -> None:
    assert draw(prompt, seed) != draw("a cat", 1)


def test_a_picture_has_many_colours() -> None:
    rows = zlib.decompress(chunks(draw("a cat", 1))[2][1])
    assert len(set(rows)) > 100


@given(st.text(st.characters()), st.integers(), st.integers(1, 64), st.integers(1, 64))
def test_any_prompt_seed_and_size_can_be_drawn(prompt: str, seed: int, width: int, height: int) -> None:
    assert len(chunks(draw(prompt, seed, width, height))) == 4
