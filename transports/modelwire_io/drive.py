"""The drivers: they hand a flow its events and carry out its commands.

Each is one loop. `drive` and `adrive` differ only in the words `async` and `await`. `adrive_callback` calls a function
with each output instead of yielding it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Protocol, TypeVar, runtime_checkable

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import LocalProtocolError
from modelwire.events import Event, Start, Woken
from modelwire.outputs import Output, TextDelta

from .clock import Clock

T = TypeVar("T")

COMMANDS = (SendRequest, AbortRequest, OpenPage, Evaluate, Sleep, Finished)


class Drivable(Protocol):
    """A `Flow`, or an object that wraps one, such as a `Recorder`."""

    @property
    def deadline(self) -> float:
        """When the current wait must end (Unix time, seconds)."""
        ...

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """Take an event; return the commands and outputs that follow from it."""
        ...


class Exchange(Protocol):
    """One request of a blocking transport, or one script in a page, while it is under way."""

    def receive(self, until: float) -> Event:
        """Return the next event, or `Woken` at `until` (Unix time, seconds) if none has arrived by then.

        After `Woken` the exchange can only be closed: it must not be received from again.
        """
        ...

    def close(self) -> None:
        """Release the connection. If the response was not read to its end, the connection is closed."""
        ...


class Transport(Protocol):
    """Sends requests for `drive`. `open` never fails: failures are events of `Exchange.receive`."""

    @property
    def clock(self) -> Clock:
        """The clock whose time the driver passes to the flow."""
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
    """One request of an async transport, or one script in a page, while it is under way."""

    async def receive(self, until: float) -> Event:
        """Return the next event, or `Woken` at `until` (Unix time, seconds) if none has arrived by then.

        After `Woken` the exchange can only be closed: it must not be received from again.
        """
        ...

    async def close(self) -> None:
        """Release the connection. If the response was not read to its end, the connection is closed."""
        ...


# Takes an event. Returns until when (Unix time, seconds) to wait for the next one; None: no more events are wanted.
EventCallback = Callable[[Event], float | None]


@runtime_checkable
class CallbackExchange(AsyncExchange, Protocol):
    """An exchange that can also pass on events from the event loop's own callbacks."""

    async def deliver_to(self, on_event: EventCallback, until: float) -> None:
        """Call `on_event` with each event as soon as it arrives, until it returns None.

        Waits for each event until `until`, or the time that `on_event` returned last, and passes on `Woken` if none
        has arrived by then.
        """
        ...


class AsyncTransport(Protocol):
    """Sends requests for `adrive`. `open` never fails: failures are events of `AsyncExchange.receive`."""

    @property
    def clock(self) -> Clock:
        """The clock whose time the driver passes to the flow."""
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


@runtime_checkable
class SecretHolder(Protocol):
    """A transport that knows secrets a server could echo, such as the password of a proxy. Optional."""

    @property
    def secrets(self) -> Iterable[str]:
        """The strings that no message and no recording may show."""
        ...


class Browser(Protocol):
    """Opens pages for `drive`, if a flow needs one. It never fails: failures are events of `Exchange.receive`."""

    def open_page(self, command: OpenPage) -> None:
        """Open a page. Starts the browser if it is not running yet."""
        ...

    def evaluate(self, command: Evaluate) -> Exchange:
        """Begin to evaluate a script in the page. The event of the exchange is `PageEvaluated` or `PageClosed`."""
        ...

    def close(self) -> None:
        """End the browser. May be called from another thread than the one that waits for an event."""
        ...


class AsyncBrowser(Protocol):
    """Opens pages for `adrive`, if a flow needs one. It never fails, like `Browser`."""

    async def open_page(self, command: OpenPage) -> None:
        """Open a page. Starts the browser if it is not running yet."""
        ...

    def evaluate(self, command: Evaluate) -> AsyncExchange:
        """Begin to evaluate a script in the page. The event of the exchange is `PageEvaluated` or `PageClosed`."""
        ...

    async def close(self) -> None:
        """End the browser, even if the calling task is being cancelled."""
        ...


def _required(browser: T | None) -> T:
    if browser is None:
        raise LocalProtocolError("this flow opens a page: give its driver a browser")
    return browser


