"""Every transport in one shape, so that a test is written once: blocking, on asyncio and on trio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, closing
from typing import Literal, NamedTuple

from modelwire.commands import SendRequest
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import Flow
from modelwire.http import Headers, Request
from modelwire.outputs import Output
from modelwire_io.clock import Clock
from modelwire_io.drive import AsyncTransport, Exchange, Transport, adrive, drive
from modelwire_io.transports import AsyncHttpxTransport, HttpxTransport
from modelwire_io.transports.httpx_pools import Library
from raw_server import PATIENCE

Style = Literal["blocking", "asyncio", "trio"]
STYLES: tuple[Style, ...] = ("blocking", "asyncio", "trio")


def backend_of(style: Style) -> str:
    """The event loop that a test of this style runs on; blocking code runs on any."""
    return "asyncio" if style == "blocking" else style


class Variant(NamedTuple):
    """One way to carry requests."""

    library: Library
    style: Style

    def __str__(self) -> str:
        return f"{self.library}-{self.style}"

    @property
    def backend(self) -> str:
        """The event loop that the test runs on."""
        return backend_of(self.style)

    def open(self, *, proxy: str | None = None, environment: Mapping[str, str] | None = None) -> AsyncTransport:
        """A transport of this kind, to be closed by the test; the environment is empty by default."""
        variables = environment or {}
        if self.style == "blocking":
            return Blocking(HttpxTransport(proxy=proxy, library=self.library, environment=variables))
        return AsyncHttpxTransport(proxy=proxy, library=self.library, environment=variables)


VARIANTS = [Variant(library, style) for library in ("httpx", "httpx2") for style in STYLES]


class Awaitable:
    """A blocking transport, called where an async one would be awaited."""

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


class Blocking(Awaitable):
    """The same, driven by the blocking driver."""


class AwaitableExchange:
    """One request over a blocking transport."""

    def __init__(self, blocking: Exchange) -> None:
        self._blocking = blocking

    async def receive(self, until: float) -> Event:
        return self._blocking.receive(until)

    async def close(self) -> None:
        self._blocking.close()


async def outputs_of(
    flow: Flow, transport: AsyncTransport, *, start: Start | None = None
) -> AsyncGenerator[Output, None]:
    """What a flow tells, by the driver that is the transport's own."""
    if isinstance(transport, Blocking):
        with closing(drive(flow, transport.blocking, start=start)) as outputs:
            for output in outputs:
                yield output
    else:
        async with aclosing(adrive(flow, transport, start=start)) as outputs:
            async for output in outputs:
                yield output


class Outcome(NamedTuple):
    """What came of one request."""

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
        """The body as it came."""
        return [event.data for event in self.events if isinstance(event, BodyReceived)]

    @property
    def body(self) -> bytes:
        """The body of a response that came to its end."""
        assert isinstance(self.last, ResponseEnded), f"the response did not end, but: {self.last}"
        return b"".join(self.pieces)

    @property
    def failure(self) -> RequestFailed:
        """Why it came to no end."""
        assert isinstance(self.last, RequestFailed), f"the request did not fail, but: {self.last}"
        return self.last

    @property
    def _head(self) -> ResponseStarted:
        (head,) = (event for event in self.events if isinstance(event, ResponseStarted))
        return head


async def carry(transport: AsyncTransport, request: Request, *, seconds: float = PATIENCE) -> Outcome:
    """Send one request, and receive everything up to its end, its failure or the deadline."""
    deadline = transport.clock.now() + seconds
    exchange = transport.open(SendRequest(1, request, deadline))
    events: list[Event] = []
    try:
        while True:
            events.append(await exchange.receive(deadline))
            if isinstance(events[-1], ResponseEnded | RequestFailed | Woken):
                return Outcome(events)
    finally:
        await exchange.close()
