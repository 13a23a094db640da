"""httpx, httpx-sse and `json.loads`."""

from __future__ import annotations

import json
from importlib import import_module

from .running import Take, body, on_asyncio

httpx = import_module("httpx")
httpx_sse = import_module("httpx_sse")
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    headers = {"content-type": "application/json"}
    asked = {"content": body(model), "headers": headers}
    async with httpx_sse.aconnect_sse(client, "POST", f"{url}/chat/completions", **asked) as source:
        async for event in source.aiter_sse():
            if event.data != "[DONE]":
                text = json.loads(event.data)["choices"][0]["delta"].get("content")
                if text:
                    take(text)


run = on_asyncio(stream)
