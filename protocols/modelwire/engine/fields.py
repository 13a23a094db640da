"""A flow's fields as JSON, and back with their types checked."""

from __future__ import annotations

from dataclasses import Field, fields
from functools import cache
from typing import Any, get_type_hints

import msgspec

from modelwire.errors import InvalidInput


def saved_fields(flow: Any) -> tuple[Field[Any], ...]:
    """The fields of a class of flows that a snapshot keeps."""
    return tuple(entry for entry in _fields_of(flow) if entry.metadata.get("kept", True))


def encode_fields(flow: Any) -> bytes:
    """The kept fields of a flow as a JSON object."""
    return msgspec.json.encode({name: getattr(flow, name) for name in _kept_names(flow.__class__)})


def decode_fields(flow: Any, data: bytes) -> msgspec.Struct:
    """The kept fields of a class of flows, from JSON. Raises msgspec's errors for what does not fit."""
    return msgspec.json.decode(data, type=_state_type(flow))


def validate_fields(flow: Any) -> None:
    """See that what a user gave can be sent, and that a snapshot could bring it back.

    A Struct checks nothing when it is made. Raises `InvalidInput`, naming the field.
    """
    for entry in _fields_of(flow.__class__):
        value = getattr(flow, entry.name)
        if isinstance(value, str | dict | msgspec.Struct) and value is not entry.default:
            try:
                data = msgspec.json.encode(value)
                if isinstance(value, msgspec.Struct) and entry.metadata.get("kept", True):
                    msgspec.json.decode(data, type=type(value))
            except UnicodeEncodeError:
                raise InvalidInput(
                    f"the field {entry.name!r} holds a lone surrogate, which UTF-8 cannot carry"
                ) from None
            except (msgspec.ValidationError, ValueError, TypeError) as error:
                raise InvalidInput(f"the field {entry.name!r} does not fit: {error}") from None


# What is asked about a class for each of its flows, and for each of their phases.


@cache
def _fields_of(flow: Any) -> tuple[Field[Any], ...]:
    return fields(flow)


@cache
def _kept_names(flow: Any) -> tuple[str, ...]:
    return tuple(entry.name for entry in saved_fields(flow))


@cache
def _state_type(flow: Any) -> type[msgspec.Struct]:
    hints = get_type_hints(flow)
    shape: list[tuple[str, Any]] = [
        (entry.name, entry.metadata.get("stored", hints[entry.name])) for entry in saved_fields(flow)
    ]
    return msgspec.defstruct(f"{flow.__name__}State", shape, kw_only=True)
