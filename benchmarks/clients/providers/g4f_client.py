"""g4f's client over its original providers, on the emulators."""

from __future__ import annotations

from importlib import import_module

from clients.runners import OnOutput

from .g4f_providers import MESSAGES, fresh_provider, on_one_loop

g4f = import_module("g4f.client")
# Without this g4f asks a server for its latest release.
import_module("g4f.debug").__dict__["version_check"] = False


async def _ask_all(url: str, model: str, streams: int, on_output: OnOutput) -> None:
    for _ in range(streams):
        client = g4f.AsyncClient(provider=fresh_provider(model, url))
        async for chunk in client.chat.completions.create(messages=MESSAGES, model="", stream=True):
            text = chunk.choices[0].delta.content
            if text:
                on_output(text)


run = on_one_loop(_ask_all)
