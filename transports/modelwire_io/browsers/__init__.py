"""Browsers in which a person logs in to a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire_io._lazy import lazy_attributes

if TYPE_CHECKING:
    from .chrome import BrowserUnavailable
    from .playwright import PlaywrightBrowser
    from .threaded import ThreadedBrowser

__all__ = ["BrowserUnavailable", "PlaywrightBrowser", "ThreadedBrowser"]

_MODULES = {
    "BrowserUnavailable": "chrome",
    "PlaywrightBrowser": "playwright",
    "ThreadedBrowser": "threaded",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
