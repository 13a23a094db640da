"""Slow servers: single bytes, floods of interim responses, silence."""

from __future__ import annotations

from modelwire.limits import MIB, Limits
from raw_server import Connection, chunk, response

from .client import Ask
from .scenario import SHORT, Scenario, ask, chat, order
from .server import Fault, drip, drip_pieces, flood, silence, then
from .sites import CONVERSATION, CROMICLE, HAILUO, INDEX, LOADS, PICTURE, PICTURE_PATH, SIGN_UP, STATUS, SUBMIT

STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKS = response("Transfer-Encoding: chunked")
LONG = response("Content-Length: 100000")
STREAM = response("Content-Type: text/event-stream")
CONTINUE = response(status="100 Continue")
# The header of a gzip file, up to the file name.
NAMED = b"\x1f\x8b\x08\x08" + bytes(6)
HINTS = response(f"Link: <{'x' * 1000}>", status="103 Early Hints")


def dripping_handshake(connection: Connection) -> None:
    """Send a very long TLS record, byte by byte."""
    connection.drip(b"\x16\x03\x03\x40\x00" + bytes(1000), every=0.01)


def waits(name: str, fault: Fault, kinds: str = "timeout") -> Scenario:
    """A request without a complete response in time."""
    return ask(name, fault, kinds, total=SHORT, answer=None)


SCENARIOS = [
    waits("the status line drips", drip(b"HTTP/1.1 200 " + b"O" * 1000)),
    waits("a header drips", drip(b"X-Long: " + b"o" * 1000, before=STATUS_LINE)),
    waits("headers drip", drip(b"X-A: b\r\n", before=STATUS_LINE)),
    waits("the body drips to its length", drip(b"x", before=LONG)),
    waits("the body drips without a length", drip(b"x", before=response())),
    waits("the size of a chunk drips", drip(b"0", before=CHUNKS), kinds="timeout protocol"),
    waits("an extension of a chunk drips", drip(b"x", before=CHUNKS + b"5;")),
    waits("small chunks drip", drip(chunk(b"x"), before=CHUNKS)),
    waits("the trailers drip", drip(b"x: y\r\n", before=CHUNKS + b"0\r\n")),
    waits("a compressed body drips", drip(b"n", before=response("Content-Encoding: gzip") + NAMED)),
    waits(
        "a body that says no drips",
        drip(b"x", before=response(status="429 Too Many Requests")),
        kinds="rate_limited timeout",
    ),
    waits("100 Continue drips", drip(CONTINUE)),
    waits("100 Continue comes again and again", drip_pieces(CONTINUE)),
    waits("103 Early Hints comes again and again", drip_pieces(HINTS), kinds="timeout protocol"),
    waits("100 Continue floods", flood(CONTINUE * 100), kinds="timeout protocol"),
    waits("103 Early Hints floods", flood(HINTS * 10), kinds="timeout protocol"),
    waits(
        "102 Processing floods, and then nothing",
        then(response(status="102 Processing") * 1000, silence),
        kinds="timeout protocol",
    ),
    waits("nothing comes", silence),
    waits("nothing comes after the head", then(LONG, silence)),
    waits("nothing comes in the middle of a chunk", then(CHUNKS + b"5\r\nab", silence)),
    ask(
        "a large request that the server does not read",
        Connection.hang,
        "timeout",
        Ask(method="POST", body=bytes(8 * MIB)),
        total=SHORT,
        limits=Limits(body=8 * MIB),
    ),
    ask(
        "silence after the head, for longer than is allowed",
        then(LONG, silence),
        "timeout",
        Ask(silence=0.05),
        answer=None,
    ),
    ask("silence, for longer than is allowed", silence, "timeout", Ask(silence=0.05)),
    Scenario(
        name="a TLS handshake that drips",
        work=Ask(scheme="https"),
        serving=dripping_handshake,
        ends=frozenset({"timeout", "connect"}),
        total=SHORT,
    ),
    chat(
        "cromicle", "the answer drips", {CROMICLE: drip(b"x", before=response())}, "timeout", answer=None, total=SHORT
    ),
    chat("fakegpt", "the list of tokens drips", {LOADS: drip(b" ", before=LONG)}, "timeout", total=SHORT),
    chat("fakegpt", "comments drip", {CONVERSATION: drip(b": alive\n\n", before=STREAM)}, "timeout", total=SHORT),
    chat("hailuo", "an event drips", {HAILUO: drip(b"data: x", before=STREAM)}, "timeout", total=SHORT),
    chat("magickpen", "the page drips", {INDEX: drip(b"<p>", before=response())}, "timeout", total=SHORT),
    order("the sign-up drips", {SIGN_UP: drip(b" ", before=LONG)}, "timeout", total=SHORT),
    order("the order is met with silence", {SUBMIT: silence}, "in_doubt", total=SHORT),
    order("the status drips", {STATUS: drip(b" ", before=LONG)}, "timeout", total=SHORT),
    order("the image drips", {PICTURE_PATH: drip(PICTURE, before=LONG)}, "timeout", total=SHORT),
]
