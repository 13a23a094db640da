"""modelwire's transports by the names that the tables use. Only the library of the named one is imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from modelwire_io import transports
from modelwire_io.drive import AsyncTransport, Transport

BLOCKING = {
    "h11": "H11Transport",
    "httpx": "HttpxTransport",
    "httpx2": "HttpxTransport",
    "urllib3": "Urllib3Transport",
    "urllib": "UrllibTransport",
}
ASYNC = {
    "h11": "AsyncH11Transport",
    "httpx": "AsyncHttpxTransport",
    "httpx2": "AsyncHttpxTransport",
    "aiohttp": "AsyncAiohttpTransport",
}


def blocking_transport(name: str) -> Callable[[], Transport]:
    """The class of a blocking transport; called without arguments, it makes one."""
    make: Callable[[], Transport] = _factory(BLOCKING, name)
    return make


def async_transport(name: str) -> Callable[[], AsyncTransport]:
    """The same for an async transport."""
    make: Callable[[], AsyncTransport] = _factory(ASYNC, name)
    return make


def _factory(classes: dict[str, str], name: str) -> Any:
    found = getattr(transports, classes[name])
    return partial(found, library="httpx2") if name == "httpx2" else found
