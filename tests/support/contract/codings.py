"""Content codings: decoded in small steps; invalid data is a failure."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from modelwire.commands import SendRequest
from modelwire.errors import LimitExceeded
from modelwire.events import BodyReceived, ResponseEnded, ResponseStarted
from modelwire.formats.inflate import INFLATE_STEP_BYTES
from modelwire.limits import KIB, MIB, Limits
from modelwire_io.drive import AsyncTransport
from raw_server import PATIENCE, RawServer, response
from transport_calls import fetch, outputs_of

from .base import Contract
from .scripts import Ask, get, responding, saw_end

BOMB = gzip.compress(bytes(50 * MIB))


class Codings(Contract):
    """Compressed bodies."""

    @pytest.mark.parametrize(
        ("coding", "body"),
        [
            ("gzip", gzip.compress(b"text" * 50_000, mtime=0)),
            ("X-GZIP", gzip.compress(b"text" * 50_000, mtime=0)),
            ("deflate", zlib.compress(b"text" * 50_000)),
            ("deflate", zlib.compress(b"text" * 50_000)[2:-4]),
            ("identity", b"text" * 50_000),
        ],
    )
    async def test_undoes_content_codings(self, transport: AsyncTransport, coding: str, body: bytes) -> None:
        answer = response(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}", body=body)
        with RawServer(responding(answer)) as server:
            outcome = await fetch(transport, get(server.url))
        assert outcome.body == b"text" * 50_000
        assert coding == "identity" or max(map(len, outcome.pieces)) <= INFLATE_STEP_BYTES

    @pytest.mark.parametrize("coding", ["br", "gzip, gzip", "gzip"])
    async def test_a_coding_that_cannot_be_undone_is_a_failure_after_the_head(
        self, transport: AsyncTransport, coding: str
    ) -> None:
        answer = response(f"Content-Encoding: {coding}", "Content-Length: 3", body=b"abc", status="429 Slow")
        with RawServer(responding(answer)) as server:
            outcome = await fetch(transport, get(server.url))
            assert outcome.status == 429
            assert outcome.failure.kind == "protocol"

    async def test_a_compressed_body_that_is_cut_off_is_a_failure_of_the_network(
        self, transport: AsyncTransport
    ) -> None:
        body = gzip.compress(b"text")[:-1]
        answer = response("Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body)
        with RawServer(responding(answer)) as server:
            assert (await fetch(transport, get(server.url))).failure.kind == "network"

    async def test_a_bomb_comes_in_small_pieces(self, transport: AsyncTransport) -> None:
        assert len(BOMB) < 64 * KIB
        answer = response("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}", body=BOMB)
        with RawServer(responding(answer)) as server:
            deadline = transport.clock.now() + PATIENCE
            exchange = transport.open(SendRequest(1, get(server.url), deadline))
            assert isinstance(await exchange.receive(deadline), ResponseStarted)
            sizes = []
            while isinstance(event := await exchange.receive(deadline), BodyReceived):
                sizes.append(len(event.data))
            await exchange.close()
        assert isinstance(event, ResponseEnded)
        assert sum(sizes) == 50 * MIB
        assert max(sizes) <= INFLATE_STEP_BYTES

    async def test_a_bomb_ends_at_the_limit_of_the_flow(self, transport: AsyncTransport) -> None:
        answer = response("Content-Encoding: gzip", f"Content-Length: {len(BOMB) + 1}", body=BOMB)
        with RawServer(responding(answer)) as server:
            flow = Ask(urls=[server.url], limits=Limits(body=MIB))
            tracemalloc.start()
            try:
                with pytest.raises(LimitExceeded) as raised:
                    async for _ in outputs_of(flow, transport):
                        pass
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert await saw_end(server.connections[0])
        assert len(raised.value.failure.text) == MIB
        assert peak < 8 * MIB
