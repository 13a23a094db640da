"""Image jobs by modelwire over httpx on asyncio."""

from __future__ import annotations

from modelwire_io.transports import AsyncHttpxTransport

from .jobs_modelwire import do_job
from .running import Take, on_asyncio

transport = AsyncHttpxTransport()


async def job(url: str, model: str, take: Take) -> None:
    """One job."""
    await do_job(transport, url, take)


run = on_asyncio(job)
