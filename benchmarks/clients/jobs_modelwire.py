"""Image jobs by modelwire's ARTA, and its downloads."""

from __future__ import annotations

from functools import cache

from modelwire.download import ImageDownload
from modelwire.outputs import ImageReady, ImageReceived
from modelwire.provider import with_base_url
from modelwire.providers.arta import ArtaCredentials, ArtaEndpoints, ArtaImage, ArtaOptions
from modelwire_io.drive import AsyncTransport, adrive

from .running import Take

CREDENTIALS = ArtaCredentials(api_key="emulated")
# As short as may be.
OPTIONS = ArtaOptions(poll_interval=0.1)

endpoints = cache(lambda url: with_base_url(ArtaEndpoints, url))


async def do_job(transport: AsyncTransport, url: str, take: Take) -> None:
    """One job."""
    flow = ArtaImage(prompt="a dragon", credentials=CREDENTIALS, options=OPTIONS, endpoints=endpoints(url))
    async for output in adrive(flow, transport):
        if isinstance(output, ImageReady):
            async for received in adrive(ImageDownload(url=output.url, provider_url=url), transport):
                if isinstance(received, ImageReceived):
                    take(received.data)
