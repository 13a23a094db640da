"""httpx, httpx-sse and `json.loads`."""

from __future__ import annotations

import json
from importlib import import_module

from clients.openai_request import body
from clients.runners import OnOutput, on_asyncio

httpx = import_module("httpx")
httpx_sse = import_module("httpx_sse")
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    headers = {"content-type": "application/json"}
    options = {"content": body(model), "headers": headers}
    async with httpx_sse.aconnect_sse(client, "POST", f"{url}/chat/completions", **options) as source:
        async for event in source.aiter_sse():
            if event.data != "[DONE]":
                text = json.loads(event.data)["choices"][0]["delta"].get("content")
                if text:
                    on_output(text)


run = on_asyncio(stream)
