"""Third-party providers, found by the entry points that their packages declare."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelwire.catalog import PROVIDERS, find_provider
from modelwire.errors import InvalidInput
from modelwire.names import find_name
from modelwire.provider import Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "modelwire.providers"
# A name is also part of a file's name, of an environment variable's, and of PROVIDER/MODEL.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def plugin_names() -> list[str]:
    """The names of the providers that installed packages declare; nothing is imported.

    A package cannot take the name of a provider of the catalog.
    """
    names = {entry.name for entry in _entry_points() if _NAME.fullmatch(entry.name)}
    return sorted(name for name in names if name.casefold() not in PROVIDERS)


def load_provider(name: str) -> Provider:
    """The provider of this name: one of the catalog, or one of an installed package, which is imported now.

    Raises `InvalidInput`, with the nearest name, if there is none, and for a plugin that does not load.
    """
    if name in PROVIDERS:
        return PROVIDERS[name]
    plugins = plugin_names()
    found = find_name(name, [*PROVIDERS, *plugins], "provider")
    return _load(found) if found in plugins else find_provider(found)


def _load(name: str) -> Provider:
    entry = next(entry for entry in _entry_points() if entry.name == name)
    try:
        provider = entry.load()
    except Exception as error:
        raise InvalidInput(f"the provider {name!r} ({entry.value}) does not load: {error}") from error
    if not isinstance(provider, Provider):
        raise InvalidInput(f"the provider {name!r} ({entry.value}) is not a modelwire.provider.Provider")
    if provider.name != name:
        # Credentials are stored under its name.
        raise InvalidInput(f"the provider {name!r} ({entry.value}) calls itself {provider.name!r}")
    return provider


def _entry_points() -> Iterable[EntryPoint]:
    # Imported here: it takes as long as all providers of the catalog, and is rarely needed.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)
