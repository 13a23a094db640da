"""A picture to order: flowing colours with discs in them, drawn from a prompt and a seed, as a PNG.

Pixels are never touched one by one. A picture is indices into a palette that runs in a circle, so that adding a number
to all of a row is one `bytes.translate`, and a disc is the same for a part of each row.
https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator

SIZE = 256
DISCS = 7

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDICES = bytes(range(256)) * 2
_TURN = 2 * math.pi


def draw(prompt: str, seed: int, width: int = SIZE, height: int = SIZE) -> bytes:
    """The picture of `prompt` and `seed`, `width` by `height` pixels."""
    genes = _genes(prompt, seed)
    rows = list(_waves(genes, width, height))
    for _ in range(DISCS):
        _add_disc(rows, genes, width, height)
    pixels = b"".join(b"\0" + row for row in rows)  # before each row: the filter, none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # eight bits, indices into a palette
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", _palette(genes)),
            _chunk(b"IDAT", zlib.compress(pixels)),
            _chunk(b"IEND", b""),
        )
    )


def _genes(prompt: str, seed: int) -> Iterator[float]:
    """Numbers in [0, 1), without end, that the picture is made from."""
    count = 0
    while True:
        digest = hashlib.sha256(b"%d %d %s" % (count, seed, prompt.encode("utf-8", "replace"))).digest()
        yield from (number / 2**32 for number in struct.unpack(">8I", digest))
        count += 1


def _palette(genes: Iterator[float]) -> bytes:
    """256 colours in a circle: a cosine for each of red, green and blue, not far from one another."""
    hue = next(genes)
    phases = [hue + 0.45 * next(genes) for _ in range(3)]
    return bytes(int(145 + 100 * math.cos(_TURN * (index / 256 + phase))) for index in range(256) for phase in phases)


def _waves(genes: Iterator[float], width: int, height: int) -> Iterator[bytes]:
    """Rows that are one wave across, shifted sideways and in colour by others as they go down."""
    across, colours, sway = _wave(genes, width, 70), _wave(genes, height, 90), _wave(genes, height, width / 6)
    row = bytes(value % 256 for value in across) * 2
    for shift, side in zip(colours, sway, strict=True):
        start = side % width
        yield row[start : start + width].translate(_added(shift))


def _wave(genes: Iterator[float], length: int, height: float) -> list[int]:
    """Two sines on top of each other, that meet themselves at the ends."""
    slow, fast = 1 + int(2 * next(genes)), 2 + int(4 * next(genes))
    first, second = _TURN * next(genes), _TURN * next(genes)
    steps = (_TURN * step / length for step in range(length))
    return [int(height * (math.sin(slow * at + first) + 0.4 * math.sin(fast * at + second))) for at in steps]


def _add_disc(rows: list[bytes], genes: Iterator[float], width: int, height: int) -> None:
    """A disc of other colours, through which the waves still show."""
    x, y, radius = next(genes) * width, next(genes) * height, (0.05 + 0.2 * next(genes)) * min(width, height)
    table = _added(40 + int(176 * next(genes)))
    for line in range(max(0, math.ceil(y - radius)), min(height, math.floor(y + radius) + 1)):
        reach = math.sqrt(radius**2 - (line - y) ** 2)
        left, right = max(0, round(x - reach)), min(width, round(x + reach))
        row = rows[line]
        rows[line] = row[:left] + row[left:right].translate(table) + row[right:]


def _added(shift: int) -> bytes:
    """A table that adds `shift` to an index, round the circle."""
    return _INDICES[shift % 256 : shift % 256 + 256]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
