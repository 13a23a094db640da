"""g4f's provider for OpenAI's API, without g4f's client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clients.openai_request import MESSAGES
from clients.runners import OnOutput, on_asyncio

template: Any = import_module("g4f.Provider.template").OpenaiTemplate


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    template.models = [model]
    options = {"model": model, "messages": MESSAGES, "stream": True, "api_base": url, "api_key": "emulated"}
    async for output in template.create_async_generator(**options):
        if type(output) is str:
            on_output(output)


run = on_asyncio(stream)
