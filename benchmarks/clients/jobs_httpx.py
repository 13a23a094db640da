"""Image jobs by hand, on httpx."""

from __future__ import annotations

from importlib import import_module

from .jobs import Headers, do_job
from .running import Take, on_asyncio

httpx = import_module("httpx")
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None))


async def send(method: str, url: str, headers: Headers, body: bytes) -> bytes:
    """One request."""
    response = await client.request(method, url, headers=headers, content=body)
    content: bytes = response.content
    return content


async def job(url: str, model: str, take: Take) -> None:
    """One job."""
    await do_job(url, send, take)


run = on_asyncio(job)
