"""Connections that break at any point: closed, or reset."""

from __future__ import annotations

import gzip

from modelwire.limits import MIB, Limits
from raw_server import Connection, chunk, response

from .client import Ask
from .scenario import Scenario, ask, chat, ends, order
from .server import Fault, WholeResponse, fin, rst, say, then
from .sites import (
    ANSWER,
    CONVERSATION,
    CROMICLE,
    HAILUO,
    LOADS,
    LOGIN,
    PICTURE,
    PICTURE_PATH,
    STATUS,
    SUBMIT,
    fakegpt_answer,
    hailuo_answer,
)

TEXT = ANSWER.encode()
HALF = TEXT[:5]
CHUNKS = response("Transfer-Encoding: chunked")
STREAM = response("Content-Type: text/event-stream")
PACKED = gzip.compress(TEXT)
ONE_TOKEN = b'{"loads": [{"token_id": "x"}]}'

# Beginnings of a response whose framing shows that the rest is missing.
CUTS = {
    "before a byte": b"",
    "in the status line": b"HTTP/1.1 200 O",
    "in a header": b"HTTP/1.1 200 OK\r\nContent-",
    "between two headers": b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n",
    "before the body": response("Content-Length: 16"),
    "in the body": response("Content-Length: 16", body=HALF),
    "before the first chunk": CHUNKS,
    "in the size of a chunk": CHUNKS + chunk(HALF) + b"1",
    "in a chunk": CHUNKS + b"10\r\n" + HALF,
    "after a chunk": CHUNKS + chunk(HALF),
    "in the end of a chunk": CHUNKS + b"5\r\n" + HALF + b"\r",
    "before the trailers": CHUNKS + chunk(TEXT) + b"0\r\n",
    "in the trailers": CHUNKS + chunk(TEXT) + b"0\r\nX-Trailer: 1\r\n",
    "in a compressed body": response("Content-Encoding: gzip", body=PACKED[:-9]),
}


def early(whole: WholeResponse, end: Fault) -> Fault:
    """Respond before the body of the request is read, and end the connection."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.send(whole.encode({}))
        end(connection)

    return script


SCENARIOS = [
    *(ask(f"closed {place}", then(data, fin), "network") for place, data in CUTS.items()),
    *(ask(f"reset {place}", then(data, rst), "network") for place, data in CUTS.items()),
    ask("closed, and whole at the second try", [then(b"HTTP/1.1", fin), say(ANSWER)], "answer"),
    ask("reset, and whole at the third try", [rst, rst, say(ANSWER)], "answer"),
    ask(
        "closed after text, which is not asked for again",
        [then(CUTS["in the body"], fin), say(ANSWER)],
        "network",
        most=1,
    ),
    ask(
        "reset after text, which is not asked for again",
        [then(CUTS["in a chunk"], rst), say(ANSWER)],
        "network",
        most=1,
    ),
    ask(
        "closed before the response to a request that must not be repeated",
        fin,
        "network in_doubt",
        Ask(method="POST", repeatable=False),
    ),
    ask(
        "reset before the response to a request that must not be repeated",
        rst,
        "network in_doubt",
        Ask(method="POST", repeatable=False),
    ),
    ask("no framing, closed at the end", then(response(body=TEXT), fin), "answer"),
    ask("no framing, reset at the end", then(response(body=TEXT), rst), "network answer"),
    ask(
        "closed in the middle of a character",
        then(response(body=HALF + "é".encode()[:1]), fin),
        "truncated",
        answer=None,
    ),
    Scenario(
        name="every connection is closed at once", work=Ask(), serving=Connection.close, ends=ends("network"), answer=""
    ),
    Scenario(
        name="every connection is reset at once",
        work=Ask(),
        serving=Connection.reset,
        ends=ends("network connect"),
        answer="",
    ),
    Scenario(
        name="a response before the request was read, and an end",
        work=Ask(method="POST", body=bytes(8 * MIB)),
        serving=early(say("", status="413 Content Too Large"), Connection.close),
        ends=ends("status network"),
        answer="",
        limits=Limits(body=8 * MIB),
    ),
    Scenario(
        name="an error response before any request",
        work=Ask(),
        serving=lambda connection: connection.send(say("", status="408 Request Timeout").encode({})),
        ends=ends("status network"),
        answer="",
    ),
    chat("cromicle", "closed in the middle", {CROMICLE: then(CUTS["in the body"], fin)}, "network"),
    chat("cromicle", "reset in the middle", {CROMICLE: then(CUTS["in a chunk"], rst)}, "network"),
    chat(
        "fakegpt",
        "no mark of the end",
        {CONVERSATION: then(STREAM + fakegpt_answer("Once", end="").encode(), fin)},
        "truncated",
    ),
    chat(
        "fakegpt",
        "reset before the mark of the end",
        {CONVERSATION: then(STREAM + fakegpt_answer("Once", end="").encode(), rst)},
        "network truncated",
    ),
    chat(
        "fakegpt",
        "closed in an event",
        {CONVERSATION: then(STREAM + fakegpt_answer("Once", ANSWER, end="").encode()[:-9], fin)},
        "truncated",
    ),
    chat(
        "fakegpt",
        "closed in the mark of the end",
        {CONVERSATION: then(STREAM + fakegpt_answer(ANSWER, end="data: [DON").encode(), fin)},
        "truncated",
    ),
    chat(
        "fakegpt",
        "closed after the mark of the end",
        {CONVERSATION: then(CHUNKS + chunk(fakegpt_answer(ANSWER).encode()), fin)},
        "answer",
    ),
    chat(
        "fakegpt",
        "a list that ends at its brace",
        {LOADS: then(response("Content-Length: 99", body=ONE_TOKEN), fin)},
        "network",
    ),
    chat("fakegpt", "reset at the login", {LOGIN: rst}, "network"),
    chat(
        "hailuo",
        "no mark of the end",
        {HAILUO: then(STREAM + hailuo_answer("Once", end="").encode(), fin)},
        "truncated",
    ),
    chat(
        "hailuo",
        "reset after the mark of the end",
        {HAILUO: then(CHUNKS + chunk(hailuo_answer(ANSWER).encode()), rst)},
        "answer network",
    ),
    chat("hailuo", "nothing but a head", {HAILUO: then(STREAM, fin)}, "no_answer"),
    order("closed while the order is answered", {SUBMIT: fin}, "in_doubt"),
    order("reset while the order is answered", {SUBMIT: rst}, "in_doubt"),
    order(
        "closed in the answer to the order",
        {SUBMIT: then(response("Content-Length: 30", body=b'{"record_id": '), fin)},
        "in_doubt",
    ),
    order("closed at each status", {STATUS: fin}, "network"),
    order("closed at one status", {STATUS: [fin, say('{"status": "FAILED"}')]}, "job_failed"),
    order("the image is cut off", {PICTURE_PATH: then(response("Content-Length: 999", body=PICTURE), fin)}, "network"),
]
