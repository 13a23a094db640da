"""A server of the emulators on a port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire_io._lazy import lazy_attributes

if TYPE_CHECKING:
    from .server import EmulatorServer, PortUnavailable

__all__ = ["EmulatorServer", "PortUnavailable"]

_MODULES = {
    "EmulatorServer": "server",
    "PortUnavailable": "server",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
