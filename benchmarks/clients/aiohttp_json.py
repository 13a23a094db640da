"""aiohttp, line by line, and `json.loads`."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from .running import Take, body, on_asyncio

aiohttp = import_module("aiohttp")
kept: list[Any] = []


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    if not kept:
        kept.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    headers = {"content-type": "application/json"}
    async with kept[0].post(f"{url}/chat/completions", data=body(model), headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if text:
                    take(text)


run = on_asyncio(stream)
