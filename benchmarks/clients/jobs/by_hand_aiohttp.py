"""Image jobs written by hand on aiohttp."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clients.runners import OnOutput, on_asyncio

from .by_hand import Headers, do_job

aiohttp = import_module("aiohttp")
# The one session, made inside the event loop.
sessions: list[Any] = []


async def send(method: str, url: str, headers: Headers, body: bytes) -> bytes:
    if not sessions:
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    async with sessions[0].request(method, url, headers=headers, data=body or None) as response:
        content: bytes = await response.read()
        return content


async def job(url: str, model: str, on_output: OnOutput) -> None:
    await do_job(url, send, on_output)


run = on_asyncio(job)
