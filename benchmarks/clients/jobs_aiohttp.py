"""Image jobs by hand, on aiohttp."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .jobs import Headers, do_job
from .running import Take, on_asyncio

aiohttp = import_module("aiohttp")
kept: list[Any] = []


async def send(method: str, url: str, headers: Headers, body: bytes) -> bytes:
    """One request."""
    if not kept:
        kept.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    async with kept[0].request(method, url, headers=headers, data=body or None) as response:
        content: bytes = await response.read()
        return content


async def job(url: str, model: str, take: Take) -> None:
    """One job."""
    await do_job(url, send, take)


run = on_asyncio(job)
