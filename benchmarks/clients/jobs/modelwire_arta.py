"""Image jobs by modelwire's ARTA flow and its download flow, over a transport on asyncio or trio."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import trio

from clients.modelwire_transports import async_transport
from clients.runners import OnOutput, Run, on_asyncio
from modelwire.download import ImageDownload
from modelwire.outputs import ImageReady, ImageReceived
from modelwire.provider import with_base_url
from modelwire.providers.arta import ArtaCredentials, ArtaEndpoints, ArtaImage, ArtaOptions
from modelwire_io.drive import AsyncTransport, adrive

CREDENTIALS = ArtaCredentials(api_key="emulated")
# Seconds between polls: the shortest that the provider allows.
OPTIONS = ArtaOptions(poll_interval=0.1)

endpoints = cache(lambda url: with_base_url(ArtaEndpoints(), url))


async def do_job(transport: AsyncTransport, url: str, on_output: OnOutput) -> None:
    """Run one job and download its image."""
    flow = ArtaImage(prompt="a dragon", credentials=CREDENTIALS, options=OPTIONS, endpoints=endpoints(url))
    async for output in adrive(flow, transport):
        if isinstance(output, ImageReady):
            async for received in adrive(ImageDownload(url=output.url, provider_url=url), transport):
                if isinstance(received, ImageReceived):
                    on_output(received.data)


def jobs_on_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """Run all jobs concurrently, over one transport."""
    transport = make_transport()

    async def job(url: str, model: str, on_output: OnOutput) -> None:
        await do_job(transport, url, on_output)

    return on_asyncio(job)


def jobs_on_trio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """Run all jobs concurrently. Each run has a transport, because each has a trio loop."""

    async def do_all(url: str, streams: int, on_output: OnOutput) -> None:
        transport = make_transport()
        async with trio.open_nursery() as nursery:
            for _ in range(streams):
                nursery.start_soon(do_job, transport, url, on_output)
        await transport.close()

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        trio.run(do_all, url, streams, on_output)

    return run


LOOPS = {"asyncio": jobs_on_asyncio, "trio": jobs_on_trio}


def run_over(variant: str) -> Run:
    """The client for a transport and a loop: `h11 asyncio`, `h11 trio`, `httpx asyncio`."""
    transport, _, loop = variant.partition(" ")
    return LOOPS[loop](async_transport(transport))
