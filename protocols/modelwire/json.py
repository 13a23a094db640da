"""JSON: types for undecoded values, and typed decoding whose only exception is `RemoteProtocolError`."""

from __future__ import annotations

import functools
import re
from typing import Any, TypeVar

import msgspec

from .errors import InvalidInput, RemoteProtocolError

# Any JSON value. Declared here, so that no other module needs `Any` for it.
JsonValue = Any
JsonObject = dict[str, JsonValue]

T = TypeVar("T")


@functools.cache
def decoder_of(type_: object) -> msgspec.json.Decoder[Any]:
    """The decoder for this type, created once."""
    return msgspec.json.Decoder(type_)


def decode(data: bytes | str, type_: type[T]) -> T:
    """`data` as a value of this type.

    Raises `RemoteProtocolError`, with the path of the wrong field and without any of the data.
    """
    try:
        value: T = decoder_of(type_).decode(data)  # type: ignore[arg-type]
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"the JSON does not have the expected shape: {_without_data(str(error))}") from None
    except (msgspec.DecodeError, UnicodeError):
        raise RemoteProtocolError(f"not JSON: {describe(data)}") from None
    except RecursionError:
        raise RemoteProtocolError("the JSON is nested too deeply") from None
    return value


def _without_data(message: str) -> str:
    # msgspec quotes an unknown field, and a value that is not among the allowed ones: cut these out.
    return re.sub(r"(Invalid(?: enum)? value|unknown field) .*?( - at `\$[^`]*`)?\Z", r"\1\2", message, flags=re.DOTALL)


def describe(data: bytes | str) -> str:
    """A few words about a body that should have been JSON, without its content."""
    head = data[:512].encode(errors="replace") if isinstance(data, str) else bytes(data[:512])
    if not head.strip():
        return "an empty body"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page (a login, captcha or maintenance page?)"
    if start.startswith(b"<"):
        return "XML or HTML"
    return f"{len(data)} {'characters' if isinstance(data, str) else 'bytes'} that do not parse"


def convert_input(value: object, type_: type[T], name: str) -> T:
    """A caller's value as `type_`: a Struct of that type, or a mapping, in which numbers may be strings.

    Raises `InvalidInput`, with `name` (a plural), the path of the wrong field, and none of the data.
    """
    if isinstance(value, type_):
        return value
    try:
        return msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the {name} do not fit: {error}") from None
