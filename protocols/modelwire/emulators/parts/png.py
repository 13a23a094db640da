"""PNG images of waves and discs, generated from a prompt and a seed.

For speed no pixel is handled on its own. An image is rows of indices into a cyclic palette, so one `bytes.translate`
shifts the colours of a whole row, or of the part of a row that a disc covers.
https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator

# Pixels: default width and height.
SIZE = 256
# Discs in an image.
DISCS = 7

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# All palette indices, twice: any 256 neighbours are a translation table.
_INDICES = bytes(range(256)) * 2
_TAU = 2 * math.pi


def draw(prompt: str, seed: int, width: int = SIZE, height: int = SIZE) -> bytes:
    """The image for a prompt and a seed, `width` by `height` pixels, as PNG."""
    numbers = _random_numbers(prompt, seed)
    rows = list(_waves(numbers, width, height))
    for _ in range(DISCS):
        _add_disc(rows, numbers, width, height)
    pixels = b"".join(b"\0" + row for row in rows)  # filter type 0 (none) before each row
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # bit depth 8, colour type 3 (palette)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", _palette(numbers)),
            _chunk(b"IDAT", zlib.compress(pixels)),
            _chunk(b"IEND", b""),
        )
    )


def _random_numbers(prompt: str, seed: int) -> Iterator[float]:
    """Endless numbers in [0, 1), determined by prompt and seed."""
    count = 0
    while True:
        digest = hashlib.sha256(b"%d %d %s" % (count, seed, prompt.encode("utf-8", "replace"))).digest()
        yield from (word / 2**32 for word in struct.unpack(">8I", digest))
        count += 1


def _palette(numbers: Iterator[float]) -> bytes:
    """256 colours in a cycle: red, green and blue are cosines with similar phases."""
    hue = next(numbers)
    phases = [hue + 0.45 * next(numbers) for _ in range(3)]
    return bytes(int(145 + 100 * math.cos(_TAU * (index / 256 + phase))) for index in range(256) for phase in phases)


def _waves(numbers: Iterator[float], width: int, height: int) -> Iterator[bytes]:
    """Rows of indices. All repeat one wave; from row to row two other waves shift it sideways and in colour."""
    horizontal, colours, sideways = (
        _wave(numbers, width, 70),
        _wave(numbers, height, 90),
        _wave(numbers, height, width / 6),
    )
    row = bytes(value % 256 for value in horizontal) * 2
    for shift, offset in zip(colours, sideways, strict=True):
        start = offset % width
        yield row[start : start + width].translate(_shift_table(shift))


def _wave(numbers: Iterator[float], length: int, height: float) -> list[int]:
    """The sum of two sines, periodic over `length`: whole numbers."""
    slow, fast = 1 + int(2 * next(numbers)), 2 + int(4 * next(numbers))
    first, second = _TAU * next(numbers), _TAU * next(numbers)
    angles = (_TAU * step / length for step in range(length))
    return [int(height * (math.sin(slow * x + first) + 0.4 * math.sin(fast * x + second))) for x in angles]


def _add_disc(rows: list[bytes], numbers: Iterator[float], width: int, height: int) -> None:
    """Shift the colours inside a disc, so that the waves stay visible."""
    x, y, radius = next(numbers) * width, next(numbers) * height, (0.05 + 0.2 * next(numbers)) * min(width, height)
    table = _shift_table(40 + int(176 * next(numbers)))
    for row in range(max(0, math.ceil(y - radius)), min(height, math.floor(y + radius) + 1)):
        half_width = math.sqrt(radius**2 - (row - y) ** 2)
        left, right = max(0, round(x - half_width)), min(width, round(x + half_width))
        pixels = rows[row]
        rows[row] = pixels[:left] + pixels[left:right].translate(table) + pixels[right:]


def _shift_table(shift: int) -> bytes:
    """A translation table that adds `shift` to an index, modulo 256."""
    return _INDICES[shift % 256 : shift % 256 + 256]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
