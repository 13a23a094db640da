"""modelwire's providers over httpx on asyncio."""

from __future__ import annotations

from modelwire_io.transports import AsyncHttpxTransport

from .provider_modelwire import over_asyncio

run = over_asyncio(AsyncHttpxTransport)
