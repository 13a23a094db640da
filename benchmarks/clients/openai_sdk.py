"""openai."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .running import MESSAGES, Take, on_asyncio

openai = import_module("openai")
kept: dict[str, Any] = {}


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    if url not in kept:
        kept[url] = openai.AsyncOpenAI(api_key="emulated", base_url=url, max_retries=0, timeout=600.0)
    answer = await kept[url].chat.completions.create(model=model, messages=MESSAGES, stream=True)
    async for chunk in answer:
        text = chunk.choices[0].delta.content
        if text:
            take(text)


run = on_asyncio(stream)
