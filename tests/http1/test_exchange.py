"""`Http11Exchange`, without a connection."""

from __future__ import annotations

import pytest

from modelwire.commands import SendRequest
from modelwire.errors import ConnectError, LocalProtocolError
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted
from modelwire.http import Headers, Request
from modelwire_io.http1 import Http11Exchange


def exchange(url: str = "http://host.example/path?a=b", **fields: object) -> Http11Exchange:
    """The exchange of a request with the id 7."""
    request = Request(**{"method": "GET", "url": url, "timeout": 3.0, **fields})  # type: ignore[arg-type]
    return Http11Exchange(SendRequest(7, request, 1000.0))


def begun() -> Http11Exchange:
    """An exchange that is connected."""
    http = exchange()
    http.begin()
    return http


@pytest.mark.parametrize(
    ("url", "address", "tls"),
    [
        ("http://host.example", ("host.example", 80), False),
        ("https://host.example/", ("host.example", 443), True),
        ("http://[::1]:8080/", ("::1", 8080), False),
    ],
)
def test_where_to_connect(url: str, address: tuple[str, int], tls: bool) -> None:
    http = exchange(url)
    assert (http.address, (http.host, http.port), http.tls) == (address, address, tls)
    assert (http.request_id, http.timeout) == (7, 3.0)


def test_what_to_write() -> None:
    http = exchange(method="POST", body=b"body", headers=(("X-One", "1"),))
    expected = b"POST /path?a=b HTTP/1.1\r\nHost: host.example\r\nContent-Length: 4\r\nX-One: 1\r\n\r\nbody"
    assert http.outgoing == expected
    assert not http.is_begun
    assert http.begin() == expected
    assert http.is_begun


@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
def test_a_response(cut: int) -> None:
    http = begun()
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    events: list[Event] = []
    for start in range(0, len(data), cut):
        assert not http.is_over
        events += http.receive(memoryview(data)[start : start + cut])
    assert events[0] == ResponseStarted(7, 200, (("Content-Length", "2"),))
    assert b"".join(event.data for event in events if isinstance(event, BodyReceived)) == b"ok"
    assert events[-1] == ResponseEnded(7)
    assert http.is_over


def test_the_end_of_the_connection_may_end_a_response() -> None:
    http = begun()
    http.receive(b"HTTP/1.1 200 OK\r\n\r\nok")
    assert not http.is_over
    assert http.end() == [ResponseEnded(7)]
    assert http.is_over


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (None, "network", "the server closed the connection before it had sent a response"),
        (ConnectionResetError("reset"), "network", "reset"),
        (TimeoutError(), "timeout", "TimeoutError"),
    ],
)
def test_a_connection_that_fails(error: Exception | None, kind: str, detail: str) -> None:
    http = begun()
    assert http.end(error) == [RequestFailed(7, kind, detail)]  # type: ignore[arg-type]
    assert http.is_over


def test_an_error_fails_a_response_that_a_regular_end_would_complete() -> None:
    http = begun()
    http.receive(b"HTTP/1.1 200 OK\r\n\r\nok")
    assert http.end(ConnectionResetError("reset")) == [RequestFailed(7, "network", "reset")]


@pytest.mark.parametrize("error", [None, ConnectionRefusedError("refused"), TimeoutError("late")])
def test_a_failure_before_begin_is_a_failure_to_connect(error: Exception | None) -> None:
    http = exchange()
    assert http.end(error) == [RequestFailed(7, "connect", str(error or "the connection was closed"))]
    assert http.is_over


def test_a_response_that_is_not_http_is_a_protocol_failure() -> None:
    http = begun()
    (failed,) = http.receive(b"SSH-2.0\r\n\r\n")
    assert isinstance(failed, RequestFailed)
    assert (failed.kind, http.is_over) == ("protocol", True)


def test_no_event_follows_the_last() -> None:
    http = begun()
    http.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert http.is_over
    assert (http.receive(b"more"), http.receive(b""), http.end(), http.end(OSError())) == ([], [], [], [])


def test_a_public_only_request_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="public address"):
        exchange(public_only=True)


@pytest.mark.parametrize(
    ("url", "headers"), [("http://:80/", ()), ("http://host.example/", (("Content-Length", "1"),))]
)
def test_an_invalid_request_is_refused(url: str, headers: Headers) -> None:
    with pytest.raises(ConnectError):
        exchange(url, headers=headers)
