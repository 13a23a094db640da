"""Everything that touches the world: clients, transports, files and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_attributes

if TYPE_CHECKING:
    from .client.client import AsyncClient, Client
    from .client.images import Image
    from .client.run import AsyncChat, AsyncImageJob, Chat, ImageJob

__all__ = ["AsyncChat", "AsyncClient", "AsyncImageJob", "Chat", "Client", "Image", "ImageJob"]

_MODULES = {
    "AsyncClient": "client.client",
    "Client": "client.client",
    "Image": "client.images",
    "AsyncChat": "client.run",
    "AsyncImageJob": "client.run",
    "Chat": "client.run",
    "ImageJob": "client.run",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
