"""Credentials, conversations, jobs and recordings in private files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire_io._lazy import lazy_attributes

if TYPE_CHECKING:
    from .credentials import FileStore, MemoryStore
    from .private_files import PrivateFileError

__all__ = ["FileStore", "MemoryStore", "PrivateFileError"]

_MODULES = {
    "FileStore": "credentials",
    "MemoryStore": "credentials",
    "PrivateFileError": "private_files",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
