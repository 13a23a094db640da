"""modelwire's drivers over one of its transports."""

from __future__ import annotations

from collections.abc import Callable

import trio

from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport, Transport, adrive, drive

from .openai_flow import OpenAiChat
from .running import Run, Take, blocking, on_asyncio


def drive_blocking(make_transport: Callable[[], Transport]) -> Run:
    """One stream after the other, over one transport."""
    transport = make_transport()

    def stream(url: str, model: str, take: Take) -> None:
        for output in drive(OpenAiChat(url=url, model=model), transport):
            if isinstance(output, TextDelta):
                take(output.text)

    return blocking(stream)


def drive_on_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """All at the same time, over one transport."""
    transport = make_transport()

    async def stream(url: str, model: str, take: Take) -> None:
        await _read(transport, url, model, take)

    return on_asyncio(stream)


def drive_on_trio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """All at the same time, over one transport a run: nothing lives longer than trio's loop does."""

    async def read_all(url: str, model: str, streams: int, take: Take) -> None:
        transport = make_transport()
        async with trio.open_nursery() as nursery:
            for _ in range(streams):
                nursery.start_soon(_read, transport, url, model, take)
        await transport.close()

    def run(url: str, model: str, streams: int, take: Take) -> None:
        trio.run(read_all, url, model, streams, take)

    return run


async def _read(transport: AsyncTransport, url: str, model: str, take: Take) -> None:
    async for output in adrive(OpenAiChat(url=url, model=model), transport):
        if isinstance(output, TextDelta):
            take(output.text)
