"""The HTTP/1.1 parser, and flows that get any head that it accepts."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from fuzz.responses import KITS
from fuzz.target import Choices, Target
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted
from modelwire.testing.stage import Stage
from modelwire.testing.wire import chunks_of
from modelwire_io.http1.connection import Http11Connection
from raw_server import chunk, response

# None: invalid HTTP is an event.
ALLOWED = ()
METHODS = ("GET", "POST")


def play(data: bytes) -> None:
    """An input is a choice of a method, of a flow and one of its requests, and of cuts, then the bytes of a server."""
    choices = Choices(data)
    method, kit, number = choices.one_of(METHODS), choices.one_of([*KITS.values()]), choices.number()
    cuts, wire = choices.cuts(), choices.rest
    events = read(method, [wire])
    assert read(method, chunks_of(wire, cuts(wire))) == events
    check_order(events)
    scene = kit.scenes()[0]
    stage = scene.stage(scripted=scene.responses)
    if stage.reach(number % len(scene.responses)):
        deliver(stage, events)
    stage.finish()


def read(method: str, chunks: Iterable[bytes]) -> list[Event]:
    """The events of a connection that the server closes, with the chunks of a body joined."""
    connection = Http11Connection()
    connection.send(1, method, "/", (("Host", "a.example"),), b"")
    found: list[Event] = []
    for piece in (*filter(None, chunks), b""):
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            found.append(event)
    return list(joined(found))


def joined(events: Iterable[Event]) -> Iterator[Event]:
    """The events with successive chunks of a body joined."""
    for is_body, group in groupby(events, lambda event: isinstance(event, BodyReceived)):
        if is_body:
            yield BodyReceived(1, b"".join(event.data for event in group if isinstance(event, BodyReceived)))
        else:
            yield from group


def check_order(events: list[Event]) -> None:
    """Assert the order: a head, perhaps a body, an end; or a failure at any point."""
    *before, end = events
    assert isinstance(end, RequestFailed | ResponseEnded), f"{end!r} is not an end"
    assert [type(event) for event in before] in ([], [ResponseStarted], [ResponseStarted, BodyReceived]), before
    assert before or isinstance(end, RequestFailed), "an end before the head"


def deliver(stage: Stage, events: Iterable[Event]) -> None:
    """Deliver these events to the current request."""
    assert stage.request is not None
    request_id = stage.request.request_id
    for event in events:
        if stage.watched.open_request == request_id:
            assert isinstance(event, ResponseStarted | BodyReceived | ResponseEnded | RequestFailed)
            stage.deliver(msgspec.structs.replace(event, request_id=request_id))


BODY = b'{"loads": [{"token_id": "T"}]}'
WIRES = (
    response(f"Content-Length: {len(BODY)}", "Content-Type: application/json", body=BODY),
    response("Transfer-Encoding: chunked", body=chunk(BODY) + b"0\r\nX-Trailer: a\r\n\r\n"),
    response("Transfer-Encoding: chunked", "Content-Length: 5", body=b"3;a=b\r\nabc\r\n0\r\n\r\n"),
    response("Connection: close", body=BODY),
    response("Content-Encoding: gzip", body=gzip.compress(BODY, mtime=0)),
    response("Content-Encoding: gzip", body=gzip.compress(BODY, mtime=0)[:-8] + b"another sum"),
    response("Content-Encoding: deflate", body=b"x\x9c\x03\x00\x00\x00\x00\x01"),
    response(status="100 Continue") + response("Set-Cookie: a=b; Path=/; Max-Age=60", "Content-Length: 0"),
    response("Retry-After: 5", "Content-Length: 0", status="429 Too Many Requests"),
    response("Retry-After: Tue, 14 Nov 2023 22:13:27 GMT", "Content-Length: 0", status="503 No"),
    response("Location: http://[::1/", "Content-Length: 0", status="302 Found"),
    response(status="204 No Content"),
    b"HTTP/1.0 200 OK\n\n" + BODY,
)


def seeds() -> Iterator[bytes]:
    """Responses of every framing, to a request of every flow."""
    return (bytes([0, number % len(KITS), 0, 9, 5]) + wire for number, wire in enumerate(WIRES * 2))


WORDS = (
    *(b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Set-Cookie: ", b"Retry-After: ", b"; Path=/"),
    *(b"Expires=", b"Domain=", b"Max-Age=", b"Location: ", b"Connection: ", b"Content-Type: text/event-stream\r\n"),
    *(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 429 \r\n", b"HTTP/1.1 101 \r\n", b"\n ", b"\0", b"\xff"),
)
HEADS = Target("heads", play, ALLOWED, seeds, WORDS)
