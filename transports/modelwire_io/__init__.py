"""modelwire's outer half: everything that touches the world."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import AsyncClient, Client
    from .images import Image
    from .work import AsyncChat, AsyncImageJob, Chat, ImageJob

__all__ = ["AsyncChat", "AsyncClient", "AsyncImageJob", "Chat", "Client", "Image", "ImageJob"]

_MODULES = {"AsyncClient": "client", "Client": "client", "Image": "images"}


def __getattr__(name: str) -> object:
    """A name of `__all__`, imported when it is asked for: the drivers and some transports need no package of others."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_MODULES.get(name, 'work')}", __name__), name)
    except ModuleNotFoundError as error:
        message = f"{name} needs {error.name}, which is not installed: pip install 'modelwire[httpx]'"
        raise ModuleNotFoundError(message, name=error.name) from None
