"""Image jobs by modelwire over h11 on trio."""

from __future__ import annotations

import trio

from modelwire_io.transports import AsyncH11Transport

from .jobs_modelwire import do_job
from .running import Take


async def _do_all(url: str, streams: int, take: Take) -> None:
    transport = AsyncH11Transport()
    async with trio.open_nursery() as nursery:
        for _ in range(streams):
            nursery.start_soon(do_job, transport, url, take)
    await transport.close()


def run(url: str, model: str, streams: int, take: Take) -> None:
    """All jobs at the same time."""
    trio.run(_do_all, url, streams, take)
