"""Connections that wait for another request: bookkeeping alone, without any I/O."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

ConnectionT = TypeVar("ConnectionT")

# Seconds that a connection is kept, and how many of them. Servers close idle connections after 5 seconds (node), 15
# (Apache) or 75 (nginx); a stale one is noticed, or costs a try.
IDLE_SECONDS = 15.0
MAX_IDLE = 1000


class _Kept(NamedTuple, Generic[ConnectionT]):
    connection: ConnectionT
    expires: float


class ConnectionPool(Generic[ConnectionT]):
    """Idle connections by route, the one used last taken first. What `take` and `put` drop is given to be closed."""

    def __init__(self, *, seconds: float = IDLE_SECONDS, most: int | None = None) -> None:
        self._seconds = seconds
        self._most = _affordable() if most is None else most
        self._lock = threading.Lock()
        # Routes in the order in which a connection was put last: the first is the one to do without.
        self._by_route: OrderedDict[Hashable, deque[_Kept[ConnectionT]]] = OrderedDict()
        self._size = 0
        self._is_closed = False

    def take(self, route: Hashable, now: float) -> tuple[ConnectionT | None, list[ConnectionT]]:
        """A connection of this route, if one is left, and those of any route that have expired."""
        with self._lock:
            expired = self._drop_expired(route, now)
            kept = self._by_route.get(route)
            if kept is None:
                return None, expired
            found = kept.pop().connection
            self._size -= 1
            if not kept:
                del self._by_route[route]
            return found, expired

    def put(self, route: Hashable, connection: ConnectionT, now: float) -> list[ConnectionT]:
        """Keep a connection; returns those that must go for it, or itself where nothing is kept any more."""
        with self._lock:
            if self._is_closed:
                return [connection]
            dropped = self._drop_expired(route, now)
            kept = self._by_route.setdefault(route, deque())
            self._by_route.move_to_end(route)
            kept.append(_Kept(connection, now + self._seconds))
            self._size += 1
            while self._size > self._most:
                dropped.append(self._pop_oldest(next(iter(self._by_route))))
            return dropped

    def close(self) -> list[ConnectionT]:
        """Every connection, to be closed. From now on none is kept."""
        with self._lock:
            found = [entry.connection for kept in self._by_route.values() for entry in kept]
            self._by_route.clear()
            self._size = 0
            self._is_closed = True
            return found

    def _drop_expired(self, route: Hashable, now: float) -> list[ConnectionT]:
        """Those of this route, and those of the routes that were used longest ago."""
        expired = []
        while self._has_expired(route, now):
            expired.append(self._pop_oldest(route))
        while self._by_route and self._has_expired(oldest := next(iter(self._by_route)), now):
            expired.append(self._pop_oldest(oldest))
        return expired

    def _has_expired(self, route: Hashable, now: float) -> bool:
        kept = self._by_route.get(route)
        return kept is not None and kept[0].expires <= now

    def _pop_oldest(self, route: Hashable) -> ConnectionT:
        kept = self._by_route[route]
        self._size -= 1
        oldest = kept.popleft().connection
        if not kept:
            del self._by_route[route]
        return oldest


def _affordable() -> int:
    """As many as were ever busy at the same time, one would wish; but half of what may be open is for others."""
    if sys.platform == "win32":
        return MAX_IDLE
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_IDLE if allowed == resource.RLIM_INFINITY else min(MAX_IDLE, allowed // 2)
