"""modelwire's `Client` and `AsyncClient`, with any of its providers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from clients.modelwire_transports import async_transport, blocking_transport
from clients.runners import OnOutput, Run
from modelwire.outputs import ImageReady, TextDelta
from modelwire_io import AsyncClient, Client
from modelwire_io.drive import AsyncTransport, Transport
from modelwire_io.store import MemoryStore

# Credentials that the emulators accept, for the providers that need some.
CREDENTIALS = {"arta": {"api_key": "emulated-key"}, "hailuo": {"token": "emulated-token"}}
PROMPT = "Say something long."
# g4f's original has the address of the script with the keys in its source. To find it takes five more requests.
OPTIONS: dict[str, dict[str, Any]] = {"magickpen": {"bundle": "/_nuxt/bf709a9ce19f14e18116.js"}}


def over_blocking(make_transport: Callable[[], Transport]) -> Run:
    """Get one answer after the other over one transport, each with a new client without stored credentials."""
    transport = make_transport()

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        for _ in range(streams):
            client = Client(transport=transport, base_url=url, store=MemoryStore(), environment={})
            ask = client.image if model == "arta" else client.chat
            for output in ask(model, PROMPT, credentials=CREDENTIALS.get(model), **OPTIONS.get(model, {})):
                if isinstance(output, TextDelta):
                    on_output(output.text)
                elif isinstance(output, ImageReady):
                    on_output(output.url)

    return run


def over_asyncio(make_transport: Callable[[], AsyncTransport]) -> Run:
    """The same on asyncio."""
    transport = make_transport()
    runner = asyncio.Runner()

    async def ask_all(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        for _ in range(streams):
            client = AsyncClient(transport=transport, base_url=url, store=MemoryStore(), environment={})
            ask = client.image if model == "arta" else client.chat
            async for output in ask(model, PROMPT, credentials=CREDENTIALS.get(model), **OPTIONS.get(model, {})):
                if isinstance(output, TextDelta):
                    on_output(output.text)
                elif isinstance(output, ImageReady):
                    on_output(output.url)

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        runner.run(ask_all(url, model, streams, on_output))

    return run


def run_over(variant: str) -> Run:
    """The client for a transport: `h11` (blocking), `h11 asyncio`, `httpx`, `httpx asyncio`."""
    transport, _, loop = variant.partition(" ")
    return over_asyncio(async_transport(transport)) if loop else over_blocking(blocking_transport(transport))
