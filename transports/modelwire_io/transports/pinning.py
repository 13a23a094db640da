"""Public addresses for clients that resolve names themselves: a request goes to an address that was checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import anyio.to_thread

from modelwire.errors import ConnectError
from modelwire_io.net.connect import allowed_addresses, resolve_host
from modelwire_io.net.routes import Route


def pin_addresses(route: Route, deadline: float) -> list[str]:
    """The addresses of the route's host, after a check that all of them are public.

    `deadline` is monotonic time. Raises `ConnectError` if one is not public, or if there is none.
    """
    try:
        found = resolve_host(route.host, route.port, deadline)
    except (OSError, UnicodeError) as error:
        raise ConnectError(str(error)) from None
    return [str(entry[4][0]) for entry in allowed_addresses(route, found)]


async def pin_addresses_async(route: Route, deadline: float) -> list[str]:
    """The same for async code."""
    return await anyio.to_thread.run_sync(pin_addresses, route, deadline, abandon_on_cancel=True)


class AddressAttempt(NamedTuple):
    """A try to reach one of a host's addresses, or the host itself if no address is pinned."""

    address: str | None
    seconds: float
    """Seconds that connecting may take: the time left is shared with the addresses after this one."""
    is_last: bool


def address_attempts(addresses: list[str] | None, deadline: float) -> Iterator[AddressAttempt]:
    """One attempt for each address, or a single one if none is pinned. `deadline` is monotonic time."""
    targets: list[str | None] = [None] if addresses is None else [*addresses]
    for left in range(len(targets), 0, -1):
        seconds = max(0.001, (deadline - time.monotonic()) / left)
        yield AddressAttempt(targets[-left], seconds, left == 1)
