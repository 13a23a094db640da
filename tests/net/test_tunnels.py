"""CONNECT: the request to the proxy, and the responses that open a tunnel."""

from __future__ import annotations

import pytest

from modelwire.errors import ConnectError
from modelwire_io.net.proxies import Proxy
from modelwire_io.net.routes import Route
from modelwire_io.net.tunnels import MAX_HEAD_BYTES, ConnectTunnel
from played_flow import bytewise, two_part_cuts


def tunnel_to(host: str, user: str | None = None) -> ConnectTunnel:
    proxy = Proxy("http", "p.example", 8080, user, None if user is None else "secret")
    return ConnectTunnel(proxy, Route("https", host, 443, proxy, False))


def test_the_request_names_the_server_and_identifies_no_client() -> None:
    assert tunnel_to("name.example").request == (b"CONNECT name.example:443 HTTP/1.1\r\nHost: name.example:443\r\n\r\n")
    assert tunnel_to("::1", "user").request == (
        b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"
    )


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200\r\nX-A: b\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 201 \r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
    ],
)
def test_a_2xx_response_opens_the_tunnel_however_it_is_cut(response: bytes) -> None:
    for pieces in (bytewise(response), *two_part_cuts(response)):
        tunnel = tunnel_to("name.example")
        assert [tunnel.receive(piece) for piece in pieces if piece][-1]
        assert b"".join(pieces) == response


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused to open a tunnel: status 403"),
        (b"HTTP/1.1 407 Secret\r\nX-Secret: secret\r\n\r\n", "the proxy refused to open a tunnel: status 407"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "the proxy refused to open a tunnel: status 302"),
        (b"HTTP/2 200\r\n\r\n", "the proxy's response is not HTTP"),
        (b"secret\r\n\r\n", "the proxy's response is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nsecret", "the proxy sent data after its response"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * MAX_HEAD_BYTES, "the proxy's response exceeds 16384 bytes"),
        (b"", "the proxy closed the connection instead of opening a tunnel"),
    ],
)
def test_any_other_response_is_a_failure_to_connect(response: bytes, message: str) -> None:
    with pytest.raises(ConnectError) as raised:
        tunnel_to("name.example").receive(response)
    assert str(raised.value) == message
