"""Requests as the server receives them: exactly the given headers, and framing."""

from __future__ import annotations

from typing import ClassVar

from modelwire.http import Request
from modelwire.limits import KIB
from modelwire_io.drive import AsyncTransport
from raw_server import OK, Connection, RawServer, response
from transport_calls import fetch
from transport_promises import EMPTY_QUERIES, HEADER_BYTES, LONG_URLS
from transport_variants import TransportVariant

from .base import Contract
from .scripts import EMPTY, get, responding


class Sending(Contract):
    """The bytes of a request."""

    async def test_sends_only_the_given_headers_and_framing(self, transport: AsyncTransport) -> None:
        headers = (("X-Mixed-CASE", "1"), ("accept", "*/*"), ("x-twice", "a"), ("x-twice", "b"), ("cookie", "a=b"))
        with RawServer(responding(EMPTY)) as server:
            request = Request(method="POST", url=f"{server.url}/path", headers=headers, body=b"\x00body")
            assert (await fetch(transport, request)).status == 200
            head, body = server.connections[0].received.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        assert first == "POST /path HTTP/1.1"
        framing = [f"Host: 127.0.0.1:{server.port}", "Content-Length: 5"]
        assert [line for line in lines if line not in framing] == [f"{name}: {value}" for name, value in headers]
        assert sorted(line for line in lines if line in framing) == sorted(framing)
        assert body == b"\x00body"

    async def test_given_framing_replaces_its_own(self, transport: AsyncTransport) -> None:
        headers = (("host", "name.invalid"), ("content-length", "2"), ("user-agent", "x"), ("accept-encoding", "gzip"))
        with RawServer(responding(EMPTY)) as server:
            await fetch(transport, Request(method="POST", url=server.url, headers=headers, body=b"ok"))
            lines = server.connections[0].received.decode().lower().split("\r\n")
        assert sorted(lines[1:]) == sorted([*(f"{name}: {value}" for name, value in headers), "", "ok"])

    async def test_sends_header_bytes_beyond_ascii_unchanged(
        self, variant: TransportVariant, transport: AsyncTransport
    ) -> None:
        with RawServer(responding(EMPTY)) as server:
            outcome = await fetch(transport, Request(method="GET", url=server.url, headers=(("x-name", "caf\xe9"),)))
            if variant.keeps(HEADER_BYTES):
                assert b"\r\nx-name: caf\xe9\r\n" in server.connections[0].received
            else:
                assert outcome.failure.kind == "connect"
                assert "beyond ASCII" in outcome.failure.detail
                assert server.connections == []

    async def test_sends_an_empty_body_with_a_length(self, transport: AsyncTransport) -> None:
        with RawServer(responding(EMPTY)) as server:
            await fetch(transport, Request(method="POST", url=server.url))
            lines = server.connections[0].received.decode().split("\r\n")
        assert lines == ["POST / HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Length: 0", "", ""]

    async def test_sends_no_framing_for_a_get_without_a_body(self, transport: AsyncTransport) -> None:
        with RawServer(responding(EMPTY)) as server:
            await fetch(transport, get(server.url))
            sent = server.connections[0].received.decode()
        assert sent == f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"

    async def test_sends_a_large_body(self, transport: AsyncTransport) -> None:
        body = bytes(range(256)) * 8 * KIB
        with RawServer(responding(OK)) as server:
            assert (await fetch(transport, Request(method="POST", url=server.url, body=body))).body == b"ok"
            assert server.connections[0].received.endswith(b"\r\n\r\n" + body)

    async def test_receives_a_response_that_comes_before_the_request_is_sent(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.read_head()
            connection.send(response("Connection: close", "Content-Length: 2", status="413 Too Large", body=b"no"))
            connection.wait_for_end()

        with RawServer(script) as server:
            request = Request(method="POST", url=server.url, body=bytes(8 * KIB * KIB))
            assert (await fetch(transport, request)).status == 413

    targets: ClassVar = {
        "": "/",
        "?a": "/?a",
        "/a%2fb%2F%7e%41?x=%7E+%20~": "/a%2fb%2F%7e%41?x=%7E+%20~",
        "/100%?x=%zz%": "/100%?x=%zz%",
        "/[1]{2}|3|^`<4>\"'\\?[1]{2}|3|^`<4>\"'\\": "/[1]{2}|3|^`<4>\"'\\?[1]{2}|3|^`<4>\"'\\",
        "/a/../b/./c//d": "/a/../b/./c//d",
        "//a": "//a",
        "/a;b=c,d:e@f!$&()*=?a;b=c,d:e@f!$&()*=/?": "/a;b=c,d:e@f!$&()*=?a;b=c,d:e@f!$&()*=/?",
        f"/{'a' * 70_000}": f"/{'a' * 70_000}",
        "/a#b?c": "/a",
        "#b": "/",
    }

    async def test_sends_the_url_unchanged(self, variant: TransportVariant, transport: AsyncTransport) -> None:
        targets = self.targets | {"/?": "/?" if variant.keeps(EMPTY_QUERIES) else "/"}
        if not variant.keeps(LONG_URLS):
            targets = {written: target for written, target in targets.items() if len(target) < 64 * KIB}
        with RawServer(responding(*[EMPTY] * len(targets)), *[responding(EMPTY)] * len(targets)) as server:
            for written in targets:
                assert (await fetch(transport, get(server.url + written))).body == b""
            lines = b"".join(connection.received for connection in server.connections).decode().split("\r\n")
        assert [line.split(" ")[1] for line in lines if line.startswith("GET ")] == list(targets.values())

    async def test_keeps_no_cookies(self, transport: AsyncTransport, names: dict[str, list[str]]) -> None:
        # A cookie jar may ignore those of an IP address.
        names["jar.example"] = ["127.0.0.1"]
        answer = response("Set-Cookie: a=b; Path=/", "Content-Length: 0")
        with RawServer(responding(answer, answer), responding(answer)) as server:
            for _ in range(2):
                outcome = await fetch(transport, get(f"http://jar.example:{server.port}/"))
                assert ("Set-Cookie", "a=b; Path=/") in outcome.headers
            assert all(b"ookie" not in connection.received for connection in server.connections)

    async def test_follows_no_redirects(self, transport: AsyncTransport) -> None:
        with RawServer(responding(response("Location: /there", "Content-Length: 0", status="302 Found"))) as server:
            outcome = await fetch(transport, get(server.url))
            assert outcome.status == 302
            assert outcome.body == b""
            assert server.connections[0].received.count(b"GET ") == 1
