"""modelwire's providers over h11 on asyncio."""

from __future__ import annotations

from modelwire_io.transports import AsyncH11Transport

from .provider_modelwire import over_asyncio

run = over_asyncio(AsyncH11Transport)
