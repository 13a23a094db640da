"""A blocking browser for async callers: it works in threads, and a caller that is cancelled does not wait for it."""

from __future__ import annotations

import anyio
import anyio.to_thread

from modelwire.commands import Evaluate, OpenPage
from modelwire.events import Event
from modelwire_io.drive import Browser, Exchange


class ThreadedBrowser:
    """What `adrive` asks for, made of what `drive` asks for."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def open_page(self, command: OpenPage) -> None:
        """Open a page, in a browser that is started if there is none yet."""
        await anyio.to_thread.run_sync(self._browser.open_page, command)

    def evaluate(self, command: Evaluate) -> ThreadedExchange:
        """Begin to evaluate a script in the page."""
        return ThreadedExchange(self._browser.evaluate(command))

    async def close(self) -> None:
        """End the browser, also where the caller is cancelled."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._browser.close)


class ThreadedExchange:
    """One script in a page."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def receive(self, until: float) -> Event:
        """What the script came to, or `Woken` at `until` (Unix time, seconds)."""
        # A thread that nobody waits for any more ends when the exchange is closed.
        return await anyio.to_thread.run_sync(self._exchange.receive, until, abandon_on_cancel=True)

    async def close(self) -> None:
        """Nothing more of it is wanted."""
        self._exchange.close()
