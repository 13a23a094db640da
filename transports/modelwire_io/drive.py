"""The drivers: they hand a flow its events, and do what it commands.

Each is one loop. `drive` and `adrive` are the same text but for the words `async` and `await`. `adrive_callback` calls a
function with each output instead of yielding it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Protocol, TypeVar, cast

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import LocalProtocolError
from modelwire.events import Event, Start, Woken
from modelwire.outputs import Output, TextDelta

from .clock import Clock

T = TypeVar("T")

COMMANDS = (SendRequest, AbortRequest, OpenPage, Evaluate, Sleep, Finished)


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
    """One request on its way, as a blocking transport carries it, or one script in a page."""

    def receive(self, until: float) -> Event:
        """The next event of it, or `Woken` at `until` (Unix time, seconds) when nothing came by then.

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
    """One request on its way, as an async transport carries it, or one script in a page."""

    async def receive(self, until: float) -> Event:
        """The next event of it, or `Woken` at `until` (Unix time, seconds) when nothing came by then.

        After `Woken` the exchange may be closed, but not received from again.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection; one whose response was not read to its end is closed."""
        ...


# Takes an event, and says until when (Unix time, seconds) the next one is awaited; None: nothing more is wanted.
EventCallback = Callable[[Event], float | None]


class CallbackExchange(AsyncExchange, Protocol):
    """One that can also hand events over from the event loop's own callbacks."""

    async def deliver_to(self, take: EventCallback, until: float) -> None:
        """Hand every event to `take`, as soon as it is there, until nothing more is wanted; `Woken` in time."""
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


class Browser(Protocol):
    """What `drive` asks for besides where a flow has a page opened. Nothing fails here but in `Exchange.receive`."""

    def open_page(self, command: OpenPage) -> None:
        """Open a page, in a browser that is started if there is none yet."""
        ...

    def evaluate(self, command: Evaluate) -> Exchange:
        """Begin to evaluate a script in the page: the answer is `PageEvaluated` or `PageClosed`."""
        ...

    def close(self) -> None:
        """End the browser, also from another thread than the one that waits for an answer."""
        ...


class AsyncBrowser(Protocol):
    """What `adrive` asks for besides where a flow has a page opened."""

    async def open_page(self, command: OpenPage) -> None:
        """Open a page, in a browser that is started if there is none yet."""
        ...

    def evaluate(self, command: Evaluate) -> AsyncExchange:
        """Begin to evaluate a script in the page: the answer is `PageEvaluated` or `PageClosed`."""
        ...

    async def close(self) -> None:
        """End the browser, also where the caller is cancelled."""
        ...


def _required(browser: T | None) -> T:
    if browser is None:
        raise LocalProtocolError("this flow has a page opened: give its driver a browser")
    return browser


def drive(
    flow: Drivable, transport: Transport, *, start: Start | None = None, browser: Browser | None = None
) -> Generator[Output, None, None]:
    """Run a flow over a blocking transport, and yield what it tells.

    Raises the `FlowFailed` of its failure at the end, and `LocalProtocolError` for a flow that was begun before, or
    that has a page opened where there is no `browser`. Closing the generator closes the connection; the browser is
    the caller's to close. `start` fixes the randomness, for a session that is to be repeated; by default it comes
    from the operating system.
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
                # Nearly every item is a delta; to ask what class a Struct is not of takes longer than to make it.
                if type(item) is TextDelta or not isinstance(item, COMMANDS):
                    yield item
                    continue
                # Whatever is commanded, the exchange that was under way is over.
                if exchange is not None:
                    exchange.close()
                    exchange = None
                if isinstance(item, SendRequest):
                    exchange = transport.open(item)
                elif isinstance(item, OpenPage):
                    _required(browser).open_page(item)
                elif isinstance(item, Evaluate):
                    exchange = _required(browser).evaluate(item)
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
    flow: Drivable, transport: AsyncTransport, *, start: Start | None = None, browser: AsyncBrowser | None = None
) -> AsyncGenerator[Output, None]:
    """Run a flow over an async transport, and yield what it tells.

    Raises the `FlowFailed` of its failure at the end, and `LocalProtocolError` for a flow that was begun before, or
    that has a page opened where there is no `browser`. Close the generator (`contextlib.aclosing`) to leave it early:
    that closes the connection; the browser is the caller's to close. `start` fixes the randomness, for a session that
    is to be repeated; by default it comes from the operating system.
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
                # Nearly every item is a delta; to ask what class a Struct is not of takes longer than to make it.
                if type(item) is TextDelta or not isinstance(item, COMMANDS):
                    yield item
                    continue
                # Whatever is commanded, the exchange that was under way is over.
                if exchange is not None:
                    await exchange.close()
                    exchange = None
                if isinstance(item, SendRequest):
                    exchange = transport.open(item)
                elif isinstance(item, OpenPage):
                    await _required(browser).open_page(item)
                elif isinstance(item, Evaluate):
                    exchange = _required(browser).evaluate(item)
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


async def adrive_callback(
    flow: Drivable, transport: AsyncTransport, show: Callable[[Output], object], *, start: Start | None = None
) -> None:
    """Run a flow over an async transport, and call `show` with each output as soon as it is there.

    Where the transport can (h11 on asyncio), that is in the event loop's own callback, with no task woken: it costs
    less than `adrive` for those who would only pass the outputs on. `show` must not block; what it raises ends the flow
    and is raised here. Raises the `FlowFailed` of the flow's failure, and `LocalProtocolError` for a flow that was
    begun before. Cancelling it closes the connection.
    """
    exchange: AsyncExchange | None = None
    commands: list[Command] = []
    raised: list[BaseException] = []

    def take(event: Event) -> float | None:
        now = transport.clock.now()
        if isinstance(event, Woken):
            now = max(now, flow.deadline)  # a timer may fire a hair too early
        try:
            for item in flow.handle(event, now):
                if type(item) is TextDelta or not isinstance(item, COMMANDS):
                    show(item)
                else:
                    commands.append(item)
        except BaseException as error:
            # It is for the caller, not for the event loop.
            raised.append(error)
        return None if commands or raised else flow.deadline

    transport.clock.anchor()
    if take(start or Start(os.urandom(32), os.urandom(32))) is not None:
        raise LocalProtocolError("this flow was begun before: make a new one, or restore it from its snapshot")
    try:
        while True:
            if raised:
                raise raised[0]
            for command in commands:
                # Whatever is commanded, the exchange that was under way is over.
                if exchange is not None:
                    await exchange.close()
                    exchange = None
                if isinstance(command, SendRequest):
                    exchange = transport.open(command)
                elif isinstance(command, OpenPage):
                    raise LocalProtocolError("this flow has a page opened: run it with adrive, and give that a browser")
                elif isinstance(command, Finished):
                    if command.failure is not None:
                        raise command.failure.exception()
                    return
            commands.clear()
            if exchange is None:
                await transport.sleep(flow.deadline)
                take(Woken())
            elif hasattr(exchange, "pour"):
                await cast("CallbackExchange", exchange).deliver_to(take, flow.deadline)
            else:
                take(await exchange.receive(flow.deadline))
    finally:
        if exchange is not None:
            await exchange.close()
