"""The providers that ship with modelwire, and the names `PROVIDER/MODEL`."""

from __future__ import annotations

from collections.abc import Iterable

from .names import find_name
from .provider import Provider
from .providers import arta, cromicle, fakegpt, hailuo, magickpen

PROVIDERS: dict[str, Provider] = {
    module.PROVIDER.name: module.PROVIDER for module in (cromicle, fakegpt, hailuo, magickpen, arta)
}


def find_provider(name: str, *, more: Iterable[Provider] = ()) -> Provider:
    """The provider of this name, in any case, among those of the catalog and `more`.

    Raises `InvalidInput`, with the nearest name, if there is none.
    """
    known = PROVIDERS | {provider.name: provider for provider in more}
    return known[find_name(name, known, "provider")]


def split_model(model: str) -> tuple[str, str | None]:
    """`PROVIDER` or `PROVIDER/MODEL`, as users type it, in two. MODEL may hold slashes."""
    provider, separator, name = model.partition("/")
    return provider, name if separator else None
