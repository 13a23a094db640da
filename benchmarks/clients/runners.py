"""Runners: they turn a client that reads one stream into one that reads many, in sequence or concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

OnOutput = Callable[[object], object]
# Base URL, model, callback.
BlockingStream = Callable[[str, str, OnOutput], None]
AsyncStream = Callable[[str, str, OnOutput], Awaitable[None]]
# Base URL, model, number of streams, callback.
Run = Callable[[str, str, int, OnOutput], None]


def blocking(stream: BlockingStream) -> Run:
    """Read one stream after the other."""

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        for _ in range(streams):
            stream(url, model, on_output)

    return run


def on_asyncio(stream: AsyncStream) -> Run:
    """Read all streams concurrently. All runs share one loop, because a library's connection pool belongs to a loop."""
    runner = asyncio.Runner()

    async def read_all(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        await asyncio.gather(*(stream(url, model, on_output) for _ in range(streams)))

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        runner.run(read_all(url, model, streams, on_output))

    return run
