"""`Client` and `AsyncClient`, and what only they use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire_io._lazy import lazy_attributes

if TYPE_CHECKING:
    from .client import AsyncClient, Client
    from .images import Image
    from .run import AsyncChat, AsyncImageJob, Chat, ImageJob

__all__ = ["AsyncChat", "AsyncClient", "AsyncImageJob", "Chat", "Client", "Image", "ImageJob"]

_MODULES = {
    "AsyncClient": "client",
    "Client": "client",
    "Image": "images",
    "AsyncChat": "run",
    "AsyncImageJob": "run",
    "Chat": "run",
    "ImageJob": "run",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
