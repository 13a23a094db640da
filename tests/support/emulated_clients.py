"""Clients in every style (blocking, asyncio, trio) over emulators, in memory and behind sockets.

A test is written once: `result` and `collect` take the values of both clients.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar, Unpack

import msgspec

from modelwire.catalog import PROVIDERS
from modelwire.emulators import EMULATORS, Behaviour, Emulator, EmulatorRequest, EmulatorResponse
from modelwire_io import AsyncClient, AsyncImageJob, Client, Image, ImageJob
from modelwire_io.client.run import AsyncFlowRun, FlowRun
from modelwire_io.client.settings import EMULATED_CREDENTIALS, Configuration
from modelwire_io.clock import VirtualClock
from modelwire_io.store import MemoryStore
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports.memory import BASE_URL
from transport_variants import Style

T = TypeVar("T")
AnyClient = Client | AsyncClient

# For tests over sockets, in which time is real.
NO_PAUSES = Behaviour(pause=0.0, queue=0.0, work=0.0)
# ARTA's requests.
SIGN_UP = "/identitytoolkit/v3/relyingparty/signupNewUser?key="
SUBMIT = "/api/v1/text2image"


async def result(value: T | Awaitable[T]) -> T:
    """The value of a call: awaited, if the call was async."""
    if isinstance(value, Awaitable):
        awaited: T = await value
        return awaited
    return value


async def collect(items: Iterable[T] | AsyncIterable[T]) -> list[T]:
    """All items of an iterable or an async iterable."""
    if isinstance(items, AsyncIterable):
        return [item async for item in items]
    return list(items)


async def first_of(kind: type[T], run: FlowRun | AsyncFlowRun) -> T:
    """The next output of a kind. The outputs after it are left to be read."""
    while True:
        output = next(run) if isinstance(run, FlowRun) else await anext(run)
        if isinstance(output, kind):
            return output


async def make_images(client: AnyClient, **options: Any) -> tuple[ImageJob | AsyncImageJob, list[Image]]:
    """Draw with ARTA: the job, and its images."""
    job = client.image("arta/flux", "a dragon", **options)
    return job, await collect(job.images())


@asynccontextmanager
async def open_client(style: Style, **configuration: Unpack[Configuration]) -> AsyncIterator[AnyClient]:
    """A client over real sockets. By default its environment is empty, and it stores nothing on disk."""
    defaults: Configuration = {"environment": {}, "store": MemoryStore()}
    if style == "blocking":
        with Client(**(defaults | configuration)) as blocking:
            yield blocking
    else:
        async with AsyncClient(**(defaults | configuration)) as asynchronous:
            yield asynchronous


class RecordingEmulator:
    """An emulator that records its requests."""

    def __init__(self, inner: Emulator) -> None:
        self._inner = inner
        self.requests: list[EmulatorRequest] = []

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        self.requests.append(request)
        return self._inner.handle(request, now)

    def received(self, text: str) -> bool:
        """True if any part of any request contains the text."""
        return any(text in repr(msgspec.to_builtins(request)) + request.body.decode() for request in self.requests)

    def count(self, method: str, target: str) -> int:
        return sum((request.method, request.target) == (method, target) for request in self.requests)


class MemorySetup:
    """Emulators in memory, a store, and clients for both.

    `emulators` replaces those of providers, or adds further ones: each is at the address `base_urls[name]`.
    """

    def __init__(self, style: Style, emulators: Mapping[str, Emulator] | None = None) -> None:
        self._style = style
        self.clock = VirtualClock()
        every = {name: kind() for name, kind in EMULATORS.items()} | dict(emulators or {})
        self.emulators = {name: RecordingEmulator(inner) for name, inner in every.items()}
        self.base_urls = {name: f"{BASE_URL}/{name}" for name in self.emulators}
        self.store = MemoryStore()

    def log_in(self) -> MemorySetup:
        """Store credentials that the emulators accept."""
        for name, credentials in EMULATED_CREDENTIALS.items():
            self.store.save(name, self.base_urls[name], credentials)
        return self

    def client(self, **configuration: Unpack[Configuration]) -> AnyClient:
        settings: Configuration = {
            "base_url": {name: self.base_urls[name] for name in PROVIDERS if name in self.base_urls},
            "store": self.store,
            "environment": {},
        }
        settings |= configuration
        if self._style == "blocking":
            return Client(transport=MemoryTransport(self.emulators, self.clock), **settings)
        return AsyncClient(transport=AsyncMemoryTransport(self.emulators, self.clock), **settings)
