"""anthropic, on events of its own API."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .running import MESSAGES, Take, on_asyncio

anthropic = import_module("anthropic")
kept: dict[str, Any] = {}


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    if url not in kept:
        kept[url] = anthropic.AsyncAnthropic(
            api_key="emulated", base_url=url.removesuffix("/v1"), max_retries=0, timeout=600.0
        )
    asked = {"model": model, "messages": MESSAGES, "max_tokens": 1000, "stream": True}
    answer = await kept[url].messages.create(**asked)
    async for event in answer:
        if event.type == "content_block_delta":
            take(event.delta.text)


run = on_asyncio(stream)
