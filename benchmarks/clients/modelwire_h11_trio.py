"""modelwire over h11 on trio."""

from __future__ import annotations

from modelwire_io.h11_transport import AsyncH11Transport

from .modelwire_drivers import drive_on_trio

run = drive_on_trio(AsyncH11Transport)
