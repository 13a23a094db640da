"""Failed requests, and the kind of each failure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelwire_io.drive import AsyncTransport
from raw_server import Connection, RawServer, chunk, refusing_url, response
from transport_calls import fetch
from transport_promises import CHUNK_SIZES
from transport_variants import TransportVariant

from .base import Contract
from .connections import ENDS
from .scripts import ending, get, responding, saw_end


class Failures(Contract):
    """Requests that fail."""

    async def test_a_refused_connection_is_a_failure_to_connect(self, transport: AsyncTransport) -> None:
        with refusing_url() as url:
            outcome = await fetch(transport, get(url))
        assert outcome.failure.kind == "connect"
        assert outcome.failure.detail

    unreachable_urls = (
        "http://name.invalid/",
        "http://a..b/",
        f"http://{'a' * 64}.invalid/",
        f"http://{'a.' * 200}invalid/",
        "http://127.0.0.1:0/",
        "http://0177.0.0.1/",
        "http://[::1%25lo0]:1/",
        "http://xn--a/",
        "http://exa%6dple.invalid/",
        "http://a%20b.invalid/",
        "http://a_b.invalid/",
        "https://a..b/",
        "https://.invalid/",
    )

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_an_unreachable_address_is_a_failure_to_connect(
        self, transport: AsyncTransport, public_only: bool
    ) -> None:
        for url in self.unreachable_urls:
            outcome = await fetch(transport, get(url, public_only=public_only))
            assert outcome.failure.kind == "connect", url

    @ENDS
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"HTTP/1.1 200 O", id="status line"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="in a header"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX-A: b\r\n", id="between headers"),
            pytest.param(response("Content-Length: 10", body=b"12345"), id="length"),
            pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345")), id="between chunks"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"a\r\n12345"), id="in a chunk"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"5\r\n12345"), id="after a chunk"),
            pytest.param(response("Transfer-Encoding: chunked", body=b"5\r\n12345\r"), id="in a line end"),
            pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345") + b"5"), id="in a chunk header"),
            pytest.param(response("Transfer-Encoding: chunked", body=chunk(b"12345") + b"0\r\n"), id="in the trailer"),
        ],
    )
    async def test_a_response_that_is_cut_off_is_a_network_failure(
        self, transport: AsyncTransport, data: bytes, end: Callable[[Connection], None]
    ) -> None:
        with RawServer(ending(data, end)) as server:
            assert (await fetch(transport, get(server.url))).failure.kind == "network"

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n\r\n", id="other protocol"),
            pytest.param(b"\x00" * 100 + b"\r\n\r\n", id="zeros"),
            pytest.param(b"HTTP/1.1 200 OK\r\nBad Name: secret\r\n\r\n", id="header"),
            pytest.param(response("Content-Length: 5, 6"), id="length"),
            pytest.param(response("Content-Length: -5"), id="negative length"),
            pytest.param(response("Content-Length: 5", "Content-Length: 6"), id="two lengths"),
            pytest.param(response(f"X-Long: {'secret' * 30_000}"), id="endless head"),
            pytest.param(response("Transfer-Encoding: zip"), id="transfer coding"),
        ],
    )
    async def test_a_response_that_is_not_http_is_a_protocol_failure(
        self, transport: AsyncTransport, data: bytes
    ) -> None:
        with RawServer(responding(data)) as server:
            outcome = await fetch(transport, get(server.url))
            assert outcome.failure.kind == "protocol"
            assert "secret" not in outcome.failure.detail
            assert await saw_end(server.connections[0])

    async def test_a_chunk_without_a_size_is_a_protocol_failure(
        self, variant: TransportVariant, transport: AsyncTransport
    ) -> None:
        with RawServer(responding(response("Transfer-Encoding: chunked", body=b"secret\r\n"))) as server:
            outcome = await fetch(transport, get(server.url))
            assert outcome.failure.kind == ("protocol" if variant.keeps(CHUNK_SIZES) else "network")
            assert "secret" not in outcome.failure.detail
            assert await saw_end(server.connections[0])
