"""A transport without a network: requests go straight to the emulators, and time passes only while a flow waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile
from urllib.parse import urlsplit

import msgspec

from modelwire.catalog import PROVIDERS
from modelwire.commands import SendRequest
from modelwire.emulators import EMULATORS
from modelwire.emulators.emulator import Emulator, EmulatorRequest, EmulatorResponse
from modelwire.errors import InvalidInput
from modelwire.events import BodyReceived, Event, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.http import Request, origin
from modelwire_io.clock import VirtualClock

BASE_URL = "http://emulators.invalid"


class MemoryTransport:
    """A blocking transport into emulators, by provider, with a virtual clock.

    A provider is reached under `base_urls[name]`, and under the addresses of its real service.
    """

    def __init__(self, emulators: Mapping[str, Emulator] | None = None, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.emulators: dict[str, Emulator] = dict(_all_emulators() if emulators is None else emulators)
        self.base_urls = {name: f"{BASE_URL}/{name}" for name in self.emulators}
        self._real_origins = {
            origin(url): name
            for name in self.emulators
            if name in PROVIDERS
            for url in _hosts(PROVIDERS[name].endpoints)
        }

    def open(self, command: SendRequest) -> MemoryExchange:
        return MemoryExchange(self, command)

    def sleep(self, until: float) -> None:
        self.clock.advance_to(until)

    def close(self) -> None:
        """Nothing to close."""

    def route(self, request: Request) -> tuple[Emulator, EmulatorRequest] | None:
        """The emulator that a request is for, and the request in its terms; None if no emulator has this address."""
        try:
            name = self._real_origins.get(origin(request.url))
        except InvalidInput:
            return None
        parts = urlsplit(request.url)
        base_url = f"{parts.scheme}://{parts.netloc}"
        target = request.url[len(base_url) :].partition("#")[0]
        if base_url == BASE_URL:
            name, separator, rest = target[1:].partition("/")
            base_url, target = f"{base_url}/{name}", separator + rest
        emulator = self.emulators.get(name or "")
        if emulator is None:
            return None
        return emulator, EmulatorRequest(
            method=request.method,
            target=target if target.startswith("/") else f"/{target}",
            headers=(("host", parts.netloc), *request.headers),
            body=request.body,
            base_url=base_url,
        )


class MemoryExchange:
    """One request to an emulator."""

    def __init__(self, transport: MemoryTransport, command: SendRequest) -> None:
        self._transport = transport
        self._command = command
        self._events: Iterator[tuple[float, Event]] | None = None

    def receive(self, until: float) -> Event:
        if self._events is None:
            self._events = _events(self._transport, self._command)
        found = next(self._events, None)
        if found is None:
            raise RuntimeError("receive() was called after the end of the response")
        moment, event = found
        self._transport.clock.advance_to(min(moment, until))
        return event if moment <= until else Woken()

    def close(self) -> None:
        """Nothing to close."""


class AsyncMemoryTransport:
    """The same for async code. It never waits, so any event loop can run it."""

    def __init__(self, emulators: Mapping[str, Emulator] | None = None, clock: VirtualClock | None = None) -> None:
        self._blocking = MemoryTransport(emulators, clock)
        self.clock = self._blocking.clock
        self.emulators = self._blocking.emulators
        self.base_urls = self._blocking.base_urls

    def open(self, command: SendRequest) -> AsyncMemoryExchange:
        return AsyncMemoryExchange(self._blocking.open(command))

    async def sleep(self, until: float) -> None:
        self._blocking.sleep(until)

    async def close(self) -> None:
        """Nothing to close."""


class AsyncMemoryExchange:
    """One request to an emulator."""

    def __init__(self, blocking: MemoryExchange) -> None:
        self._blocking = blocking

    async def receive(self, until: float) -> Event:
        return self._blocking.receive(until)

    async def close(self) -> None:
        """Nothing to close."""
        self._blocking.close()


def _all_emulators() -> dict[str, Emulator]:
    return {name: kind() for name, kind in EMULATORS.items()}


def _hosts(endpoints: msgspec.Struct) -> list[str]:
    return [url for url in msgspec.structs.asdict(endpoints).values() if url.startswith("https:")]


def _events(transport: MemoryTransport, command: SendRequest) -> Iterator[tuple[float, Event]]:
    """The events of a request, each with its time."""
    routed = transport.route(command.request)
    if routed is None:
        failed = RequestFailed(command.request_id, "connect", "no emulator has this address")
        return iter([(transport.clock.now(), failed)])
    emulator, request = routed
    response = emulator.handle(request, transport.clock.now())
    return _response_events(response, transport.clock, command.request_id, command.request.silence)


def _response_events(
    response: EmulatorResponse, clock: VirtualClock, request_id: int, timeout: float
) -> Iterator[tuple[float, Event]]:
    """A response as events, until a silence longer than `timeout`."""
    yield clock.now(), ResponseStarted(request_id, response.status, response.headers)
    heard = list(takewhile(lambda chunk: chunk.pause <= timeout, response.chunks))
    for chunk in heard:
        yield clock.now() + chunk.pause, BodyReceived(request_id, chunk.data)
    if len(heard) < len(response.chunks) or response.stays_open:
        yield clock.now() + timeout, RequestFailed(request_id, "timeout", f"nothing came for {timeout:g} seconds")
    else:
        yield clock.now(), ResponseEnded(request_id)
