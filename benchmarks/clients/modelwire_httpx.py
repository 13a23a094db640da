"""modelwire over httpx, blocking."""

from __future__ import annotations

from modelwire_io.httpx_transport import HttpxTransport

from .modelwire_drivers import drive_blocking

run = drive_blocking(HttpxTransport)
