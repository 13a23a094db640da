"""An `asyncio.Protocol` with an own chunk reader, modelwire's decoder and typed JSON."""

from __future__ import annotations

import asyncio
from typing import cast

from .own_reader import Reading
from .running import Take, on_asyncio
from .wire import address, request


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, asked: bytes, take: Take) -> None:
        self._asked = asked
        self._reading = Reading(take)
        self._transport: asyncio.Transport | None = None
        self.is_over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        """Read."""
        assert self._transport is not None
        if self._reading.receive(data):
            self._transport.close()
            self.is_over.set_result(None)


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    asked = request(url, model)
    loop = asyncio.get_running_loop()
    _, conversation = await loop.create_connection(lambda: Conversation(asked, take), *address(url))
    await conversation.is_over


run = on_asyncio(stream)
