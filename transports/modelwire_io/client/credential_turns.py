"""Turns at refreshing credentials that several flows share, in one process or in many.

A refresh token may work only once, so one flow at a time may refresh. Before a flow sends its refresh request it takes
a lock, then checks whether another flow has stored newer credentials; if so, it uses them. This is a transport wrapper
because the request is what has to wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import anyio.to_thread
import msgspec

from modelwire.commands import SendRequest
from modelwire.events import CredentialsReplaced, Event, RequestFailed
from modelwire.flow import Flow
from modelwire.json import JsonObject
from modelwire_io.clock import Clock
from modelwire_io.drive import AsyncExchange, AsyncTransport, Exchange, Transport

from .stored_credentials import StoredCredentials

# Seconds between two attempts to take a lock that another flow holds.
LOCK_POLL_S = 0.01
LOCK_TIMEOUT_MESSAGE = "another program was refreshing the credentials all the time; if it hangs, end it, and try again"


class RefreshTurn:
    """One flow's turn at getting new credentials: held from before the first request until they are stored.

    `stored` is None if the caller supplied the credentials; then nobody has to wait.
    """

    def __init__(self, flow: Flow, stored: StoredCredentials | None) -> None:
        self._flow = flow
        self._stored = stored
        # All credentials that this flow has used: stored credentials among them are not newer.
        self._seen = [msgspec.to_builtins(flow.credentials)]
        self.is_held = False

    @property
    def is_shared(self) -> bool:
        """True if there can be other flows to wait for."""
        return self._stored is not None and bool(self._flow.credential_phases)

    @property
    def is_wanted(self) -> bool:
        """True if the flow is about to ask for new credentials."""
        return self._flow.awaits_credentials

    def take(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds. True if it is this flow's turn."""
        assert self._stored is not None
        self.is_held = self._stored.lock.acquire(max(0.0, timeout))
        return self.is_held

    def newer_credentials(self) -> JsonObject | None:
        """The credentials that another flow has stored meanwhile, or None."""
        assert self._stored is not None
        newer: JsonObject | None = msgspec.to_builtins(self._stored.load())
        if newer is None or newer in self._seen:
            return None
        self._seen.append(newer)
        return newer

    def save(self, credentials: JsonObject) -> None:
        """Store new credentials, and end the turn."""
        assert self._stored is not None
        self._seen.append(credentials)
        self._stored.save(credentials)
        self.release()

    def release(self) -> None:
        """End the turn, if it is this flow's."""
        if self.is_held:
            assert self._stored is not None
            self.is_held = False
            self._stored.lock.release()


class RefreshGate:
    """A blocking transport on which requests for new credentials wait for their flow's turn."""

    def __init__(self, transport: Transport, turn: RefreshTurn) -> None:
        self._transport = transport
        self._turn = turn

    @property
    def clock(self) -> Clock:
        return self._transport.clock

    def open(self, command: SendRequest) -> Exchange:
        if not self._turn.is_wanted:
            self._turn.release()
        elif not self._turn.is_held:
            return GatedExchange(self._transport, self._turn, command)
        return self._transport.open(command)

    def sleep(self, until: float) -> None:
        self._turn.release()
        self._transport.sleep(until)

    def close(self) -> None:
        self._transport.close()


class GatedExchange:
    """A request that is sent when it is its flow's turn, unless there are newer credentials by then."""

    def __init__(self, transport: Transport, turn: RefreshTurn, command: SendRequest) -> None:
        self._transport = transport
        self._turn = turn
        self._command = command
        self._exchange: Exchange | None = None

    def receive(self, until: float) -> Event:
        """The next event, or `CredentialsReplaced` instead of all."""
        if self._exchange is None:
            if not self._turn.take(until - self._transport.clock.now()):
                return RequestFailed(self._command.request_id, "timeout", LOCK_TIMEOUT_MESSAGE)
            newer = self._turn.newer_credentials()
            if newer is not None:
                return CredentialsReplaced(newer)
            self._exchange = self._transport.open(self._command)
        return self._exchange.receive(until)

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.close()


class AsyncRefreshGate:
    """An async transport on which requests for new credentials wait for their flow's turn."""

    def __init__(self, transport: AsyncTransport, turn: RefreshTurn) -> None:
        self._transport = transport
        self._turn = turn

    @property
    def clock(self) -> Clock:
        return self._transport.clock

    def open(self, command: SendRequest) -> AsyncExchange:
        if not self._turn.is_wanted:
            self._turn.release()
        elif not self._turn.is_held:
            return AsyncGatedExchange(self._transport, self._turn, command)
        return self._transport.open(command)

    async def sleep(self, until: float) -> None:
        self._turn.release()
        await self._transport.sleep(until)

    async def close(self) -> None:
        await self._transport.close()


class AsyncGatedExchange:
    """A request that is sent when it is its flow's turn, unless there are newer credentials by then."""

    def __init__(self, transport: AsyncTransport, turn: RefreshTurn, command: SendRequest) -> None:
        self._transport = transport
        self._turn = turn
        self._command = command
        self._exchange: AsyncExchange | None = None

    async def receive(self, until: float) -> Event:
        """The next event, or `CredentialsReplaced` instead of all."""
        if self._exchange is None:
            if not await self._take_turn(until - self._transport.clock.now()):
                return RequestFailed(self._command.request_id, "timeout", LOCK_TIMEOUT_MESSAGE)
            newer = await anyio.to_thread.run_sync(self._turn.newer_credentials)
            if newer is not None:
                return CredentialsReplaced(newer)
            self._exchange = self._transport.open(self._command)
        return await self._exchange.receive(until)

    async def close(self) -> None:
        if self._exchange is not None:
            await self._exchange.close()

    async def _take_turn(self, timeout: float) -> bool:
        # Polled, not awaited in a thread: a thread that was abandoned could still get the lock, and nobody would know.
        latest = anyio.current_time() + timeout
        while not self._turn.take(0):
            if anyio.current_time() >= latest:
                return False
            await anyio.sleep(LOCK_POLL_S)
        return True


async def run_to_its_end(call: Callable[[], object]) -> None:
    """Call it in a thread, exactly once, however the caller is cancelled.

    asyncio can cancel a task inside a shielded scope, so the call is made up for afterwards if need be.
    """
    once = _Once(call)
    try:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(once)
    finally:
        once()


class _Once:
    """A call that is made once. A second caller waits until the first call is over."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            call, self._call = self._call, None
            if call is not None:
                call()