def drive(
    flow: Drivable, transport: Transport, *, start: Start | None = None, browser: Browser | None = None
) -> Generator[Output, None, None]:
    """Run a flow over a blocking transport, and yield its outputs.

    Raises the `FlowFailed` of the flow's failure at the end, and `LocalProtocolError` for a flow that has already been
    started, or that opens a page if there is no `browser`. Closing the generator closes the connection; the browser is
    the caller's to close. `start` fixes the randomness, to make a session repeatable; by default it comes from
    the operating system.
    """
    exchange: Exchange | None = None
    event: Event = start or Start(os.urandom(32), os.urandom(32))
    transport.clock.anchor()
    now = transport.clock.now()
    try:
        while True:
            batch = flow.handle(event, now)
            if not batch and isinstance(event, Start):
                raise LocalProtocolError("this flow has already been started: make a new one, or restore its snapshot")
            for item in batch:
                # Fast path: almost every item is a TextDelta, and a failing isinstance on a Struct costs more than
                # creating one.
                if type(item) is TextDelta or not isinstance(item, COMMANDS):
                    yield item
                    continue
                # Every command ends the current exchange.
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
                now = max(now, until)  # a timer may fire slightly too early
    finally:
        if exchange is not None:
            exchange.close()


async def adrive(
    flow: Drivable, transport: AsyncTransport, *, start: Start | None = None, browser: AsyncBrowser | None = None
) -> AsyncGenerator[Output, None]:
    """Run a flow over an async transport, and yield its outputs.

    Raises the `FlowFailed` of the flow's failure at the end, and `LocalProtocolError` for a flow that has already been
    started, or that opens a page if there is no `browser`. Close the generator (`contextlib.aclosing`) to leave it
    early: that closes the connection; the browser is the caller's to close. `start` fixes the randomness, to make a
    session repeatable; by default it comes from the operating system.
    """
    exchange: AsyncExchange | None = None
    event: Event = start or Start(os.urandom(32), os.urandom(32))
    transport.clock.anchor()
    now = transport.clock.now()
    try:
        while True:
            batch = flow.handle(event, now)
            if not batch and isinstance(event, Start):
                raise LocalProtocolError("this flow has already been started: make a new one, or restore its snapshot")
            for item in batch:
                # Fast path: almost every item is a TextDelta, and a failing isinstance on a Struct costs more than
                # creating one.
                if type(item) is TextDelta or not isinstance(item, COMMANDS):
                    yield item
                    continue
                # Every command ends the current exchange.
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
                now = max(now, until)  # a timer may fire slightly too early
    finally:
        if exchange is not None:
            await exchange.close()


async def adrive_callback(
    flow: Drivable, transport: AsyncTransport, on_output: Callable[[Output], object], *, start: Start | None = None
) -> None:
    """Run a flow over an async transport, and call `on_output` with each output as soon as it is emitted.

    If the transport supports it (h11 on asyncio), the call is made from the event loop's own callback, without waking a
    task. That is cheaper than `adrive` for programs that only forward outputs. `on_output` must not block; an exception
    from it ends the flow and is raised here. Raises the `FlowFailed` of the flow's failure, and `LocalProtocolError`
    for a flow that has already been started, or that opens a page. Cancelling this call closes the connection.
    """
    exchange: AsyncExchange | None = None
    commands: list[Command] = []
    raised: list[BaseException] = []

    def on_event(event: Event) -> float | None:
        now = transport.clock.now()
        if isinstance(event, Woken):
            now = max(now, flow.deadline)  # a timer may fire slightly too early
        try:
            for item in flow.handle(event, now):
                if type(item) is TextDelta or not isinstance(item, COMMANDS):
                    on_output(item)
                else:
                    commands.append(item)
        except BaseException as error:
            # To be raised to the caller, not in the event loop's callback.
            raised.append(error)
        return None if commands or raised else flow.deadline

    transport.clock.anchor()
    if on_event(start or Start(os.urandom(32), os.urandom(32))) is not None:
        raise LocalProtocolError("this flow has already been started: make a new one, or restore its snapshot")
    try:
        while True:
            if raised:
                raise raised[0]
            for command in commands:
                # Every command ends the current exchange.
                if exchange is not None:
                    await exchange.close()
                    exchange = None
                if isinstance(command, SendRequest):
                    exchange = transport.open(command)
                elif isinstance(command, OpenPage):
                    raise LocalProtocolError("this flow opens a page: run it with adrive and a browser")
                elif isinstance(command, Finished):
                    if command.failure is not None:
                        raise command.failure.exception()
                    return
            commands.clear()
            if exchange is None:
                await transport.sleep(flow.deadline)
                on_event(Woken())
            elif isinstance(exchange, CallbackExchange):
                await exchange.deliver_to(on_event, flow.deadline)
            else:
                on_event(await exchange.receive(flow.deadline))
    finally:
        if exchange is not None:
            await exchange.close()
