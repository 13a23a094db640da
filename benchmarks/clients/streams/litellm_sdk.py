"""litellm, on OpenAI's API."""

from __future__ import annotations

import os
from importlib import import_module

from clients.openai_request import MESSAGES
from clients.runners import OnOutput, on_asyncio

# Without this litellm downloads its list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# Connections: enough for 1,000 streams at a time.
os.environ["AIOHTTP_CONNECTOR_LIMIT"] = os.environ["AIOHTTP_CONNECTOR_LIMIT_PER_HOST"] = "5000"
litellm = import_module("litellm")


async def stream(url: str, model: str, on_output: OnOutput) -> None:
    options = {"model": f"openai/{model}", "messages": MESSAGES, "stream": True, "max_retries": 0, "timeout": 600.0}
    answer = await litellm.acompletion(api_base=url, api_key="emulated", **options)
    async for chunk in answer:
        text = chunk.choices[0].delta.content
        if text:
            on_output(text)


run = on_asyncio(stream)
