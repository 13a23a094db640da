"""A pool of idle connections: the bookkeeping, without I/O."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

ConnectionT = TypeVar("ConnectionT")

# Seconds: how long an idle connection is pooled. Servers close theirs after 5 (node), 15 (Apache) or 75 (nginx). If one
# is closed earlier, the transport notices before it sends, or retries.
IDLE_SECONDS = 15.0
# Connections: the size of a pool, if the system's limit on open files allows it.
MAX_IDLE = 1000


class _Idle(NamedTuple, Generic[ConnectionT]):
    connection: ConnectionT
    expires: float


class ConnectionPool(Generic[ConnectionT]):
    """Idle connections by route; the most recently used one is taken first.

    The pool closes nothing itself: `take`, `put` and `close` return the connections that the caller must close.
    """

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS, max_idle: int | None = None) -> None:
        self._idle_seconds = idle_seconds
        self._max_idle = _default_size() if max_idle is None else max_idle
        self._lock = threading.Lock()
        # Least recently used route first: that one is evicted.
        self._by_route: OrderedDict[Hashable, deque[_Idle[ConnectionT]]] = OrderedDict()
        self._size = 0
        self._is_closed = False

    def take(self, route: Hashable, now: float) -> tuple[ConnectionT | None, list[ConnectionT]]:
        """Take a connection of this route. Returns it, or None, and the expired connections of any route."""
        with self._lock:
            expired = self._drop_expired(route, now)
            idle = self._by_route.get(route)
            if idle is None:
                return None, expired
            found = idle.pop().connection
            self._size -= 1
            if not idle:
                del self._by_route[route]
            return found, expired

    def put(self, route: Hashable, connection: ConnectionT, now: float) -> list[ConnectionT]:
        """Add a connection. Returns the expired and evicted ones, or, if the pool is closed, the connection itself."""
        with self._lock:
            if self._is_closed:
                return [connection]
            dropped = self._drop_expired(route, now)
            idle = self._by_route.setdefault(route, deque())
            self._by_route.move_to_end(route)
            idle.append(_Idle(connection, now + self._idle_seconds))
            self._size += 1
            while self._size > self._max_idle:
                dropped.append(self._pop_oldest(next(iter(self._by_route))))
            return dropped

    def close(self) -> list[ConnectionT]:
        """Empty the pool and return every connection. From now on the pool accepts none."""
        with self._lock:
            found = [entry.connection for idle in self._by_route.values() for entry in idle]
            self._by_route.clear()
            self._size = 0
            self._is_closed = True
            return found

    def _drop_expired(self, route: Hashable, now: float) -> list[ConnectionT]:
        """Remove the expired connections of this route and of the least recently used routes."""
        expired = []
        while self._has_expired(route, now):
            expired.append(self._pop_oldest(route))
        while self._by_route and self._has_expired(oldest := next(iter(self._by_route)), now):
            expired.append(self._pop_oldest(oldest))
        return expired

    def _has_expired(self, route: Hashable, now: float) -> bool:
        idle = self._by_route.get(route)
        return idle is not None and idle[0].expires <= now

    def _pop_oldest(self, route: Hashable) -> ConnectionT:
        idle = self._by_route[route]
        self._size -= 1
        oldest = idle.popleft().connection
        if not idle:
            del self._by_route[route]
        return oldest


def _default_size() -> int:
    """`MAX_IDLE`, but at most half of the files that the process may open: the rest is for other uses."""
    if sys.platform == "win32":
        return MAX_IDLE
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_IDLE if allowed == resource.RLIM_INFINITY else min(MAX_IDLE, allowed // 2)
