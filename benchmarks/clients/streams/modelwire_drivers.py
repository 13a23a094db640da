"""modelwire's drivers over any of its transports, blocking, on asyncio or on trio."""

from __future__ import annotations

from collections.abc import Callable

import trio

from clients.modelwire_transports import async_transport, blocking_transport
from clients.openai_flow import OpenAiChat
from clients.runners import OnOutput, Run, blocking, on_asyncio
from modelwire.outputs import Output, TextDelta
from modelwire_io.drive import AsyncTransport, Transport, adrive, adrive_callback, drive


def drive_blocking(make_transport: Callable[[], Transport]) -> Run:
    """Run `drive` for one stream after the other, over one transport."""
    transport = make_transport()

    def stream(url: str, model: str, on_output: OnOutput) -> None:
        for output in drive(OpenAiChat(url=url, model=model), transport):
            if isinstance(output, TextDelta):
                on_output(output.text)

    return blocking(stream)


def drive_on_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """Run `adrive` for all streams concurrently, over one transport."""
    transport = make_transport()

    async def stream(url: str, model: str, on_output: OnOutput) -> None:
        await _read(transport, url, model, on_output)

    return on_asyncio(stream)


def call_back_on_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """Run `adrive_callback` for all streams concurrently, over one transport."""
    transport = make_transport()

    async def stream(url: str, model: str, on_output: OnOutput) -> None:
        def on_flow_output(output: Output) -> None:
            if isinstance(output, TextDelta):
                on_output(output.text)

        await adrive_callback(OpenAiChat(url=url, model=model), transport, on_flow_output)

    return on_asyncio(stream)


def drive_on_trio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """Run `adrive` for all streams concurrently. Each run has a transport, because each has a trio loop."""

    async def read_all(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        transport = make_transport()
        async with trio.open_nursery() as nursery:
            for _ in range(streams):
                nursery.start_soon(_read, transport, url, model, on_output)
        await transport.close()

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        trio.run(read_all, url, model, streams, on_output)

    return run


async def _read(transport: AsyncTransport, url: str, model: str, on_output: OnOutput) -> None:
    async for output in adrive(OpenAiChat(url=url, model=model), transport):
        if isinstance(output, TextDelta):
            on_output(output.text)


ASYNC_DRIVERS = {"asyncio": drive_on_asyncio, "adrive_callback": call_back_on_asyncio, "trio": drive_on_trio}


def run_over(variant: str) -> Run:
    """The client for a transport and a driver, e.g. `h11` (blocking), `h11 adrive_callback`, `httpx2 trio`."""
    transport, _, driver = variant.partition(" ")
    if not driver:
        return drive_blocking(blocking_transport(transport))
    return ASYNC_DRIVERS[driver](async_transport(transport))
