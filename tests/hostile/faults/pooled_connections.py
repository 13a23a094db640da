"""Connections that are pooled for the next request, and faults of such connections."""

from __future__ import annotations

from typing import Any

from modelwire.limits import KIB
from raw_server import chunk, response

from .client import Ask
from .scenario import Scenario, chat, order
from .server import Response, chunked, fin, rst, say, then
from .sites import LOGIN, SIGN_UP, SITES, STATUS, SUBMIT

FIRST, SECOND = say("Once upon "), say("a time")
# A response without a request.
EVIL = response("Content-Length: 4", body=b"evil")
FIRST_BYTES = FIRST.encode({})
# Bytes: the first response ends exactly with one read, so that the surplus waits in the transport's own buffer.
SIZE = 64 * KIB - len(response("Content-Length: 65536"))
LARGE = response(f"Content-Length: {SIZE}", body=b"x" * SIZE) + EVIL

# One of the three requests found a pooled connection.
THRICE = {"asked other than three times": lambda result: len(result.to("/2")) == 3}


def two(
    name: str, first: Response, second: Response | list[Response] = SECOND, kinds: str = "answer", **more: Any
) -> Scenario:
    """Two requests. The second may reuse the connection of the first."""
    return Scenario(
        name=name, work=Ask(requests=2), serving={"/1": first, "/2": second}, ends=frozenset(kinds.split()), **more
    )


SCENARIOS = [
    two("a connection that is used twice", FIRST),
    two("a second response, unasked, with the first", FIRST_BYTES + EVIL),
    two("a second response, unasked, after the first", then(FIRST_BYTES, EVIL)),
    two("a second response after chunks", chunked("Once upon ") + EVIL),
    two(
        "a second response behind a connection that should be closed",
        response("Connection: close", "Content-Length: 10", body=b"Once upon ") + EVIL,
    ),
    two("a second response behind a large one", LARGE, answer="x" * SIZE + "a time"),
    two("a second response without a head", FIRST_BYTES + b"evil"),
    two("a second response that is interim", FIRST_BYTES + response(status="100 Continue")),
    two("the beginning of a second response", FIRST_BYTES + EVIL[:9]),
    two("blanks after the first response", FIRST_BYTES + b"\r\n\r\n"),
    two("a second response after HTTP/1.0", FIRST_BYTES.replace(b"1.1", b"1.0") + EVIL),
    two(
        "a body that is longer than its length, and looks like a response",
        response("Content-Length: 10", body=b"Once upon " + EVIL),
    ),
    two(
        "two framings, and a response in the rest that one of them leaves",
        response("Content-Length: 5", "Transfer-Encoding: chunked", body=chunk(b"Once upon ") + chunk(b"") + EVIL),
        kinds="answer protocol network",
    ),
    two("closed after the first response", then(FIRST_BYTES, fin)),
    two("reset after the first response", then(FIRST_BYTES, rst), kinds="answer network"),
    two("closed after the second response", FIRST, then(SECOND.encode({}), fin)),
    two("reset after the second response", FIRST, then(SECOND.encode({}), rst), kinds="answer network"),
    two("closed during the second request", FIRST, [fin, SECOND]),
    two("reset during the second request", FIRST, [rst, SECOND]),
    two("closed during every second request", FIRST, fin, "network", also=THRICE),
    two("reset during every second request", FIRST, rst, "network", also=THRICE),
    two("closed in the second head", FIRST, [then(b"HTTP/1.1 200 OK\r\n", fin), SECOND]),
    two("closed in the second body", FIRST, [then(response("Content-Length: 6", body=b"a t"), fin), SECOND], "network"),
    two("a connection of HTTP/1.0 that stays open", FIRST_BYTES.replace(b"1.1", b"1.0")),
    two(
        "Connection: close, and an open connection",
        response("Connection: close", "Content-Length: 10", body=b"Once upon "),
    ),
    Scenario(
        name="a pooled connection is closed during a request that must not be repeated",
        work=Ask(requests=2, method="POST", repeatable=False),
        serving={"/1": FIRST, "/2": fin},
        ends=frozenset({"in_doubt", "network"}),
        submissions=2,
    ),
    chat(
        "fakegpt",
        "each connection is closed after its answer",
        {path: then(whole.encode({}), fin) for path, whole in SITES["fakegpt"].items()},
        "answer",
    ),
    chat(
        "fakegpt",
        "an unasked response after the login",
        {LOGIN: say("", "Set-Cookie: a=b").encode({}) + EVIL},
        "answer",
    ),
    order(
        "the connection is closed after the sign-up", {SIGN_UP: then(SITES["arta"][SIGN_UP].encode({}), fin)}, "answer"
    ),
    order("the connection is closed by the order", {SUBMIT: fin}, "in_doubt"),
    order("each status closes its connection", {STATUS: [fin, fin, SITES["arta"][STATUS]]}, "answer"),
]
