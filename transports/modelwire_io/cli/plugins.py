"""The providers of installed packages, for commands that need all of them."""

from __future__ import annotations

from collections.abc import Iterator

from modelwire.errors import InvalidInput
from modelwire.provider import Provider
from modelwire_io.client.plugins import load_provider, plugin_names

from .terminal import note


def load_plugins() -> Iterator[Provider]:
    """The providers of installed packages; of one that is broken, a note."""
    for name in plugin_names():
        try:
            yield load_provider(name)
        except InvalidInput as error:
            note(f"modelwire: {error}")
