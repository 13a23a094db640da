"""modelwire's drivers over any of its transports, in any style."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pkgutil import resolve_name

import trio

from modelwire.outputs import Output, TextDelta
from modelwire_io.drive import AsyncTransport, Transport, adrive, adrive_callback, drive

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


def deliver_on_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """The same, called back with each output."""
    transport = make_transport()

    async def stream(url: str, model: str, take: Take) -> None:
        def show(output: Output) -> None:
            if isinstance(output, TextDelta):
                take(output.text)

        await adrive_callback(OpenAiChat(url=url, model=model), transport, show)

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


# What a transport is called here, and its class; only the library that it needs is imported.
BLOCKING = {
    "h11": "h11_transport:H11Transport",
    "httpx": "httpx_transport:HttpxTransport",
    "urllib3": "urllib3_transport:Urllib3Transport",
    "urllib": "urllib_transport:UrllibTransport",
}
ASYNC = {
    "h11": "h11_transport:AsyncH11Transport",
    "httpx": "httpx_transport:AsyncHttpxTransport",
    "aiohttp": "aiohttp_transport:AsyncAiohttpTransport",
}
DRIVERS = {"asyncio": drive_on_asyncio, "adeliver": deliver_on_asyncio, "trio": drive_on_trio}


def run_over(variant: str) -> Run:
    """The client over a transport in a style: `h11` (blocking), `httpx2 asyncio`, `h11 adrive_callback`, `h11 trio`."""
    name, _, style = variant.partition(" ")
    classes = ASYNC if style else BLOCKING
    found = resolve_name(f"modelwire_io.{classes['httpx' if name == 'httpx2' else name]}")
    make = partial(found, library="httpx2") if name == "httpx2" else found
    return DRIVERS[style](make) if style else drive_blocking(make)
