"""The transports, one file for each HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire_io._lazy import lazy_attributes

if TYPE_CHECKING:
    from .aiohttp import AsyncAiohttpTransport
    from .h11 import AsyncH11Transport, H11Transport
    from .httpx import AsyncHttpxTransport, HttpxTransport
    from .memory import AsyncMemoryTransport, MemoryTransport
    from .urllib import UrllibTransport
    from .urllib3 import Urllib3Transport

__all__ = [
    "AsyncAiohttpTransport",
    "AsyncH11Transport",
    "AsyncHttpxTransport",
    "AsyncMemoryTransport",
    "H11Transport",
    "HttpxTransport",
    "MemoryTransport",
    "Urllib3Transport",
    "UrllibTransport",
]

_MODULES = {
    "AsyncH11Transport": "h11",
    "H11Transport": "h11",
    "AsyncHttpxTransport": "httpx",
    "HttpxTransport": "httpx",
    "AsyncAiohttpTransport": "aiohttp",
    "Urllib3Transport": "urllib3",
    "UrllibTransport": "urllib",
    "AsyncMemoryTransport": "memory",
    "MemoryTransport": "memory",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
