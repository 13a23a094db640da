"""What a provider tells of itself: the record that the catalog holds, and the values that its users may set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from .errors import InvalidInput
from .flow import Flow
from .http import Request, origin
from .login import LoginFlow
from .names import find_name, require_utf8

StructT = TypeVar("StructT", bound=msgspec.Struct)


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider: its names, its flow, and what a user must know of its service.

    `models` maps every name that a user may type to the name on the wire, or to several of which one is drawn.
    `answers` says whether the service is known to answer today; `note` says why not, or on what terms.
    `secret_field` is the one field of the credentials that a person can bring by hand; empty where there is none.
    `login` is the flow by which a person logs in with a browser; it takes the same `options` and `endpoints`.
    `environment` maps a variable of the environment to what it fills: `credentials.NAME` or `options.NAME`.
    """

    name: str
    label: str
    kind: Literal["chat", "image"]
    flow: type[Flow]
    models: dict[str, tuple[str, ...]]
    default_model: str
    options: type[msgspec.Struct]
    endpoints: type[msgspec.Struct]
    credentials: type[msgspec.Struct] | None = None
    conversation: type[msgspec.Struct] | None = None
    secret_field: str = ""
    login: type[LoginFlow] | None = None
    environment: dict[str, str] = {}
    website: str
    answers: Literal["yes", "no", "unknown"]
    note: str


def resolve_model(
    models: Mapping[str, tuple[str, ...]], model: str | None, default: str, provider: str
) -> tuple[str, ...]:
    """What a model is called on the wire: the candidates of an alias, or the one whose own name was given.

    Raises `InvalidInput` with the nearest name for a model that the provider does not have.
    """
    if not model:
        return models[default]
    own_names = {wire: (wire,) for candidates in models.values() for wire in candidates}
    known = own_names | dict(models)
    return known[find_name(model, known, "model", where=f" for {provider}")]


def parse_options(options: type[StructT], values: Mapping[str, Any]) -> StructT:
    """A provider's options from what a user gave, numbers also as text.

    Raises `InvalidInput` for an unknown key, with the nearest, and for a value of the wrong type.
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


def with_base_url(endpoints: type[StructT], base_url: str) -> StructT:
    """A provider's endpoints with every host replaced by one base; paths stay as they are.

    Fields that hold a URL are hosts, all others paths. Raises `InvalidInput` for what is not an http(s) URL.
    """
    base = base_url.rstrip("/")
    if "?" in base or "#" in base:
        raise InvalidInput("a base URL has no query and no fragment")
    origin(base)
    if "@" in urlsplit(base).netloc:
        raise InvalidInput("a base URL has no user name and no password")
    Request(method="GET", url=base)
    defaults = msgspec.structs.asdict(endpoints())
    return endpoints(**{name: base for name, value in defaults.items() if value.startswith(("http:", "https:"))})
