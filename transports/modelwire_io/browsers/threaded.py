"""A blocking browser for async callers. Its methods run in threads; a cancelled caller does not wait for a script."""

from __future__ import annotations

import anyio
import anyio.to_thread

from modelwire.commands import Evaluate, OpenPage
from modelwire.events import Event
from modelwire_io.drive import Browser, Exchange


class ThreadedBrowser:
    """Makes an `AsyncBrowser` of a `Browser`."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def open_page(self, command: OpenPage) -> None:
        await anyio.to_thread.run_sync(self._browser.open_page, command)

    def evaluate(self, command: Evaluate) -> ThreadedExchange:
        return ThreadedExchange(self._browser.evaluate(command))

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._browser.close)


class ThreadedExchange:
    """One script in a page."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def receive(self, until: float) -> Event:
        # If the caller is cancelled, the thread ends when the exchange is closed.
        return await anyio.to_thread.run_sync(self._exchange.receive, until, abandon_on_cancel=True)

    async def close(self) -> None:
        self._exchange.close()
