"""HTTP/1.1 without I/O, over h11."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire_io._lazy import lazy_attributes

if TYPE_CHECKING:
    from .exchange import Http11Exchange

__all__ = ["Http11Exchange"]

_MODULES = {
    "Http11Exchange": "exchange",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
