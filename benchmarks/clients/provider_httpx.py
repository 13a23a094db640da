"""modelwire's providers over httpx, blocking."""

from __future__ import annotations

from modelwire_io.transports import HttpxTransport

from .provider_modelwire import over_blocking

run = over_blocking(HttpxTransport)
