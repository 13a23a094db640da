"""Requests, and scripts of a `RawServer`."""

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
from transport_calls import ReceivedEvents, fetch
from transport_variants import TransportVariant

# Seconds: a deadline that a test waits for.
DEADLINE = 0.3
# Seconds: how late a deadline may be noticed on a busy machine.
LATENESS = 1.0

EMPTY = response("Content-Length: 0")
# A response that belongs to no request.
OTHER = OK.replace(b"ok", b"no")


@dataclass(kw_only=True)
class Ask(Flow):
    """Streams an answer from each URL in turn."""

    urls: list[str] = field(default_factory=list)
    silence: float = PATIENCE

    def start(self) -> Steps:
        for url in self.urls:
            yield from self.stream(partial(self.request, url), lambda: TextSink(self.emit))

    def request(self, url: str) -> Request:
        return Request(method="GET", url=url, timeout=self.silence)


def get(url: str, *, timeout: float = PATIENCE, public_only: bool = False, repeatable: bool = True) -> Request:
    return Request(method="GET", url=url, timeout=timeout, public_only=public_only, repeatable=repeatable)


async def fetch_by(
    variant: TransportVariant, request: Request, *, seconds: float = PATIENCE, **options: Any
) -> ReceivedEvents:
    """Send one request over a new transport, and close it."""
    transport = variant.open(**options)
    try:
        return await fetch(transport, request, seconds=seconds)
    finally:
        await transport.close()


async def begin(transport: AsyncTransport, url: str) -> AsyncExchange:
    """Send a request, and receive the head of its response."""
    exchange = transport.open(SendRequest(1, get(url), transport.clock.now() + PATIENCE))
    assert isinstance(await exchange.receive(transport.clock.now() + PATIENCE), ResponseStarted)
    return exchange


async def finish(transport: AsyncTransport, exchange: AsyncExchange) -> None:
    """Receive the rest of the response."""
    while not isinstance(await exchange.receive(transport.clock.now() + PATIENCE), ResponseEnded):
        pass
    await exchange.close()


def responding(*responses: bytes) -> Script:
    """Send these responses to the requests in order, then wait until the client closes."""

    def script(connection: Connection) -> None:
        for each in responses:
            connection.respond(each)
        connection.wait_for_end()

    return script


def ending(data: bytes, end: Callable[[Connection], None] = Connection.close) -> Script:
    """Send `data` after a request, then end the connection."""

    def script(connection: Connection) -> None:
        connection.respond(data)
        end(connection)

    return script


def dying(last: bytes, end: Callable[[Connection], None] = Connection.close) -> Script:
    """Respond to one request; after the next one send `last` and end the connection."""

    def script(connection: Connection) -> None:
        connection.respond()
        ending(last, end)(connection)

    return script


def dripping(start: bytes, data: bytes) -> Script:
    """Send `start`, then a byte of `data` every 20 ms without end."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        connection.drip(data, every=0.02)

    return script


def endless(connection: Connection) -> None:
    """Send one chunk of a body, then nothing."""
    connection.respond(response("Transfer-Encoding: chunked", body=chunk(b"text")))
    connection.wait_for_end()


def silent(connection: Connection) -> None:
    """Send nothing."""
    connection.wait_for_end()


async def saw_end(connection: Connection) -> bool:
    """True once the server sees that the client closed the connection."""
    return await anyio.to_thread.run_sync(connection.saw_end.wait, PATIENCE)


async def has_no_open_connection(server: RawServer) -> bool:
    """True once the client has closed every connection. On a busy machine it may have made none in time."""
    return all([await saw_end(connection) for connection in server.connections])


def tls_for(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """A server's TLS context, with a certificate for this host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context
