"""aiohttp as a transport, for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelwire.commands import SendRequest
from modelwire.errors import InvalidInput
from modelwire.http import Request
from modelwire_io.clock import SystemClock
from modelwire_io.net.connect import Dialer
from modelwire_io.net.loops import PerLoop
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.net.routes import Route

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from .aiohttp_exchange import AsyncAiohttpExchange


class AsyncAiohttpTransport:
    """An async transport over aiohttp, on asyncio alone.

    It keeps every deadline, and checks and pins addresses that must be public. What it does not promise: a connection
    that the server closed just when it was used again is a failure of the network, which the flow may try again; a
    header value beyond ASCII is refused, since aiohttp would send other bytes; a URL that ends in `?` loses it; SOCKS
    proxies are not to be had.

    `proxy` is for every request (`""`: none), by default the environment's. Raises `InvalidInput` where aiohttp is not
    installed, or the proxy is none.
    """

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        try:
            from .aiohttp_exchange import AsyncAiohttpExchange, open_session
        except ImportError:
            raise InvalidInput("aiohttp is not installed: pip install 'modelwire[aiohttp]'") from None
        self._begin = AsyncAiohttpExchange
        self._open_session = open_session
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        self._dialer = Dialer()
        self._sessions: PerLoop[dict[tuple[bool, bool], ClientSession]] = PerLoop(dict, _close_all)

    def open(self, command: SendRequest) -> AsyncAiohttpExchange:
        """Begin an exchange."""
        return self._begin(self, command)

    async def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        await asyncio.sleep(max(0.0, until - self.clock.now()))

    async def close(self) -> None:
        """Close every connection of this event loop; those of another are closed when that comes to its end."""
        await self._sessions.close()

    async def session_for(self, request: Request, route: Route) -> ClientSession:
        """What such requests go through; a request that must not be repeated gets a new connection."""
        sessions = await self._sessions.get()
        key = (route.public_only, not request.repeatable)
        if key not in sessions:
            public_only, must_be_new = key
            sessions[key] = self._open_session(self._dialer.tls, public_only=public_only, must_be_new=must_be_new)
        return sessions[key]


async def _close_all(sessions: dict[tuple[bool, bool], ClientSession]) -> None:
    for session in sessions.values():
        await session.close()
