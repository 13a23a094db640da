"""HTTP/1 of the emulators' connections, byte by byte over a real socket."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from modelwire.emulators import Behaviour
from modelwire_io.emulation import EmulatorServer
from modelwire_io.emulation import connection as emulator_connection
from modelwire_io.emulation.connection import BODY_LIMIT, EARLY_LIMIT, HEAD_LIMIT

FIELDS = {"message": "Grüße", "token": "abc", "hash": hashlib.sha256("abcGrüße".encode()).hexdigest()}
BODY = json.dumps(FIELDS).encode()
HEAD = b"POST /cromicle/chat HTTP/1.1\r\nhost: x\r\naccept: */*\r\ncontent-type: application/json\r\n"
CHAT = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
LAST = CHAT.replace(b"host:", b"connection: close\r\nhost:")
# The last bytes of a chunked body.
END = b"\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=Behaviour(pause=0)) as running:
        yield running


@pytest.fixture(scope="module")
def slow_server() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=Behaviour(pause=3600)) as running:
        yield running


def connect(server: EmulatorServer) -> closing[socket.socket]:
    client = socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return closing(client)


def read_until(client: socket.socket, mark: bytes, times: int = 1) -> bytes:
    data = b""
    while data.count(mark) < times:
        chunk = client.recv(65536)
        assert chunk, data
        data += chunk
    return data


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def exchange(server: EmulatorServer, *chunks: bytes) -> bytes:
    """Send these bytes and return all bytes up to the end of the connection."""
    with connect(server) as client:
        for chunk in chunks:
            client.sendall(chunk)
        return read_all(client)


def unchunked(response: bytes) -> str:
    """The body of one chunked response."""
    rest, body = response.partition(b"\r\n\r\n")[2], b""
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2]
        body, rest = body + rest[:size], rest[size + 2 :]
    return body.decode()


def test_a_connection_serves_several_requests(server: EmulatorServer) -> None:
    with connect(server) as client:
        for _ in range(3):
            client.sendall(CHAT)
            assert "Grüße" in unchunked(read_until(client, END))


def test_pipelined_requests_get_responses_in_order(server: EmulatorServer) -> None:
    response = exchange(server, CHAT + b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n" + LAST)
    statuses = [part.split(b" ")[0] for part in response.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"404", b"200"]


def test_a_request_that_arrives_byte_by_byte(server: EmulatorServer) -> None:
    assert "Grüße" in unchunked(exchange(server, *(LAST[at : at + 1] for at in range(len(LAST)))))


def test_a_request_that_arrives_during_a_response() -> None:
    with EmulatorServer(behaviour=Behaviour(pause=0.001)) as server, connect(server) as client:
        client.sendall(CHAT)
        first = client.recv(1)
        client.sendall(LAST)
        response = first + read_all(client)
    assert response.count(b"HTTP/1.1 200") == 2
    assert response.count(END) == 2


def test_http_1_0(server: EmulatorServer) -> None:
    response = exchange(server, CHAT.replace(b"HTTP/1.1", b"HTTP/1.0"))
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert "Grüße" in body.decode()


def test_a_body_in_chunks(server: EmulatorServer) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)
    request = HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert "Grüße" in unchunked(exchange(server, request))


def test_a_client_that_expects_100_continue_gets_it(server: EmulatorServer) -> None:
    with connect(server) as client:
        client.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.sendall(BODY)
        assert read_until(client, END).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_expects_100_continue_for_too_long_a_body_is_refused(server: EmulatorServer) -> None:
    response = exchange(server, HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % (BODY_LIMIT + 1))
    assert response.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_too_long(server: EmulatorServer) -> None:
    response = exchange(server, HEAD + b"content-length: %d\r\n\r\n" % (BODY_LIMIT + 1), b"x" * BODY_LIMIT)
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in response
    assert b"its body exceeds 16777216 bytes" in response


def test_a_body_in_chunks_that_is_too_long(server: EmulatorServer) -> None:
    chunk = b"%x\r\n" % (BODY_LIMIT // 4 + 1) + b"x" * (BODY_LIMIT // 4 + 1) + b"\r\n"
    assert exchange(server, HEAD + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 4).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_the_greatest_length(server: EmulatorServer) -> None:
    request = HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % BODY_LIMIT
    assert exchange(server, request, b"x" * BODY_LIMIT).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("value", [b"x" * HEAD_LIMIT, b"x" * 10 * HEAD_LIMIT])
def test_a_head_that_is_too_long(server: EmulatorServer, value: bytes) -> None:
    response = exchange(server, b"GET / HTTP/1.1\r\nhost: x\r\nx: ", value, b"\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 431 ")


def test_a_head_that_is_too_long_and_arrives_at_once(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_connection, "HEAD_LIMIT", 100)
    assert exchange(server, CHAT.replace(b"host: x", b"host: " + b"x" * 100)).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "request_bytes",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", HEAD + b"content-length: x\r\n\r\n", b"\x16\x03\x01\r\n\r\n"],
)
def test_bytes_that_are_not_a_request(server: EmulatorServer, request_bytes: bytes) -> None:
    response = exchange(server, request_bytes)
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"not a valid request" in response


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://elsewhere.example/magickpen/ HTTP/1.1", b"200"),
        (b"GET /magickpen/?x=http://elsewhere.example/ HTTP/1.1", b"200"),
        (b"OPTIONS * HTTP/1.1", b"404"),
        (b"CONNECT elsewhere.example:443 HTTP/1.1", b"404"),
        (b"BREW /magickpen/ HTTP/1.1", b"405"),
        (b"HEAD /cromicle/chat HTTP/1.1", b"405"),
    ],
)
def test_targets_and_methods_of_all_kinds(server: EmulatorServer, line: bytes, status: bytes) -> None:
    response = exchange(server, line + b"\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert response.split(b" ")[1] == status


def test_a_client_that_ended_its_side_gets_the_response_without_pauses(slow_server: EmulatorServer) -> None:
    with connect(slow_server) as client:
        client.sendall(CHAT)
        client.shutdown(socket.SHUT_WR)
        assert "Grüße" in unchunked(read_all(client))
    assert slow_server.wait_for(lambda records: records[-1].closed_early is False)


@pytest.mark.parametrize("linger", [b"\0\0\0\0\0\0\0\0", b"\1\0\0\0\0\0\0\0"], ids=["closed", "reset"])
def test_a_closed_connection_is_noticed(slow_server: EmulatorServer, linger: bytes) -> None:
    before = len(slow_server.requests)
    with connect(slow_server) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.sendall(CHAT)
        read_until(client, b"\r\n\r\n")
    assert slow_server.wait_for(lambda records: len(records) > before and records[-1].closed_early is True)


def test_a_client_that_sends_too_much_gets_the_rest_without_pauses(
    slow_server: EmulatorServer,
) -> None:
    with connect(slow_server) as client:
        client.sendall(CHAT)
        read_until(client, b"\r\n\r\n")
        client.sendall(b"x" * EARLY_LIMIT)
        read_until(client, END)


def test_a_client_that_keeps_a_finished_connection_open_is_disconnected(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator_connection, "LINGER_SECONDS", 0)
    with connect(server) as client:
        client.sendall(LAST)
        assert read_until(client, END)
        assert client.recv(1) == b""
