"""modelwire over h11 on asyncio."""

from __future__ import annotations

from modelwire_io.h11_transport import AsyncH11Transport

from .modelwire_drivers import drive_on_asyncio

run = drive_on_asyncio(AsyncH11Transport)
