"""One HTTP/1.1 connection without I/O: the events of bytes, however they are cut, and when it can be reused."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import ConnectError
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted
from modelwire.http import Headers
from modelwire_io.http1.connection import MAX_HEAD_BYTES, Http11Connection
from played_flow import bytewise, cuts, two_part_cuts
from raw_server import OK, chunk, response

HOST: Headers = (("Host", "name.invalid"),)
CHUNKED = response("Transfer-Encoding: chunked")


def begun(method: str = "GET") -> Http11Connection:
    connection = Http11Connection()
    connection.send(1, method, "/", HOST, b"")
    return connection


def events_of(connection: Http11Connection, pieces: Iterable[bytes]) -> list[Event]:
    """The events of the data read (`b""` at the end of the connection), with adjacent pieces of the body joined."""
    found: list[Event] = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            if isinstance(event, BodyReceived) and found and isinstance(found[-1], BodyReceived):
                event = BodyReceived(event.request_id, found.pop().data + event.data)  # type: ignore[union-attr]
            found.append(event)
    return found


def received(*pieces: bytes, method: str = "GET") -> list[Event]:
    return events_of(begun(method), pieces)


# Requests.


def test_a_request_is_its_line_its_headers_and_its_body() -> None:
    outgoing = Http11Connection().send(
        1, "POST", "/a?b", (*HOST, ("Content-Length", "4"), ("X-A", " caf\xe9\t")), b"\0\xff\r\n"
    )
    assert (
        outgoing == b"POST /a?b HTTP/1.1\r\nHost: name.invalid\r\nContent-Length: 4\r\nX-A: caf\xe9\r\n\r\n\0\xff\r\n"
    )


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((*HOST, ("Content-Length", "3")), b"more"),
        ((*HOST, ("Content-Length", "5")), b"less"),
        ((*HOST, ("Content-Length", "secret")), b""),
        ((*HOST, *HOST), b""),
        ((), b""),
        ((*HOST, ("Transfer-Encoding", "secret")), b""),
    ],
)
def test_an_invalid_request_is_a_failure_to_connect_without_its_secrets(headers: Headers, body: bytes) -> None:
    connection = Http11Connection()
    with pytest.raises(ConnectError, match=r"the request is not valid HTTP/1\.1") as raised:
        connection.send(1, "GET", "/", headers, body)
    assert "secret" not in str(raised.value)
    assert not connection.is_reusable


# Responses.

RESPONSES = {
    "length": (OK, [ResponseStarted(1, 200, (("Content-Length", "2"),)), BodyReceived(1, b"ok"), ResponseEnded(1)]),
    "chunks": (
        response(status="100 Continue") + CHUNKED + chunk(b"one ") + chunk(b"two") + b"0\r\nX-A: b\r\n\r\n",
        [ResponseStarted(1, 200, (("Transfer-Encoding", "chunked"),)), BodyReceived(1, b"one two"), ResponseEnded(1)],
    ),
    "end of the connection": (
        response(body=b"whole"),
        [ResponseStarted(1, 200, ()), BodyReceived(1, b"whole"), ResponseEnded(1)],
    ),
    "coding": (
        response("Content-Encoding: gzip", body=gzip.compress(b"text")),
        [ResponseStarted(1, 200, (("Content-Encoding", "gzip"),)), BodyReceived(1, b"text"), ResponseEnded(1)],
    ),
    "bare line feeds": (
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        [ResponseStarted(1, 200, (("Content-Length", "2"),)), BodyReceived(1, b"ok"), ResponseEnded(1)],
    ),
    "nothing": (
        response("Content-Encoding: gzip", status="204 No Content"),
        [ResponseStarted(1, 204, (("Content-Encoding", "gzip"),)), ResponseEnded(1)],
    ),
    "a malformed chunk": (
        CHUNKED + chunk(b"before") + b"secret\r\n",
        [
            ResponseStarted(1, 200, (("Transfer-Encoding", "chunked"),)),
            BodyReceived(1, b"before"),
            RequestFailed(1, "protocol", "a chunk of the body has a malformed header"),
        ],
    ),
    "a malformed trailer": (
        CHUNKED + chunk(b"before") + b"0\r\nsecret\r\n\r\n",
        [
            ResponseStarted(1, 200, (("Transfer-Encoding", "chunked"),)),
            BodyReceived(1, b"before"),
            RequestFailed(1, "protocol", "illegal header line"),
        ],
    ),
    "a malformed head": (
        b"HTTP/1.1 200 OK\r\nsecret\r\n\r\n",
        [RequestFailed(1, "protocol", "illegal header line")],
    ),
    "an unknown coding": (
        response("Content-Encoding: br", "Content-Length: 2", body=b"ok"),
        [
            ResponseStarted(1, 200, (("Content-Encoding", "br"), ("Content-Length", "2"))),
            RequestFailed(1, "protocol", "the response has a content coding that was not requested"),
        ],
    ),
    "codings in two headers, the second unknown": (
        response("Content-Encoding: identity", "Content-Encoding: br", "Content-Length: 2", body=b"ok"),
        [
            ResponseStarted(
                1, 200, (("Content-Encoding", "identity"), ("Content-Encoding", "br"), ("Content-Length", "2"))
            ),
            RequestFailed(1, "protocol", "the response has a content coding that was not requested"),
        ],
    ),
    "a switch of protocols": (
        response("Upgrade: other", status="101 Switching Protocols"),
        [RequestFailed(1, "protocol", "Received server _SWITCH_UPGRADE event without a pending proposal")],
    ),
}


@pytest.mark.parametrize(("data", "events"), RESPONSES.values(), ids=RESPONSES)
def test_any_cut_gives_the_same(data: bytes, events: list[Event]) -> None:
    for pieces in ([data], bytewise(data), *two_part_cuts(data)):
        assert received(*filter(None, pieces), b"") == events


CUT_OFF = [response("Content-Length: 10", body=b"12345"), CHUNKED + chunk(b"12345") + b"0\r\nX-A: b\r\n"]


@pytest.mark.parametrize("data", CUT_OFF)
def test_an_end_of_the_connection_at_any_byte_is_a_network_failure(data: bytes) -> None:
    for end in range(len(data) + 1):
        last = received(*filter(None, [data[:end]]), b"")[-1]
        assert isinstance(last, RequestFailed)
        assert last.kind == "network", end


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", response("Content-Length: 1000")),
        ("HEAD", CHUNKED),
        ("GET", response("Content-Length: 1000", status="304 Not Modified")),
        ("GET", response("Content-Length: 0", "Content-Encoding: br")),
    ],
)
def test_a_response_may_have_no_body(method: str, head: bytes) -> None:
    connection = begun(method)
    assert [type(event) for event in events_of(connection, [head])] == [ResponseStarted, ResponseEnded]
    assert connection.is_reusable


@pytest.mark.parametrize("interim", [b"", response("X-Long: " + "x" * 1000, status="103 Early Hints")])
def test_the_limit_on_heads_is_exact_however_they_are_cut(interim: bytes) -> None:
    interims = interim * 20
    size = MAX_HEAD_BYTES - len(interims) - len(response("X-Long: ", "Content-Length: 0"))
    for surplus, kind in ((0, ResponseStarted), (1, RequestFailed)):
        data = interims + response(f"X-Long: {'x' * (size + surplus)}", "Content-Length: 0")
        for step in (len(data), 1000, 7001):
            pieces = [data[start : start + step] for start in range(0, len(data), step)]
            assert type(received(*pieces)[0]) is kind


def test_the_limit_on_heads_bounds_an_endless_one() -> None:
    connection = begun()
    size = 0
    while connection.next_event() is None and not connection.is_over:
        connection.receive_data(b"x" * 1000)
        size += 1000
    assert size <= MAX_HEAD_BYTES + 1000


# Parts of responses, to be combined in any order.
PARTS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 100 Go\r\n\r\n", b"\r\n", b"\n", b":", b"abc"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"0\r\n", b"3\r\n"),
)


@given(st.data())
def test_any_bytes_end_in_exactly_one_last_event(draw: st.DataObject) -> None:
    data = b"".join(draw.draw(st.lists(st.sampled_from(PARTS) | st.binary(max_size=9), max_size=12)))
    events = received(*filter(None, draw.draw(cuts(data))), b"")
    assert isinstance(events[-1], ResponseEnded | RequestFailed)
    assert not any(isinstance(event, ResponseEnded | RequestFailed) for event in events[:-1])
    assert events == received(*filter(None, [data]), b"")


# Reuse of connections.

REUSABLE = [OK, CHUNKED + chunk(b"ok") + chunk(b""), response(status="204 No Content")]
NOT_REUSABLE = [
    response("Connection: close", "Content-Length: 2", body=b"ok"),
    OK.replace(b"1.1", b"1.0"),
    response("Transfer-Encoding: chunked", "Content-Length: 2", body=chunk(b"ok") + chunk(b"")),
    OK + b"!",
    CHUNKED + chunk(b"ok") + chunk(b"") + b"!",
    response(status="204 No Content") + b"!",
]


@pytest.mark.parametrize("data", REUSABLE)
def test_a_connection_can_be_reused(data: bytes) -> None:
    connection = begun()
    for number in range(1, 4):
        was_reusable = connection.is_reusable
        assert events_of(connection, [data])[-1] == ResponseEnded(number)
        assert (was_reusable, connection.is_reusable) == (False, True)
        connection.send(number + 1, "GET", "/", HOST, b"")
    assert events_of(connection, [CHUNKED, chunk(b"new")])[-1] == BodyReceived(4, b"new")


@pytest.mark.parametrize("data", NOT_REUSABLE)
def test_a_connection_is_not_reusable_after_such_a_response(data: bytes) -> None:
    connection = begun()
    assert isinstance(events_of(connection, [data])[-1], ResponseEnded)
    assert connection.is_over
    assert not connection.is_reusable


@pytest.mark.parametrize("data", REUSABLE)
def test_a_connection_is_not_reusable_if_the_request_was_not_sent_whole(data: bytes) -> None:
    connection = begun()
    connection.close_after_response()
    assert isinstance(events_of(connection, [data])[-1], ResponseEnded)
    assert not connection.is_reusable


def test_no_event_follows_the_last() -> None:
    for data in (OK, b"nonsense\r\n\r\n"):
        connection = begun()
        events_of(connection, [data])
        connection.receive_data(OK)
        assert connection.next_event() is None
