"""Resources that belong to one event loop, such as connections: created for each loop, closed when the loop ends.

A socket that is registered with one event loop cannot be used in another. So a transport that is used in several loops,
one after the other or in parallel threads, has separate connections for each.
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
    """One resource for each event loop that uses it.

    `open` creates it. `close` is awaited in the same loop: when the loop ends, or in `PerLoop.close`. If you run an
    asyncio loop by hand, call `loop.shutdown_asyncgens()` before you close it, as `asyncio.run` does.
    """

    def __init__(self, open: Callable[[], ResourceT], close: Callable[[ResourceT], Awaitable[None]]) -> None:
        self._open = open
        self._close = close
        self._lock = threading.Lock()
        # The resource of each loop, and the generator that closes it.
        self._by_loop: dict[object, tuple[ResourceT, AsyncGenerator[None, None]]] = {}

    async def get(self) -> ResourceT:
        """Return the running event loop's resource; open it if there is none yet."""
        loop = current_loop()
        entry = self._find(loop)
        if entry is None:
            resource = self._open()
            closer = self._close_at_loop_end(loop, resource)
            # Runs to the `yield` without suspending, so no other task can open a second resource meanwhile.
            await anext(closer)
            entry = resource, closer
            with self._lock:
                self._by_loop[loop] = entry
        return entry[0]

    async def close(self) -> None:
        """Close the running event loop's resource, if there is one. The next `get` opens a new one."""
        entry = self._find(current_loop())
        if entry is not None:
            await entry[1].aclose()

    async def _close_at_loop_end(self, loop: object, resource: ResourceT) -> AsyncGenerator[None, None]:
        """Close the resource when the loop ends.

        Neither asyncio nor trio has a public "on loop exit" hook, but both register every async generator when it is
        first iterated (`sys.set_asyncgen_hooks`), and before the loop ends they call `aclose` on each one that is not
        finished (in asyncio, `loop.shutdown_asyncgens` does). That raises `GeneratorExit` at the `yield`, while the
        loop still runs, so the `finally` can await. This generator has no values to yield: `get` iterates it once, to
        register it, and it stays suspended until the loop or `PerLoop.close` closes it.
        """
        try:
            yield
        finally:
            with self._lock:
                self._by_loop.pop(loop, None)
            # trio closes generators in a cancelled scope.
            with anyio.CancelScope(shield=True):
                await self._close(resource)

    def _find(self, loop: object) -> tuple[ResourceT, AsyncGenerator[None, None]] | None:
        """The entry of a loop. Entries of loops that were closed by hand are dropped: Python closes their sockets."""
        with self._lock:
            entry = self._by_loop.get(loop)
            if entry is None:
                self._by_loop = {each: other for each, other in self._by_loop.items() if not _is_closed(each)}
        return entry


def _is_closed(loop: object) -> bool:
    # trio's tokens have no `is_closed`.
    is_closed: Callable[[], bool] | None = getattr(loop, "is_closed", None)
    return is_closed is not None and is_closed()


class LoopGuard:
    """Binds an object to the event loop of its first `check`."""

    def __init__(self) -> None:
        self._loop: object = None

    def check(self) -> None:
        """Raises `LocalProtocolError` in any other event loop than that of the first call."""
        loop = current_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise LocalProtocolError(
                "this was started in another event loop, which its connection belongs to:"
                " continue in that one, or start again in this one"
            )


def current_loop() -> object:
    """The running event loop: asyncio's loop object, or trio's token. None if no loop is running."""
    # Neither is imported here, because that takes long: if a library has not been imported, no loop of it is running.
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            pass
    trio = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None
