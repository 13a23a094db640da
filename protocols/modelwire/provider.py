"""The record of a provider: its flows, and what a user must know of its service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from .chat import ChatFlow
from .engine.snapshot import struct_of_field
from .errors import InvalidInput
from .flow import Flow
from .http import Request, origin
from .image import ImageFlow
from .login import LoginFlow
from .models import ListingFlow
from .names import find_name, require_utf8

if TYPE_CHECKING:
    # Importing it would import every emulator.
    from .emulators.emulator import MakeEmulator

StructT = TypeVar("StructT", bound=msgspec.Struct)

Kind = Literal["chat", "image"]


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One service under one name, with one set of credentials.

    `chat`, `image`, `login` and `listing` (of the models that the service has) are its flows. Each takes `options` and
    `endpoints`. A service has a chat or an image flow; it may lack the others.
    Options, credentials and models are declared in the flows alone. `endpoints` says where the service is: fields
    that hold a URL are hosts, all others paths.

    `secret_field` is the one field of the credentials that a person can supply by hand; empty if there is none.
    `environment` maps what is filled (`credentials.NAME`, `options.NAME`, `base_url`) to environment variables, the
    first one that is set counts. `<NAME>_BASE_URL` always comes first for the base URL.
    `emulator` makes the service's other side, for tests and demos.
    `status` says whether the service is known to answer; `note` says why not, or on what terms.
    """

    name: str
    label: str
    chat: type[ChatFlow] | None = None
    image: type[ImageFlow] | None = None
    login: type[LoginFlow] | None = None
    listing: type[ListingFlow] | None = None
    emulator: MakeEmulator | None = None
    endpoints: msgspec.Struct
    secret_field: str = ""
    environment: dict[str, tuple[str, ...]] = {}
    website: str
    status: Literal["live", "gone", "unknown"]
    note: str

    def __post_init__(self) -> None:
        if self.chat is None and self.image is None:
            raise InvalidInput(f"the provider {self.name!r} has neither a chat nor an image flow")

    @property
    def flows(self) -> dict[Kind, type[ChatFlow] | type[ImageFlow]]:
        """The flows that ask a model, by kind."""
        flows: dict[Kind, type[ChatFlow] | type[ImageFlow]] = {}
        if self.chat is not None:
            flows["chat"] = self.chat
        if self.image is not None:
            flows["image"] = self.image
        return flows

    @property
    def credentials(self) -> type[msgspec.Struct] | None:
        """The type of the credentials; None if the provider needs none."""
        return next((kind for flow in self.flows.values() if (kind := flow.credentials_type()) is not None), None)

    @property
    def conversation(self) -> type[msgspec.Struct] | None:
        """The type of a conversation that can be continued; None if the provider keeps none."""
        return None if self.chat is None else struct_of_field(self.chat, "conversation")

    def variables(self, target: str) -> tuple[str, ...]:
        """The environment variables that fill `credentials.NAME`, `options.NAME` or `base_url`, the first one first."""
        own = self.environment.get(target, ())
        return (f"{self.name.upper().replace('-', '_')}_BASE_URL", *own) if target == "base_url" else own


def options_type(flow: type[Flow]) -> type[msgspec.Struct]:
    """The type of a flow's options, from the annotation of that field; an empty one if it has none."""
    return struct_of_field(flow, "options") or NoOptions


class NoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a flow that has none."""


def parse_options(options: type[StructT], values: Mapping[str, Any]) -> StructT:
    """A provider's options from what a user gave, numbers also as text.

    Raises `InvalidInput` for an unknown key, with the nearest one, and for a value of the wrong type.
    """
    fields = options.__struct_fields__
    named = {}
    for key, value in values.items():
        named[find_name(key.replace("-", "_"), fields, "option")] = value
        require_utf8(str(value), f"the option {key!r}")
    try:
        return msgspec.convert(named, options, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"bad option: {error}") from None


def with_base_url(endpoints: StructT, base_url: str) -> StructT:
    """A provider's endpoints with every host replaced by one base URL; paths stay as they are.

    Fields that hold a URL are hosts, all others paths. A query of the base URL is left out: it is for
    `Flow.base_query`. Raises `InvalidInput` for one that is not an http(s) URL, or that has a user name or a fragment.
    """
    base, _, query = base_url.partition("?")
    base = base.rstrip("/")
    if "#" in base_url:
        raise InvalidInput("a base URL has no fragment: leave out the '#' and what follows it")
    origin(base)
    if "@" in urlsplit(base).netloc:
        raise InvalidInput("a base URL has no user name and no password: leave them out")
    Request(method="GET", url=f"{base}/?{query}" if query else base)
    defaults = msgspec.structs.asdict(endpoints)
    hosts = {name: base for name, value in defaults.items() if value.startswith(("http:", "https:"))}
    return msgspec.structs.replace(endpoints, **hosts)
