"""How a client that reads one stream reads many: one after the other, or at the same time on an event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

Take = Callable[[object], object]
BlockingStream = Callable[[str, str, Take], None]
AsyncStream = Callable[[str, str, Take], Awaitable[None]]
Run = Callable[[str, str, int, Take], None]

MESSAGES = [{"role": "user", "content": "Say something."}]


def body(model: str) -> bytes:
    """What is asked of OpenAI's API."""
    return json.dumps({"model": model, "messages": MESSAGES, "stream": True}).encode()


def blocking(stream: BlockingStream) -> Run:
    """One after the other."""

    def run(url: str, model: str, streams: int, take: Take) -> None:
        for _ in range(streams):
            stream(url, model, take)

    return run


def on_asyncio(stream: AsyncStream) -> Run:
    """All at the same time, on one loop that stays: what a library keeps belongs to it."""
    runner = asyncio.Runner()

    async def read_all(url: str, model: str, streams: int, take: Take) -> None:
        await asyncio.gather(*(stream(url, model, take) for _ in range(streams)))

    def run(url: str, model: str, streams: int, take: Take) -> None:
        runner.run(read_all(url, model, streams, take))

    return run
