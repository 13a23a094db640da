"""Image jobs by modelwire over h11 on asyncio."""

from __future__ import annotations

from modelwire_io.transports import AsyncH11Transport

from .jobs_modelwire import do_job
from .running import Take, on_asyncio

transport = AsyncH11Transport()


async def job(url: str, model: str, take: Take) -> None:
    """One job."""
    await do_job(transport, url, take)


run = on_asyncio(job)
