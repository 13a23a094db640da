"""Public addresses for clients that resolve names themselves: the request goes to an address that was checked."""

from __future__ import annotations

import time

import anyio.to_thread

from modelwire_io.net.connect import allowed_addresses, resolve_host
from modelwire_io.net.routes import Route


def pin_address(route: Route, seconds: float) -> str:
    """An address of the route's host, after a check that all of them are public.

    Raises `ConnectError` if one is not, and `OSError` if there is none within `seconds`.
    """
    found = resolve_host(route.host, route.port, time.monotonic() + seconds)
    return str(allowed_addresses(route, found)[0][4][0])


async def pin_address_async(route: Route, seconds: float) -> str:
    """The same for async code."""
    return await anyio.to_thread.run_sync(pin_address, route, seconds, abandon_on_cancel=True)
