"""What belongs to one event loop alone, such as its connections: made for each loop, and closed when that ends.

A socket that one event loop waits for is nothing to another. So a transport that is used in several, one after the
other or in threads side by side, keeps connections for each.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from modelwire.errors import LocalProtocolError

ResourceT = TypeVar("ResourceT")


class PerLoop(Generic[ResourceT]):
    """One of something for each event loop that asks for it.

    `open` makes it. `close` is awaited in the same loop: when that comes to its end, or by `close` of this object. A
    loop that is closed by hand has to be told that it ends, as `asyncio.run` tells it (`shutdown_asyncgens`).
    """

    def __init__(self, open: Callable[[], ResourceT], close: Callable[[ResourceT], Awaitable[None]]) -> None:
        self._open = open
        self._close = close
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[ResourceT, AsyncGenerator[None, None]]] = {}

    async def get(self) -> ResourceT:
        """That of the running event loop."""
        loop = current_loop()
        kept = self._find(loop)
        if kept is None:
            resource = self._open()
            keeper = self._keep(loop, resource)
            # It does not wait: so no other task comes between.
            await anext(keeper)
            kept = resource, keeper
            with self._lock:
                self._kept[loop] = kept
        return kept[0]

    async def close(self) -> None:
        """Close that of the running event loop, if there is one; the next that asks gets a new one."""
        kept = self._find(current_loop())
        if kept is not None:
            await kept[1].aclose()

    async def _keep(self, loop: object, resource: ResourceT) -> AsyncGenerator[None, None]:
        """Every event loop closes the generators that were begun in it before it ends: that is how one hears of it."""
        try:
            yield
        finally:
            with self._lock:
                self._kept.pop(loop, None)
            # trio cancels what it closes in the end.
            with anyio.CancelScope(shield=True):
                await self._close(resource)

    def _find(self, loop: object) -> tuple[ResourceT, AsyncGenerator[None, None]] | None:
        """What is kept for a loop. What belongs to loops that were closed without a word is left to Python."""
        with self._lock:
            kept = self._kept.get(loop)
            if kept is None:
                self._kept = {each: held for each, held in self._kept.items() if not _is_closed(each)}
        return kept


def _is_closed(loop: object) -> bool:
    # What stands for one of trio's cannot tell.
    is_closed: Callable[[], bool] | None = getattr(loop, "is_closed", None)
    return is_closed is not None and is_closed()


class LoopGuard:
    """The event loop that something was begun in, and cannot leave."""

    def __init__(self) -> None:
        self._loop: object = None

    def check(self) -> None:
        """Raises `LocalProtocolError` in another event loop than the first time."""
        loop = current_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise LocalProtocolError(
                "this was begun in another event loop, where its connection is: go on with it there, or begin anew here"
            )


def current_loop() -> object:
    """What stands for the running event loop, of asyncio or of trio; None where none runs."""
    # No loop of theirs runs where they are not imported, and importing them takes long.
    asyncio = sys.modules.get("asyncio")
    # Unlike `get_running_loop` it does not raise, which takes long, too: this is asked for each read.
    loop: object = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        return loop
    trio = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None
