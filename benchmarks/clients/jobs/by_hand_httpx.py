"""Image jobs written by hand on httpx."""

from __future__ import annotations

from importlib import import_module

from clients.runners import OnOutput, on_asyncio

from .by_hand import Headers, do_job

httpx = import_module("httpx")
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None))


async def send(method: str, url: str, headers: Headers, body: bytes) -> bytes:
    response = await client.request(method, url, headers=headers, content=body)
    content: bytes = response.content
    return content


async def job(url: str, model: str, on_output: OnOutput) -> None:
    await do_job(url, send, on_output)


run = on_asyncio(job)
