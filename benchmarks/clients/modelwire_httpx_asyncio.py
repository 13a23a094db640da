"""modelwire over httpx on asyncio."""

from __future__ import annotations

from modelwire_io.httpx_transport import AsyncHttpxTransport

from .modelwire_drivers import drive_on_asyncio

run = drive_on_asyncio(AsyncHttpxTransport)
