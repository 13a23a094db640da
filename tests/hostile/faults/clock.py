"""Transports that do not sleep: they move their clock instead, and record each pause."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import anyio.to_thread

from modelwire.commands import SendRequest
from modelwire.events import Event
from modelwire_io.clock import Clock
from modelwire_io.drive import AsyncExchange, AsyncTransport, Exchange, Transport


class SkippingClock:
    """A clock that can be moved forward. `pauses` are the seconds of each move."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self.skipped = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self._inner.now() + self.skipped

    def anchor(self) -> None:
        self._inner.anchor()

    def skip_to(self, until: float) -> None:
        """Move the clock to `until`."""
        self.pauses.append(max(0.0, until - self.now()))
        self.skipped += self.pauses[-1]

    def earlier(self, command: SendRequest) -> SendRequest:
        """The command with its deadline in the inner clock's time."""
        return SendRequest(command.request_id, command.request, command.deadline - self.skipped)


class SkippingTransport:
    """A blocking transport that does not sleep, but calls `pause` instead."""

    def __init__(self, inner: Transport, pause: Callable[[], None]) -> None:
        self.clock = SkippingClock(inner.clock)
        self._inner = inner
        self._pause = pause

    def open(self, command: SendRequest) -> SkippingExchange:
        return SkippingExchange(self._inner.open(self.clock.earlier(command)), self.clock.skipped)

    def sleep(self, until: float) -> None:
        self._pause()
        self.clock.skip_to(until)

    def close(self) -> None:
        self._inner.close()


class SkippingExchange(NamedTuple):
    """An exchange whose inner clock is `behind` seconds late."""

    inner: Exchange
    behind: float

    def receive(self, until: float) -> Event:
        return self.inner.receive(until - self.behind)

    def close(self) -> None:
        self.inner.close()


class AsyncSkippingTransport:
    """An async transport that does not sleep. `pause` runs in a thread, so that the event loop is not blocked."""

    def __init__(self, inner: AsyncTransport, pause: Callable[[], None]) -> None:
        self.clock = SkippingClock(inner.clock)
        self._inner = inner
        self._pause = pause

    def open(self, command: SendRequest) -> AsyncSkippingExchange:
        return AsyncSkippingExchange(self._inner.open(self.clock.earlier(command)), self.clock.skipped)

    async def sleep(self, until: float) -> None:
        await anyio.to_thread.run_sync(self._pause)
        self.clock.skip_to(until)

    async def close(self) -> None:
        await self._inner.close()


class AsyncSkippingExchange(NamedTuple):
    """The async twin of `SkippingExchange`."""

    inner: AsyncExchange
    behind: float

    async def receive(self, until: float) -> Event:
        return await self.inner.receive(until - self.behind)

    async def close(self) -> None:
        await self.inner.close()
