"""aiohttp, read line by line, and `json.loads`."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from clients.openai_request import body
from clients.runners import OnOutput, on_asyncio

aiohttp = import_module("aiohttp")
# The one session, made inside the event loop.
sessions: list[Any] = []


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    if not sessions:
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    headers = {"content-type": "application/json"}
    async with sessions[0].post(f"{url}/chat/completions", data=body(model), headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if text:
                    on_output(text)


run = on_asyncio(stream)
