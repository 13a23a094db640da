"""modelwire's outer half: everything that touches the world."""

from .client import AsyncClient, Client
from .images import Image
from .work import AsyncChat, AsyncImageJob, Chat, ImageJob

__all__ = ["AsyncChat", "AsyncClient", "AsyncImageJob", "Chat", "Client", "Image", "ImageJob"]
