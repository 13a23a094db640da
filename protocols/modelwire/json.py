"""The JSON edge: what untyped JSON is, and typed decoding that never raises anything but `RemoteProtocolError`."""

from __future__ import annotations

import functools
import re
from typing import Any, TypeVar

import msgspec

from .errors import InvalidInput, RemoteProtocolError

# Any JSON value. The one place where `Any` is at home.
JsonValue = Any
JsonObject = dict[str, JsonValue]

T = TypeVar("T")


@functools.cache
def decoder_of(shape: object) -> msgspec.json.Decoder[Any]:
    """The decoder of one wire shape, made once."""
    return msgspec.json.Decoder(shape)


def decode(data: bytes | str, shape: type[T]) -> T:
    """`data` as `shape`.

    Raises `RemoteProtocolError`, with the path of the field that is wrong and without any of the data.
    """
    try:
        value: T = decoder_of(shape).decode(data)  # type: ignore[arg-type]
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"the JSON has another shape than expected: {_without_data(str(error))}") from None
    except (msgspec.DecodeError, UnicodeError):
        raise RemoteProtocolError(f"not JSON: {describe(data)}") from None
    except RecursionError:
        raise RemoteProtocolError("the JSON is nested too deeply") from None
    return value


def _without_data(message: str) -> str:
    # What is none of a few values, or no field at all, msgspec quotes as it came.
    return re.sub(r"(Invalid(?: enum)? value|unknown field) .*?( - at `\$[^`]*`)?\Z", r"\1\2", message, flags=re.DOTALL)


def describe(data: bytes | str) -> str:
    """What a body that should have been JSON looks like, in two or three words: never its content."""
    head = data[:512].encode(errors="replace") if isinstance(data, str) else bytes(data[:512])
    if not head.strip():
        return "an empty body"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page (a login, captcha or maintenance page?)"
    if start.startswith(b"<"):
        return "XML or HTML"
    return f"{len(data)} {'characters' if isinstance(data, str) else 'bytes'} that do not parse"


def convert_input(given: object, shape: type[T], what: str) -> T:
    """A value that a caller gave, as a Struct or as a mapping, numbers also as text.

    Raises `InvalidInput`, naming it by `what`, with the path of a field that is wrong and without any of its data.
    """
    if isinstance(given, shape):
        return given
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the {what} do not fit: {error}") from None
