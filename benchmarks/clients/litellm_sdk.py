"""litellm."""

from __future__ import annotations

import os
from importlib import import_module

from .running import MESSAGES, Take, on_asyncio

# Its list of prices would be fetched from elsewhere.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# A thousand streams at a time.
os.environ["AIOHTTP_CONNECTOR_LIMIT"] = os.environ["AIOHTTP_CONNECTOR_LIMIT_PER_HOST"] = "5000"
litellm = import_module("litellm")


async def stream(url: str, model: str, take: Take) -> None:
    """One answer."""
    asked = {"model": f"openai/{model}", "messages": MESSAGES, "stream": True, "max_retries": 0, "timeout": 600.0}
    answer = await litellm.acompletion(api_base=url, api_key="emulated", **asked)
    async for chunk in answer:
        text = chunk.choices[0].delta.content
        if text:
            take(text)


run = on_asyncio(stream)
