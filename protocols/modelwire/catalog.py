"""Which providers and models there are."""

from __future__ import annotations

from collections.abc import Iterable

from .names import find_name
from .provider import Provider, resolve_model
from .providers import arta, cromicle, fakegpt, hailuo, magickpen

PROVIDERS: dict[str, Provider] = {
    module.PROVIDER.name: module.PROVIDER for module in (cromicle, fakegpt, hailuo, magickpen, arta)
}


def find_provider(name: str, *, more: Iterable[Provider] = ()) -> Provider:
    """The provider of this name, in any case, among those of the catalog and `more`.

    Raises `InvalidInput` with the nearest name where there is none.
    """
    known = PROVIDERS | {provider.name: provider for provider in more}
    return known[find_name(name, known, "provider")]


def split_model(model: str) -> tuple[str, str | None]:
    """`PROVIDER` or `PROVIDER/MODEL`, as users type it, in two."""
    provider, separator, name = model.partition("/")
    return provider, name if separator else None


def resolve(model: str, *, more: Iterable[Provider] = ()) -> tuple[Provider, str]:
    """The provider and the model that `PROVIDER` or `PROVIDER/MODEL` names, defaults filled in.

    Raises `InvalidInput` with the nearest name where there is none.
    """
    provider_name, model_name = split_model(model)
    provider = find_provider(provider_name, more=more)
    resolve_model(provider.models, model_name, provider.default_model, provider.label)
    return provider, model_name or provider.default_model
