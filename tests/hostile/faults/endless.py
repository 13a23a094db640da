"""Endless heads, lines, comments, chunks and bodies."""

from __future__ import annotations

from modelwire.limits import KIB, MIB, Limits
from raw_server import chunk, response

from .scenario import SHORT, Scenario, ask, chat, order
from .server import Fault, drip_pieces, flood, say
from .sites import (
    ANSWER,
    BUNDLE,
    CONVERSATION,
    CROMICLE,
    HAILUO,
    INDEX,
    LOADS,
    MAGICKPEN,
    PICTURE,
    PICTURE_PATH,
    SESSION,
    SIGN_UP,
    STATUS,
    SUBMIT,
    fakegpt_answer,
)

STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKS = response("Transfer-Encoding: chunked")
STREAM = response("Content-Type: text/event-stream")
LOT = 64 * KIB
# Endings of an endless head: it exceeds a limit of h11 or of the flow.
HEAD = "protocol limit"
# For endless events without content. The default limit would be a gigabyte.
BARREN = Limits(body=MIB, stream=128 * KIB)
ORDINARY = Limits()
NARROW = Limits(body=MIB, line=16 * KIB, event=16 * KIB)


def endless(data: bytes, before: bytes = response()) -> Fault:
    """Send the same data over and over."""
    return flood(data * (LOT // len(data)), before=before)


def barren(name: str, data: bytes) -> Scenario:
    """A stream of events without content."""
    return chat("fakegpt", name, {CONVERSATION: endless(data, STREAM)}, "limit", limits=BARREN)


SCENARIOS = [
    # Heads.
    ask("a status line without end", endless(b"O", b"HTTP/1.1 200 "), HEAD),
    ask("a header without end", endless(b"o", STATUS_LINE + b"X-Long: "), HEAD),
    ask("a header's name without end", endless(b"o", STATUS_LINE), HEAD),
    ask("headers without end", endless(b"X-A: b\r\n", STATUS_LINE), HEAD),
    ask("empty headers without end", endless(b"A:\r\n", STATUS_LINE), HEAD),
    ask("a folded header without end", endless(b" b\r\n", STATUS_LINE + b"X-A: b\r\n"), HEAD),
    ask("line ends before a head, without end", endless(b"\r\n", b""), HEAD + " network"),
    ask("zero bytes without end", endless(b"\0", b""), HEAD),
    ask("257 headers", say(ANSWER, *["X-A: b"] * 256), "limit"),
    ask("256 headers", say(ANSWER, *["X-A: b"] * 255), "answer"),
    ask("a head of 70 kB", say(ANSWER, *[f"X-A: {'b' * 1000}"] * 70), HEAD),
    ask("a head of 60 kB", say(ANSWER, *[f"X-A: {'b' * 1000}"] * 60), "answer"),
    # Chunks.
    ask("a chunk's size without end", endless(b"0", CHUNKS), "protocol"),
    ask("a chunk's extension without end", endless(b"x", CHUNKS + b"5;"), "protocol limit"),
    ask(
        "chunks with long extensions, without end",
        flood(b"1;" + b"x" * 500 + b"\r\nx\r\n", before=CHUNKS),
        "timeout limit protocol",
        answer=None,
        total=SHORT,
    ),
    ask("trailers without end", endless(b"X-A: b\r\n", CHUNKS + b"0\r\n"), "protocol limit"),
    ask("a trailer without end", endless(b"x", CHUNKS + b"0\r\nX-A: "), "protocol limit"),
    ask(
        "chunks of one byte, without end",
        # Small pieces, because httpx is slow with many chunks in one read.
        drip_pieces(chunk(b"x") * 400, before=CHUNKS),
        "limit",
        answer=None,
        limits=Limits(body=2 * KIB),
    ),
    ask("a chunk without end", endless(b"x", CHUNKS + b"ffffffffffff\r\n"), "limit", answer=None),
    # Bodies.
    ask("a body without end", endless(b"x"), "limit", answer=None),
    ask("a body without end, against the default limits", endless(b"x"), "limit", answer=None, limits=ORDINARY),
    ask(
        "a body of a length without end", endless(b"x", response("Content-Length: 999999999999")), "limit", answer=None
    ),
    ask("a body of zero bytes without end", endless(b"\0"), "limit", answer=None),
    ask("a refusal without end", endless(b"x", response(status="404 Not Found")), "status"),
    ask("429 without end", endless(b"x", response(status="429 Too Many Requests")), "rate_limited"),
    ask("a redirect without end", endless(b"x", response("Location: /", status="302 Found")), "status"),
    ask("half a character without end", endless(b"\xf0\x9f\x98"), "limit", answer=None),
    chat("cromicle", "an answer without end", {CROMICLE: endless(b"x")}, "limit", answer=None),
    chat("magickpen", "an answer without end", {MAGICKPEN: endless(b"x")}, "limit", answer=None),
    chat("magickpen", "a page without end", {INDEX: endless(b"<script src='/_nuxt/a.js'>")}, "limit"),
    chat("magickpen", "a script without end", {BUNDLE: endless(b'secret:"x')}, "limit"),
    chat(
        "fakegpt",
        "a list of tokens without end",
        {LOADS: endless(b'{"token_id": "x"},', response() + b'{"loads": [')},
        "limit",
    ),
    chat("fakegpt", "a session of blanks without end", {SESSION: endless(b" ")}, "limit"),
    order("a sign-up without end", {SIGN_UP: endless(b'"a": 1,', response() + b"{")}, "limit"),
    order("an order whose answer has no end", {SUBMIT: endless(b"x")}, "in_doubt"),
    order("a status without end", {STATUS: endless(b'"a": 1,', response() + b"{")}, "limit"),
    order("an image without end", {PICTURE_PATH: endless(b"x", response() + PICTURE)}, "limit"),
    # Events.
    barren("comments without end", b":\n"),
    barren("comments and blank lines without end", b": alive\n\n"),
    barren("blank lines without end", b"\n"),
    barren("carriage returns without end", b"\r"),
    barren("unknown fields, without end", b"x: y\n"),
    barren("ids without end", b"id: 1\n"),
    barren("times to wait without end", b"retry: 1\n"),
    barren("names without data, without end", b"event: x\n\n"),
    barren("messages of other kinds without end", b'data: {"message": null}\n\n'),
    barren("the same text without end", fakegpt_answer(ANSWER, end="").encode()),
    chat("fakegpt", "a line without end", {CONVERSATION: endless(b"x", STREAM + b"data: ")}, "limit"),
    chat("fakegpt", "a comment without end", {CONVERSATION: endless(b"x", STREAM + b":")}, "limit"),
    chat("fakegpt", "a field's name without end", {CONVERSATION: endless(b"x", STREAM)}, "limit"),
    chat("fakegpt", "an event without end", {CONVERSATION: endless(b"data: x\n", STREAM)}, "limit", limits=NARROW),
    chat(
        "fakegpt",
        "an event of empty data without end",
        {CONVERSATION: endless(b"data\n", STREAM)},
        "limit",
        limits=NARROW,
    ),
    chat(
        "fakegpt",
        "comments without end, against the clock",
        {CONVERSATION: endless(b": alive\n\n", STREAM)},
        "timeout",
        total=SHORT,
    ),
    chat("hailuo", "a line without end", {HAILUO: endless(b"x", STREAM + b"data: ")}, "limit"),
    chat(
        "hailuo",
        "an event without end",
        {HAILUO: endless(b"data: x\n", STREAM + b"event: message_result\n")},
        "limit",
        limits=NARROW,
    ),
    chat(
        "hailuo",
        "titles without end",
        {HAILUO: endless(b'event: send_result\ndata: {"data": {"sendResult": {"chatTitle": "x"}}}\n\n', STREAM)},
        "limit",
        limits=BARREN,
    ),
]
