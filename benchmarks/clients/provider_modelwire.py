"""modelwire's providers, by its clients: the URL is that of an emulator, the model is the provider's name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from modelwire.outputs import ImageReady, TextDelta
from modelwire_io import AsyncClient, Client
from modelwire_io.client.client import EMULATED_CREDENTIALS
from modelwire_io.drive import AsyncTransport, Transport
from modelwire_io.store import MemoryStore

from .running import Run, Take

PROMPT = "Say something long."
# The original knows which script of the site has the keys. Without being told so, it takes five requests more.
OPTIONS: dict[str, dict[str, Any]] = {"magickpen": {"bundle": "/_nuxt/bf709a9ce19f14e18116.js"}}


def over_blocking(make_transport: Callable[[], Transport]) -> Run:
    """One answer after the other, each of a client that has logged in nowhere, over one transport."""
    transport = make_transport()

    def run(url: str, model: str, streams: int, take: Take) -> None:
        for _ in range(streams):
            client = Client(transport=transport, base_url=url, store=MemoryStore(), environment={})
            ask = client.image if model == "arta" else client.chat
            for output in ask(model, PROMPT, credentials=EMULATED_CREDENTIALS.get(model), **OPTIONS.get(model, {})):
                if isinstance(output, TextDelta):
                    take(output.text)
                elif isinstance(output, ImageReady):
                    take(output.url)

    return run


def over_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """The same on asyncio."""
    transport = make_transport()
    runner = asyncio.Runner()

    async def ask_all(url: str, model: str, streams: int, take: Take) -> None:
        for _ in range(streams):
            client = AsyncClient(transport=transport, base_url=url, store=MemoryStore(), environment={})
            ask = client.image if model == "arta" else client.chat
            async for output in ask(
                model, PROMPT, credentials=EMULATED_CREDENTIALS.get(model), **OPTIONS.get(model, {})
            ):
                if isinstance(output, TextDelta):
                    take(output.text)
                elif isinstance(output, ImageReady):
                    take(output.url)

    def run(url: str, model: str, streams: int, take: Take) -> None:
        runner.run(ask_all(url, model, streams, take))

    return run
