"""Compressed bodies: bombs, chains, cuts, and bodies that only claim to be compressed."""

from __future__ import annotations

import gzip
import zlib

from modelwire.limits import MIB, Limits
from raw_server import response

from .scenario import SHORT, ask, chat, order
from .server import WholeResponse, chunked, fin, flood, say, then
from .sites import ANSWER, BUNDLE, CONVERSATION, CROMICLE, INDEX, LOADS, PICTURE, PICTURE_PATH, STATUS, fakegpt_answer

TEXT = ANSWER.encode()
PACKED = gzip.compress(TEXT)


def bomb(window_bits: int, start: bytes = b"", filling: bytes = b"\0") -> bytes:
    """A hundred megabytes, compressed, without an end. `window_bits` is zlib's choice of a format."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush, the next bytes do not depend on earlier ones.
    return head + (packer.compress(filling * MIB) + packer.flush(zlib.Z_FULL_FLUSH)) * 100


GZIP, ZLIB, RAW = 31, 15, -15
BOMB = bomb(GZIP)


def packed(data: bytes, coding: str = "gzip", *headers: str, status: str = "200 OK") -> WholeResponse:
    """A response in a content coding."""
    return say(data, f"Content-Encoding: {coding}", *headers, status=status)


SCENARIOS = [
    # Bombs.
    ask("a gzip bomb", packed(BOMB), "limit", answer=None),
    ask("a zlib bomb", packed(bomb(ZLIB), "deflate"), "limit", answer=None),
    ask("a raw deflate bomb", packed(bomb(RAW), "deflate"), "limit", answer=None),
    ask("a gzip bomb against the default limits", packed(BOMB), "limit", answer=None, limits=Limits()),
    ask(
        "a gzip bomb in many chunks",
        chunked(*(BOMB[i : i + 97] for i in range(0, len(BOMB), 97)), headers=["Content-Encoding: gzip"]),
        "limit",
        answer=None,
    ),
    ask("a gzip bomb with a refusal", packed(BOMB, status="404 Not Found"), "status"),
    ask("a gzip bomb with 429", packed(BOMB, status="429 Too Many Requests"), "rate_limited"),
    ask("a bomb inside of a bomb, of which one is undone", packed(gzip.compress(BOMB)), "answer", answer=None),
    ask("a bomb of bombs that says so", packed(gzip.compress(BOMB), "gzip, gzip"), "protocol"),
    ask("a bomb that is called x-gzip", packed(BOMB, "x-gzip"), "limit", answer=None),
    ask(
        "nothing, compressed again and again",
        flood(b"\x00\x00\x00\xff\xff" * 1000, before=response("Content-Encoding: deflate") + b"\x78\x9c"),
        "timeout limit protocol",
        total=SHORT,
    ),
    ask(
        "the head of a gzip file, without end",
        flood(b"n" * 10_000, before=response("Content-Encoding: gzip") + b"\x1f\x8b\x08\x08" + bytes(6)),
        "timeout limit protocol",
        total=SHORT,
    ),
    chat("cromicle", "a gzip bomb", {CROMICLE: packed(BOMB)}, "limit", answer=None),
    chat("fakegpt", "a gzip bomb of tokens", {LOADS: packed(bomb(GZIP, b'{"loads": [', b" "))}, "limit"),
    chat("fakegpt", "a gzip bomb in a line of events", {CONVERSATION: packed(bomb(GZIP, b"data: ", b"x"))}, "limit"),
    chat("fakegpt", "a gzip bomb of comments", {CONVERSATION: packed(bomb(GZIP, b"", b":\n"))}, "timeout", total=SHORT),
    chat("magickpen", "a gzip bomb of a page", {INDEX: packed(bomb(GZIP, b"<p>", b"<"))}, "limit"),
    chat("magickpen", "a gzip bomb of a script", {BUNDLE: packed(BOMB)}, "limit"),
    order("a gzip bomb of a status", {STATUS: packed(bomb(GZIP, b"{", b" "))}, "limit"),
    order("a gzip bomb of an image", {PICTURE_PATH: packed(bomb(GZIP, PICTURE))}, "limit"),
    # Chains.
    ask("gzip twice", packed(gzip.compress(PACKED), "gzip, gzip"), "protocol"),
    ask("gzip twice, in two headers", packed(gzip.compress(PACKED), "gzip", "Content-Encoding: gzip"), "protocol"),
    ask("deflate in gzip", packed(gzip.compress(zlib.compress(TEXT)), "deflate, gzip"), "protocol"),
    ask("gzip a hundred times", packed(PACKED, ", ".join(["gzip"] * 100)), "protocol"),
    ask("gzip, and identity", packed(PACKED, "gzip, identity"), "protocol answer"),
    # Cuts, and damage.
    ask("gzip that is cut off, its length right", packed(PACKED[:-10]), "network truncated"),
    ask("gzip that is cut off in its checksum", packed(PACKED[:-6]), "network truncated"),
    ask("gzip that is cut off in its head", packed(PACKED[:5]), "network truncated"),
    ask(
        "gzip that is cut off without a length",
        then(response("Content-Encoding: gzip", body=PACKED[:-4]), fin),
        "network truncated",
    ),
    ask("zlib that is cut off", packed(zlib.compress(TEXT)[:-2], "deflate"), "network truncated"),
    ask(
        "raw deflate that is cut off",
        packed(zlib.compress(TEXT * 9)[2:-6], "deflate"),
        "network truncated",
        answer=ANSWER * 9,
    ),
    ask("a wrong checksum", packed(PACKED[:-8] + bytes(4) + PACKED[-4:]), "protocol"),
    ask("a wrong length in gzip", packed(PACKED[:-4] + b"\xff\xff\xff\xff"), "protocol"),
    ask("a wrong checksum in zlib", packed(zlib.compress(TEXT)[:-4] + bytes(4), "deflate"), "protocol"),
    ask("gzip that is damaged", packed(PACKED[:12] + b"\xff\xff" + PACKED[14:]), "protocol network", answer=None),
    ask("invalid gzip", packed(TEXT), "protocol"),
    ask("invalid deflate", packed(b"\xff\xff\xff\xff", "deflate"), "protocol"),
    ask("gzip and something after it", packed(PACKED + b"evil"), "protocol"),
    ask("two files of gzip", packed(PACKED + gzip.compress(b"evil")), "protocol"),
    ask("gzip with a dictionary", packed(b"\x78\xbb" + bytes(10), "deflate"), "protocol"),
    ask("an empty body that should be gzip", packed(b""), "no_answer"),
    ask("a window that is too large", packed(b"\x88\x1c" + zlib.compress(TEXT)[2:], "deflate"), "protocol"),
    ask("a valid body in gzip", packed(PACKED), "answer"),
    ask("a valid body in deflate", packed(zlib.compress(TEXT), "deflate"), "answer"),
    ask("a valid body in raw deflate", packed(zlib.compress(TEXT)[2:-4], "deflate"), "answer"),
    chat(
        "fakegpt",
        "events, compressed and cut off",
        {CONVERSATION: packed(gzip.compress(fakegpt_answer("Once", end="").encode())[:-9])},
        "network truncated",
    ),
    order("an image with a wrong checksum", {PICTURE_PATH: packed(gzip.compress(PICTURE)[:-8] + bytes(8))}, "protocol"),
]
