"""The transport of a client that was given none: over the HTTP library that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelwire.errors import InvalidInput
from modelwire_io.drive import AsyncTransport, Transport

if TYPE_CHECKING:
    # No transport is imported before it is wanted.
    from .httpx_pools import Library

# In the order in which they are preferred; h11 alone comes after them.
_LIBRARIES: tuple[Library, ...] = ("httpx", "httpx2")


def default_transport(proxy: str | None, environment: Mapping[str, str]) -> Transport:
    """A blocking transport over httpx, else httpx2, else h11. Raises `InvalidInput` where none is installed."""
    library = _installed()
    if library is None:
        from .h11 import H11Transport

        return H11Transport(proxy=proxy, environment=environment)
    from .httpx import HttpxTransport

    return HttpxTransport(proxy=proxy, library=library, environment=environment)


def default_async_transport(proxy: str | None, environment: Mapping[str, str]) -> AsyncTransport:
    """An async transport over httpx, else httpx2, else h11. Raises `InvalidInput` where none is installed."""
    library = _installed()
    if library is None:
        from .h11 import AsyncH11Transport

        return AsyncH11Transport(proxy=proxy, environment=environment)
    from .httpx import AsyncHttpxTransport

    return AsyncHttpxTransport(proxy=proxy, library=library, environment=environment)


def _installed() -> Library | None:
    """The preferred library, or None for h11 alone."""
    for library in _LIBRARIES:
        if find_spec(library) is not None:
            return library
    if find_spec("h11") is None:
        raise InvalidInput(
            "a client needs httpx, httpx2 or h11, unless it is given a transport: pip install 'modelwire[httpx]'"
        )
    return None
