"""The floor on asyncio: an `asyncio.Protocol` with the same chunk reader, decoder and typed JSON."""

from __future__ import annotations

import asyncio
from typing import cast

from clients.minimal_http import address, request
from clients.runners import OnOutput, on_asyncio

from .own_chunk_reader import Reader


class Connection(asyncio.Protocol):
    """One connection, for one request."""

    def __init__(self, request_bytes: bytes, on_output: OnOutput) -> None:
        self._request = request_bytes
        self._reader = Reader(on_output)
        self._transport: asyncio.Transport | None = None
        self.is_over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._reader.receive(data):
            self._transport.close()
            self.is_over.set_result(None)


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    request_bytes = request(url, model)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(request_bytes, on_output), *address(url))
    await connection.is_over


run = on_asyncio(stream)
