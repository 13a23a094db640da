"""Credentials that several flows share, in one process or in many: who gets new ones issued, and who waits for those.

A refresh token may be good for one use. So a flow that is about to get new credentials first waits until it is its
turn, and then sees whether another one has got some meanwhile: it goes on with these. What stands between is a
transport, for it is the first request for new credentials that has to wait.
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

# Seconds between two looks at a lock that another holds.
PAUSE = 0.01
LOCK_TIMEOUT_MESSAGE = "others have been getting new credentials all that time; if they hang, end them, and try again"


class RefreshTurn:
    """One flow's turn to get new credentials issued: held from before the first request until they are kept.

    `kept` is None where the credentials are the caller's own, and nobody has to wait.
    """

    def __init__(self, flow: Flow, kept: StoredCredentials | None) -> None:
        self._flow = flow
        self._kept = kept
        # What this flow has held: that it is what is kept does not make it new again.
        self._seen = [msgspec.to_builtins(flow.credentials)]
        self.is_held = False

    @property
    def is_shared(self) -> bool:
        """Whether there can be others to wait for."""
        return self._kept is not None and bool(self._flow.credential_phases)

    @property
    def is_wanted(self) -> bool:
        """Whether new credentials are to be got."""
        return self._flow.awaits_credentials

    def take(self, timeout: float) -> bool:
        """Wait so many seconds at most; whether it is its turn."""
        assert self._kept is not None
        self.is_held = self._kept.lock.acquire(max(0.0, timeout))
        return self.is_held

    def newer_credentials(self) -> JsonObject | None:
        """What another flow has got meanwhile, or None."""
        assert self._kept is not None
        kept = self._kept.load()
        newer: JsonObject | None = msgspec.to_builtins(kept)
        if newer is None or newer in self._seen:
            return None
        self._seen.append(newer)
        return newer

    def save(self, credentials: JsonObject) -> None:
        """Keep what was issued, and let the others go on."""
        assert self._kept is not None
        self._seen.append(credentials)
        self._kept.save(credentials)
        self.release()

    def release(self) -> None:
        """Let others have their turn, if it was this flow's."""
        if self.is_held:
            assert self._kept is not None
            self.is_held = False
            self._kept.lock.release()


class RefreshGate:
    """A blocking transport on which requests for new credentials wait for their flow's turn."""

    def __init__(self, transport: Transport, turn: RefreshTurn) -> None:
        self._transport = transport
        self._turn = turn

    @property
    def clock(self) -> Clock:
        """The time that the flow is told."""
        return self._transport.clock

    def open(self, command: SendRequest) -> Exchange:
        """Begin an exchange."""
        if not self._turn.is_wanted:
            self._turn.release()
        elif not self._turn.is_held:
            return GatedExchange(self._transport, self._turn, command)
        return self._transport.open(command)

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        self._turn.release()
        self._transport.sleep(until)

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()


class GatedExchange:
    """A request that is sent when it is its flow's turn, and if it is still wanted then."""

    def __init__(self, transport: Transport, turn: RefreshTurn, command: SendRequest) -> None:
        self._transport = transport
        self._turn = turn
        self._command = command
        self._exchange: Exchange | None = None

    def receive(self, until: float) -> Event:
        """The next event of it, or `CredentialsReplaced` instead of all."""
        if self._exchange is None:
            if not self._turn.take(until - self._transport.clock.now()):
                return RequestFailed(self._command.request_id, "timeout", LOCK_TIMEOUT_MESSAGE)
            newer = self._turn.newer_credentials()
            if newer is not None:
                return CredentialsReplaced(newer)
            self._exchange = self._transport.open(self._command)
        return self._exchange.receive(until)

    def close(self) -> None:
        """Let go of the connection."""
        if self._exchange is not None:
            self._exchange.close()


class AsyncRefreshGate:
    """An async transport on which requests for new credentials wait for their flow's turn."""

    def __init__(self, transport: AsyncTransport, turn: RefreshTurn) -> None:
        self._transport = transport
        self._turn = turn

    @property
    def clock(self) -> Clock:
        """The time that the flow is told."""
        return self._transport.clock

    def open(self, command: SendRequest) -> AsyncExchange:
        """Begin an exchange."""
        if not self._turn.is_wanted:
            self._turn.release()
        elif not self._turn.is_held:
            return AsyncGatedExchange(self._transport, self._turn, command)
        return self._transport.open(command)

    async def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        self._turn.release()
        await self._transport.sleep(until)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()


class AsyncGatedExchange:
    """A request that is sent when it is its flow's turn, and if it is still wanted then."""

    def __init__(self, transport: AsyncTransport, turn: RefreshTurn, command: SendRequest) -> None:
        self._transport = transport
        self._turn = turn
        self._command = command
        self._exchange: AsyncExchange | None = None

    async def receive(self, until: float) -> Event:
        """The next event of it, or `CredentialsReplaced` instead of all."""
        if self._exchange is None:
            if not await self._take_turn(until - self._transport.clock.now()):
                return RequestFailed(self._command.request_id, "timeout", LOCK_TIMEOUT_MESSAGE)
            newer = await anyio.to_thread.run_sync(self._turn.newer_credentials)
            if newer is not None:
                return CredentialsReplaced(newer)
            self._exchange = self._transport.open(self._command)
        return await self._exchange.receive(until)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._exchange is not None:
            await self._exchange.close()

    async def _take_turn(self, timeout: float) -> bool:
        # No thread waits for it: one that is cancelled could still get the lock, and nobody would know.
        latest = anyio.current_time() + timeout
        while not self._turn.take(0):
            if anyio.current_time() >= latest:
                return False
            await anyio.sleep(PAUSE)
        return True


async def run_to_its_end(call: Callable[[], object]) -> None:
    """Call it in a thread. However the caller is cancelled, it was called once when this is left.

    A task of asyncio can be cancelled where a scope that is shielded cannot.
    """
    once = _Once(call)
    try:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(once)
    finally:
        once()


class _Once:
    """A call that is made once; whoever makes it again waits until the first is over."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            call, self._call = self._call, None
            if call is not None:
                call()
