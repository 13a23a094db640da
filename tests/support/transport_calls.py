"""Requests and flows over any transport: a blocking one is wrapped, so that a test awaits it like an async one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from typing import NamedTuple

from modelwire.commands import SendRequest
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import Flow
from modelwire.http import Headers, Request
from modelwire.outputs import Output
from modelwire_io.clock import Clock
from modelwire_io.drive import AsyncTransport, Exchange, Transport, adrive, drive
from raw_server import PATIENCE


class AwaitableTransport:
    """An async transport made of a blocking one."""

    def __init__(self, blocking: Transport) -> None:
        self.blocking = blocking

    @property
    def clock(self) -> Clock:
        return self.blocking.clock

    def open(self, command: SendRequest) -> AwaitableExchange:
        return AwaitableExchange(self.blocking.open(command))

    async def sleep(self, until: float) -> None:
        self.blocking.sleep(until)

    async def close(self) -> None:
        self.blocking.close()


class BlockingTransport(AwaitableTransport):
    """An `AwaitableTransport` for which `outputs_of` uses the blocking driver."""


class AwaitableExchange:
    """An async exchange made of a blocking one."""

    def __init__(self, blocking: Exchange) -> None:
        self._blocking = blocking

    async def receive(self, until: float) -> Event:
        return self._blocking.receive(until)

    async def close(self) -> None:
        self._blocking.close()


async def outputs_of(
    flow: Flow, transport: AsyncTransport, *, start: Start | None = None
) -> AsyncGenerator[Output, None]:
    """Drive a flow over a transport, with the driver for its kind."""
    if isinstance(transport, BlockingTransport):
        with closing(drive(flow, transport.blocking, start=start)) as outputs:
            for output in outputs:
                yield output
    else:
        async with aclosing(adrive(flow, transport, start=start)) as outputs:
            async for output in outputs:
                yield output


class ReceivedEvents(NamedTuple):
    """The events of one request."""

    events: list[Event]

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def headers(self) -> Headers:
        return self._head.headers

    @property
    def pieces(self) -> list[bytes]:
        """The chunks of the body, as they arrived."""
        return [event.data for event in self.events if isinstance(event, BodyReceived)]

    @property
    def body(self) -> bytes:
        """The whole body. Raises `AssertionError` if the response did not end."""
        assert isinstance(self.last, ResponseEnded), f"the response did not end, but: {self.last}"
        return b"".join(self.pieces)

    @property
    def failure(self) -> RequestFailed:
        """The failure. Raises `AssertionError` if the request did not fail."""
        assert isinstance(self.last, RequestFailed), f"the request did not fail, but: {self.last}"
        return self.last

    @property
    def _head(self) -> ResponseStarted:
        (head,) = (event for event in self.events if isinstance(event, ResponseStarted))
        return head


async def fetch(transport: AsyncTransport, request: Request, *, seconds: float = PATIENCE) -> ReceivedEvents:
    """Send one request, and receive its events up to the end, the failure or the deadline."""
    deadline = transport.clock.now() + seconds
    exchange = transport.open(SendRequest(1, request, deadline))
    events: list[Event] = []
    try:
        while True:
            events.append(await exchange.receive(deadline))
            if isinstance(events[-1], ResponseEnded | RequestFailed | Woken):
                return ReceivedEvents(events)
    finally:
        await exchange.close()
