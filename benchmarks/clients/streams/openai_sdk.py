"""OpenAI's own client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clients.openai_request import MESSAGES
from clients.runners import OnOutput, on_asyncio

openai = import_module("openai")
# Clients by base URL.
clients: dict[str, Any] = {}


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    if url not in clients:
        clients[url] = openai.AsyncOpenAI(api_key="emulated", base_url=url, max_retries=0, timeout=600.0)
    answer = await clients[url].chat.completions.create(model=model, messages=MESSAGES, stream=True)
    async for chunk in answer:
        text = chunk.choices[0].delta.content
        if text:
            on_output(text)


run = on_asyncio(stream)
