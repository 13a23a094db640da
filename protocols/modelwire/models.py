"""The models of a flow: the names that users type, and the names on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .errors import InvalidInput
from .flow import Flow
from .names import find_name

# Maps each name that a user may type to names on the wire, one of which is drawn. None: the set is open, and any name
# goes to the wire unchanged.
Models = Mapping[str, tuple[str, ...]] | None


def resolve_model(models: Models, model: str | None, default: str | None, provider: str) -> tuple[str, ...]:
    """The names on the wire that `model`, or else `default`, stands for.

    Raises `InvalidInput` if there is no such model (with the nearest name), or if there is no default and none is
    given.
    """
    name = model or default
    if not name:
        raise InvalidInput(f"{provider} has no default model: name one")
    if models is None:
        return (name,)
    own_names = {wire: (wire,) for candidates in models.values() for wire in candidates}
    known = own_names | dict(models)
    return known[find_name(name, known, "model", where=f" for {provider}")]


@dataclass(kw_only=True)
class ListingFlow(Flow):
    """A flow that asks the service for its models: one `ModelsListed`."""

    default_timeout: ClassVar[float] = 60.0


@dataclass(kw_only=True)
class ModelFlow(Flow):
    """A flow that asks one model. `model` is one of `models`, or `default_model` if it is None.

    Raises `InvalidInput` for an unknown model, and for none if there is no default.
    """

    models: ClassVar[Models] = None
    default_model: ClassVar[str | None] = None

    model: str | None = None
    # Empty until it is chosen.
    chosen_model: str = field(default="", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._candidates()

    @property
    def wire_model(self) -> str:
        """The model's name on the wire: the one chosen, or chosen now."""
        return self.chosen_model or self.choose_model()

    def choose_model(self) -> str:
        """Choose the model's name on the wire, and return it. If several names are possible, one is drawn.

        Call it in a phase before the one that needs the choice, so that a snapshot holds it.
        """
        candidates = self._candidates()
        self.chosen_model = candidates[0] if len(candidates) == 1 else self.choice(candidates)
        return self.chosen_model

    def _candidates(self) -> tuple[str, ...]:
        return resolve_model(self.models, self.model, self.default_model, type(self).__name__)
