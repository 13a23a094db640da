"""Transports that do not sleep: the pauses of a flow pass at once, and are written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import anyio.to_thread

from modelwire.commands import SendRequest
from modelwire.events import Event
from modelwire_io.clock import Clock
from modelwire_io.drive import AsyncExchange, AsyncTransport, Exchange, Transport


class SkippingClock:
    """A clock that can be put forward. `pauses` are the seconds by which it was, each time."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self.skipped = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        """The time."""
        return self._inner.now() + self.skipped

    def anchor(self) -> None:
        """A flow begins."""
        self._inner.anchor()

    def skip_to(self, until: float) -> None:
        """Let the time up to `until` pass at once."""
        self.pauses.append(max(0.0, until - self.now()))
        self.skipped += self.pauses[-1]

    def earlier(self, command: SendRequest) -> SendRequest:
        """The command in terms of the inner clock."""
        return SendRequest(command.request_id, command.request, command.deadline - self.skipped)


class SkippingTransport:
    """A blocking transport that does not sleep, but calls `pause` instead."""

    def __init__(self, inner: Transport, pause: Callable[[], None]) -> None:
        self.clock = SkippingClock(inner.clock)
        self._inner = inner
        self._pause = pause

    def open(self, command: SendRequest) -> SkippingExchange:
        """Begin an exchange."""
        return SkippingExchange(self._inner.open(self.clock.earlier(command)), self.clock.skipped)

    def sleep(self, until: float) -> None:
        """It is then."""
        self._pause()
        self.clock.skip_to(until)

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()


class SkippingExchange(NamedTuple):
    """An exchange whose own clock is `behind` by so many seconds."""

    inner: Exchange
    behind: float

    def receive(self, until: float) -> Event:
        """The next event."""
        return self.inner.receive(until - self.behind)

    def close(self) -> None:
        """Let go of the connection."""
        self.inner.close()


class AsyncSkippingTransport:
    """The same for async code. `pause` runs in a thread: what it waits for may be the event loop's to do."""

    def __init__(self, inner: AsyncTransport, pause: Callable[[], None]) -> None:
        self.clock = SkippingClock(inner.clock)
        self._inner = inner
        self._pause = pause

    def open(self, command: SendRequest) -> AsyncSkippingExchange:
        """Begin an exchange."""
        return AsyncSkippingExchange(self._inner.open(self.clock.earlier(command)), self.clock.skipped)

    async def sleep(self, until: float) -> None:
        """It is then."""
        await anyio.to_thread.run_sync(self._pause)
        self.clock.skip_to(until)

    async def close(self) -> None:
        """Close every connection."""
        await self._inner.close()


class AsyncSkippingExchange(NamedTuple):
    """The same for async code."""

    inner: AsyncExchange
    behind: float

    async def receive(self, until: float) -> Event:
        """The next event."""
        return await self.inner.receive(until - self.behind)

    async def close(self) -> None:
        """Let go of the connection."""
        await self.inner.close()
