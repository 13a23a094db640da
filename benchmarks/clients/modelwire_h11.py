"""modelwire over plain sockets."""

from __future__ import annotations

from modelwire_io.h11_transport import H11Transport

from .modelwire_drivers import drive_blocking

run = drive_blocking(H11Transport)
