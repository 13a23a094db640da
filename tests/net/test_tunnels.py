"""Asking a proxy for a tunnel: what is said, and which answers open one."""

from __future__ import annotations

import pytest

from modelwire.errors import ConnectError
from modelwire_io.net.proxies import Proxy
from modelwire_io.net.routes import Route
from modelwire_io.net.tunnels import MOST_ANSWER_BYTES, ConnectTunnel
from played_flow import bytewise, two_part_cuts


def tunnel_to(host: str, user: str | None = None) -> ConnectTunnel:
    proxy = Proxy("http", "p.example", 8080, user, None if user is None else "secret")
    return ConnectTunnel(proxy, Route("https", host, 443, proxy, False))


def test_asks_for_the_server_and_says_nothing_of_itself() -> None:
    assert tunnel_to("name.example").request == (b"CONNECT name.example:443 HTTP/1.1\r\nHost: name.example:443\r\n\r\n")
    assert tunnel_to("::1", "user").request == (
        b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200\r\nX-A: b\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 201 \r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
    ],
)
def test_an_answer_that_says_yes_opens_it_however_it_is_cut(answer: bytes) -> None:
    for pieces in (bytewise(answer), *two_part_cuts(answer)):
        tunnel = tunnel_to("name.example")
        assert [tunnel.receive(piece) for piece in pieces if piece][-1]
        assert b"".join(pieces) == answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused to open a tunnel: status 403"),
        (b"HTTP/1.1 407 Secret\r\nX-Secret: secret\r\n\r\n", "the proxy refused to open a tunnel: status 407"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "the proxy refused to open a tunnel: status 302"),
        (b"HTTP/2 200\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"secret\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nsecret", "the proxy sent more than its answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * MOST_ANSWER_BYTES, "the proxy's answer exceeds 16384 bytes"),
        (b"", "the proxy closed the connection instead of opening a tunnel"),
    ],
)
def test_any_other_answer_is_a_failure_to_connect(answer: bytes, message: str) -> None:
    with pytest.raises(ConnectError) as raised:
        tunnel_to("name.example").receive(answer)
    assert str(raised.value) == message
