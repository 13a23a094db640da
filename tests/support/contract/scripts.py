"""Requests, and what a server of raw bytes makes of them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio.to_thread
import trustme

from modelwire.commands import SendRequest
from modelwire.events import ResponseEnded, ResponseStarted
from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.text import TextSink
from modelwire_io.drive import AsyncExchange, AsyncTransport
from raw_server import OK, PATIENCE, Connection, RawServer, Script, chunk, response
from transport_variants import Outcome, carry
from transports_under_test import Carrier

# Seconds: a deadline that a test waits for, and how late it may be noticed on a busy machine.
DEADLINE = 0.3
LATENESS = 1.0

EMPTY = response("Content-Length: 0")
# The answer to nobody's request.
OTHER = OK.replace(b"ok", b"no")


@dataclass(kw_only=True)
class Ask(Flow):
    """One answer, streamed, from each address."""

    urls: list[str] = field(default_factory=list)
    silence: float = PATIENCE

    def start(self) -> Steps:
        for url in self.urls:
            yield from self.stream(partial(self.request, url), lambda: TextSink(self.emit))

    def request(self, url: str) -> Request:
        return Request(method="GET", url=url, timeout=self.silence)


def get(url: str, *, timeout: float = PATIENCE, public_only: bool = False, repeatable: bool = True) -> Request:
    return Request(method="GET", url=url, timeout=timeout, public_only=public_only, repeatable=repeatable)


async def carry_by(carrier: Carrier, request: Request, *, seconds: float = PATIENCE, **options: Any) -> Outcome:
    """Send one request over a transport of its own."""
    transport = carrier.open(**options)
    try:
        return await carry(transport, request, seconds=seconds)
    finally:
        await transport.close()


async def begin(transport: AsyncTransport, url: str) -> AsyncExchange:
    """Send a request, and receive the head of its response."""
    exchange = transport.open(SendRequest(1, get(url), transport.clock.now() + PATIENCE))
    assert isinstance(await exchange.receive(transport.clock.now() + PATIENCE), ResponseStarted)
    return exchange


async def finish(transport: AsyncTransport, exchange: AsyncExchange) -> None:
    """Receive the rest of it."""
    while not isinstance(await exchange.receive(transport.clock.now() + PATIENCE), ResponseEnded):
        pass
    await exchange.close()


def answering(*answers: bytes) -> Script:
    """Answer one request after the other, and then wait for the client to go."""

    def script(connection: Connection) -> None:
        for answer in answers:
            connection.answer(answer)
        connection.wait_for_end()

    return script


def ending(data: bytes, end: Callable[[Connection], None] = Connection.close) -> Script:
    """Send `data` in answer to a request, and end the connection in some way."""

    def script(connection: Connection) -> None:
        connection.answer(data)
        end(connection)

    return script


def dying(last: bytes, end: Callable[[Connection], None] = Connection.close) -> Script:
    """Answer one request, and to the next one say no more than this."""

    def script(connection: Connection) -> None:
        connection.answer()
        ending(last, end)(connection)

    return script


def dripping(start: bytes, data: bytes) -> Script:
    """After `start`, a byte every 20 ms without end: the silence is never long."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        connection.drip(data, every=0.02)

    return script


def endless(connection: Connection) -> None:
    """One piece of an answer that never ends."""
    connection.answer(response("Transfer-Encoding: chunked", body=chunk(b"text")))
    connection.wait_for_end()


def silent(connection: Connection) -> None:
    """Nothing at all."""
    connection.wait_for_end()


async def saw_end(connection: Connection) -> bool:
    """Whether the server sees that the client closed the connection."""
    return await anyio.to_thread.run_sync(connection.saw_end.wait, PATIENCE)


async def is_left(server: RawServer) -> bool:
    """Whether the client closed every connection to the server; on a busy machine it may have made none in time."""
    return all([await saw_end(connection) for connection in server.connections])


def tls_for(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """The side of a server of this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context
