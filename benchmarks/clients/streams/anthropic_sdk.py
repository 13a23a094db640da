"""Anthropic's own client, on events of its own API."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clients.openai_request import MESSAGES
from clients.runners import OnOutput, on_asyncio

anthropic = import_module("anthropic")
# Clients by base URL.
clients: dict[str, Any] = {}


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    if url not in clients:
        clients[url] = anthropic.AsyncAnthropic(
            api_key="emulated", base_url=url.removesuffix("/v1"), max_retries=0, timeout=600.0
        )
    options = {"model": model, "messages": MESSAGES, "max_tokens": 1000, "stream": True}
    answer = await clients[url].messages.create(**options)
    async for event in answer:
        if event.type == "content_block_delta":
            on_output(event.delta.text)


run = on_asyncio(stream)
