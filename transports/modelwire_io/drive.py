"""The two drivers: they hand a flow its events, and do what it commands.

Each is one loop. The blocking and the async one are the same text but for the words `async` and `await`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from typing import Protocol

from modelwire.commands import AbortRequest, Command, Finished, SendRequest, Sleep
from modelwire.errors import LocalProtocolError
from modelwire.events import Event, Start, Woken
from modelwire.outputs import Output

from .clock import Clock

COMMANDS = (SendRequest, AbortRequest, Sleep, Finished)


class Drivable(Protocol):
    """What the drivers run: a `Flow`, or what stands before one, such as a `Recorder`."""

    @property
    def deadline(self) -> float:
        """When the wait under way must be over (Unix time, seconds)."""
        ...

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """Everything there is to do and to tell after this event."""
        ...


class Exchange(Protocol):
    """One request on its way, as a blocking transport carries it."""

    def receive(self, until: float) -> Event:
        """The next event of this request, or `Woken` at `until` (Unix time, seconds) when nothing came by then.

        After `Woken` the exchange may be closed, but not received from again.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; one whose response was not read to its end is closed."""
        ...


class Transport(Protocol):
    """What `drive` asks for. `open` does nothing that can fail: failures come out of `Exchange.receive`."""

    @property
    def clock(self) -> Clock:
        """The time that the flow is told."""
        ...

    def open(self, command: SendRequest) -> Exchange:
        """Begin an exchange."""
        ...

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class AsyncExchange(Protocol):
    """One request on its way, as an async transport carries it."""

    async def receive(self, until: float) -> Event:
        """The next event of this request, or `Woken` at `until` (Unix time, seconds) when nothing came by then.

        After `Woken` the exchange may be closed, but not received from again.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection; one whose response was not read to its end is closed."""
        ...


class AsyncTransport(Protocol):
    """What `adrive` asks for. `open` does nothing that can fail: failures come out of `AsyncExchange.receive`."""

    @property
    def clock(self) -> Clock:
        """The time that the flow is told."""
        ...

    def open(self, command: SendRequest) -> AsyncExchange:
        """Begin an exchange."""
        ...

    async def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def drive(flow: Drivable, transport: Transport, *, start: Start | None = None) -> Generator[Output, None, None]:
    """Run a flow over a blocking transport, and yield what it tells.

    Raises the `FlowFailed` of its failure at the end, and `LocalProtocolError` for a flow that was begun before.
    Closing the generator closes the connection. `start` fixes
    the randomness, for a session that is to be repeated; by default it comes from the operating system.
    """
    exchange: Exchange | None = None
    event: Event = start or Start(os.urandom(32), os.urandom(32))
    transport.clock.anchor()
    now = transport.clock.now()
    try:
        while True:
            batch = flow.handle(event, now)
            if not batch and isinstance(event, Start):
                raise LocalProtocolError("this flow was begun before: make a new one, or restore it from its snapshot")
            for item in batch:
                if not isinstance(item, COMMANDS):
                    yield item
                    continue
                # Whatever is commanded, the exchange that was under way is over.
                if exchange is not None:
                    exchange.close()
                    exchange = None
                if isinstance(item, SendRequest):
                    exchange = transport.open(item)
                elif isinstance(item, Finished):
                    if item.failure is not None:
                        raise item.failure.exception()
                    return
            until = flow.deadline
            if exchange is None:
                transport.sleep(until)
                event = Woken()
            else:
                event = exchange.receive(until)
            now = transport.clock.now()
            if isinstance(event, Woken):
                now = max(now, until)  # a timer may fire a hair too early
    finally:
        if exchange is not None:
            exchange.close()


async def adrive(
    flow: Drivable, transport: AsyncTransport, *, start: Start | None = None
) -> AsyncGenerator[Output, None]:
    """Run a flow over an async transport, and yield what it tells.

    Raises the `FlowFailed` of its failure at the end, and `LocalProtocolError` for a flow that was begun before.
    Close the generator (`contextlib.aclosing`) to leave it early:
    that closes the connection. `start` fixes the randomness, for a session that is to be repeated; by default it
    comes from the operating system.
    """
    exchange: AsyncExchange | None = None
    event: Event = start or Start(os.urandom(32), os.urandom(32))
    transport.clock.anchor()
    now = transport.clock.now()
    try:
        while True:
            batch = flow.handle(event, now)
            if not batch and isinstance(event, Start):
                raise LocalProtocolError("this flow was begun before: make a new one, or restore it from its snapshot")
            for item in batch:
                if not isinstance(item, COMMANDS):
                    yield item
                    continue
                # Whatever is commanded, the exchange that was under way is over.
                if exchange is not None:
                    await exchange.close()
                    exchange = None
                if isinstance(item, SendRequest):
                    exchange = transport.open(item)
                elif isinstance(item, Finished):
                    if item.failure is not None:
                        raise item.failure.exception()
                    return
            until = flow.deadline
            if exchange is None:
                await transport.sleep(until)
                event = Woken()
            else:
                event = await exchange.receive(until)
            now = transport.clock.now()
            if isinstance(event, Woken):
                now = max(now, until)  # a timer may fire a hair too early
    finally:
        if exchange is not None:
            await exchange.close()
