"""A flow's state as JSON: the record that `Flow.snapshot` writes and `Flow.restore` reads, and the fields in it."""

from __future__ import annotations

from dataclasses import Field, fields
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from modelwire.errors import InvalidInput, SnapshotError


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Begin `phase` of `flow` again, with these fields.

    `version` is that of the flow's fields. `phase` is None if the flow had finished. `request_id` is the last one
    used. `text_delivered`: the user has seen text that the phase will send again. `in_doubt`: a request that must not
    be repeated was on the wire. `job_id`: the provider's name for a job that it has accepted, and that continues by
    itself.
    """

    flow: str
    version: Annotated[int, Meta(ge=0, le=2**31)]
    phase: str | None
    fields: msgspec.Raw
    request_id: Annotated[int, Meta(ge=0, le=2**53)]
    text_delivered: bool = False
    in_doubt: bool = False
    job_id: str = ""


_decoder = msgspec.json.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> str:
    """The snapshot as one line of JSON."""
    return msgspec.json.encode(snapshot).decode()


def decode_snapshot(data: str | bytes) -> Snapshot:
    """Read a snapshot. Raises `SnapshotError` for anything else."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SnapshotError(f"this is not a snapshot, or it is damaged: {error}") from None


def saved_fields(flow: Any) -> tuple[Field[Any], ...]:
    """The fields of a class of flows that a snapshot holds: all but those with the metadata `{"saved": False}`."""
    return tuple(entry for entry in _fields_of(flow) if entry.metadata.get("saved", True))


def encode_fields(flow: Any) -> bytes:
    """The saved fields of a flow as a JSON object."""
    return msgspec.json.encode({name: getattr(flow, name) for name in _saved_names(flow.__class__)})


def decode_fields(flow: Any, data: bytes) -> msgspec.Struct:
    """The saved fields of a class of flows, from JSON. Raises msgspec's errors for JSON of another shape."""
    return msgspec.json.decode(data, type=_state_type(flow))


def validate_fields(flow: Any) -> None:
    """Check that the values a user gave can be sent, and that a snapshot could restore them.

    A Struct checks nothing when it is made. Raises `InvalidInput`, naming the field.
    """
    for entry in _fields_of(flow.__class__):
        value = getattr(flow, entry.name)
        if isinstance(value, str | dict | msgspec.Struct) and value is not entry.default:
            try:
                data = msgspec.json.encode(value)
                if isinstance(value, msgspec.Struct) and entry.metadata.get("saved", True):
                    msgspec.json.decode(data, type=type(value))
            except UnicodeEncodeError:
                raise InvalidInput(
                    f"the field {entry.name!r} holds a lone surrogate, which UTF-8 cannot carry"
                ) from None
            except (msgspec.ValidationError, ValueError, TypeError) as error:
                raise InvalidInput(f"the field {entry.name!r} does not fit: {error}") from None


# Asked for each flow and each phase, so cached for each class.


def struct_of_field(flow: Any, name: str) -> type[msgspec.Struct] | None:
    """The Struct in the annotation of a field (`X` or `X | None`), or None if it has no field of that kind."""
    return _struct_of_field(flow, name)


@cache
def _struct_of_field(flow: Any, name: str) -> type[msgspec.Struct] | None:
    owner = next((cls for cls in flow.__mro__ if name in vars(cls).get("__annotations__", {})), None)
    if owner is None:
        return None
    # Only this annotation is resolved: others may name types that are imported for type checkers alone.
    alone = type(
        owner.__name__, (), {"__annotations__": {name: owner.__annotations__[name]}, "__module__": owner.__module__}
    )
    hint = get_type_hints(alone)[name]
    candidates = get_args(hint) or (hint,)
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, msgspec.Struct)), None)


@cache
def _fields_of(flow: Any) -> tuple[Field[Any], ...]:
    return fields(flow)


@cache
def _saved_names(flow: Any) -> tuple[str, ...]:
    return tuple(entry.name for entry in saved_fields(flow))


@cache
def _state_type(flow: Any) -> type[msgspec.Struct]:
    hints = get_type_hints(flow)
    shape: list[tuple[str, Any]] = [
        (entry.name, entry.metadata.get("saved_as", hints[entry.name])) for entry in saved_fields(flow)
    ]
    return msgspec.defstruct(f"{flow.__name__}State", shape, kw_only=True)
