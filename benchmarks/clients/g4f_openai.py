"""g4f's provider for OpenAI's API, without its client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .running import MESSAGES, Take, on_asyncio

template: Any = import_module("g4f.Provider.template").OpenaiTemplate


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    template.models = [model]
    asked = {"model": model, "messages": MESSAGES, "stream": True, "api_base": url, "api_key": "emulated"}
    async for output in template.create_async_generator(**asked):
        if type(output) is str:
            take(output)


run = on_asyncio(stream)
