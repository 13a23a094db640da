"""urllib3 as a transport: its connections and pools, over sockets that keep a deadline."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelwire.commands import SendRequest
from modelwire.errors import InvalidInput
from modelwire_io.clock import SystemClock
from modelwire_io.net.connect import Dialer
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.net.routes import Route

if TYPE_CHECKING:
    from .urllib3_exchange import RoutePool, Urllib3Exchange

# Connections that are kept for one route, and routes that connections are kept for.
MOST_OF_ONE = 20
MOST_ROUTES = 50


class Urllib3Transport:
    """A blocking transport over urllib3.

    It keeps every deadline, and checks and pins addresses that must be public. What it does not promise: a connection
    that the server closed just when it was used again is a failure of the network, which the flow may try again; kept
    connections do not expire; and all that `UrllibTransport` does not promise, since urllib3 reads by `http.client`.

    `proxy` is for every request (`""`: none), by default the environment's: http:// ones, and with python-socks
    socks5:// ones. Raises `InvalidInput` where urllib3 is not installed, or the proxy is none.
    """

    def __init__(self, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self.clock = SystemClock()
        self.proxies = ProxyTable(proxy, environment)
        try:
            from .urllib3_exchange import RoutePool, Urllib3Exchange
        except ImportError:
            raise InvalidInput("urllib3 is not installed: pip install 'modelwire[urllib3]'") from None
        self._begin = Urllib3Exchange
        self._open_pool = RoutePool
        self._dialer = Dialer()
        self._lock = threading.Lock()
        self._pools: dict[Route, RoutePool] = {}

    def open(self, command: SendRequest) -> Urllib3Exchange:
        """Begin an exchange."""
        return self._begin(self, command)

    def sleep(self, until: float) -> None:
        """Return at `until` (Unix time, seconds)."""
        time.sleep(max(0.0, until - self.clock.now()))

    def close(self) -> None:
        """Close every connection that waits for a request."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()

    def pool_for(self, route: Route, *, must_be_new: bool) -> RoutePool:
        """The connections along a route; none that was used before, where that is asked."""
        if must_be_new:
            return self._open_pool(route, self._dialer, most=1)
        with self._lock:
            pool = self._pools.pop(route, None) or self._open_pool(route, self._dialer, most=MOST_OF_ONE)
            self._pools[route] = pool
            if len(self._pools) > MOST_ROUTES:
                self._pools.pop(next(iter(self._pools))).close()
            return pool
