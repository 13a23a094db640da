"""Strict parsers for queries and both kinds of form. Raises `HttpRefusal` for input that a browser would not send."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from .responses import HttpRefusal

# Fields in one query or form.
MAX_FIELDS = 100

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Characters allowed in a boundary: RFC 2046, 5.1.1.
_BOUNDARY = re.compile(r""";\s*boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([0-9A-Za-z'()+_,./:=?-]{1,70}))""", re.I)
_DISPOSITION = re.compile(rb"^content-disposition:[ \t]*form-data[ \t]*;(.*)$", re.I | re.M)
_NAME = re.compile(rb'(?:^|;)[ \t]*name="([^"\r\n]*)"', re.I)

Pairs = list[tuple[str, str]]


def read_pairs(text: str, place: str) -> Pairs:
    """The names and values of a query or a URL-encoded form, in order. Error messages name `place`."""
    if text.count("&") >= MAX_FIELDS:
        raise HttpRefusal(400, f"{place} has more than {MAX_FIELDS} fields")
    parts = (item.partition("=") for item in text.split("&") if item)
    return [(_unescape(name, place), _unescape(value, place)) for name, _, value in parts]


def read_urlencoded(body: bytes) -> dict[str, str]:
    """The fields of a form of type `application/x-www-form-urlencoded`."""
    return by_name(read_pairs(_as_text(body, "the form"), "the form"), "the form")


def read_multipart(body: bytes, content_type: str) -> dict[str, str]:
    """The text fields of a form of type `multipart/form-data` (RFC 7578)."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise HttpRefusal(400, "the Content-Type of the form names no boundary")
    delimiter = b"\r\n--" + (found[1] or found[2]).encode()
    if body.count(delimiter) > MAX_FIELDS:
        raise HttpRefusal(400, f"the form has more than {MAX_FIELDS} fields")
    # A delimiter includes the CRLF before it. The first one has none, so add it.
    _, *parts = (b"\r\n" + body).split(delimiter)
    if not parts or not parts.pop().startswith(b"--"):
        raise HttpRefusal(400, "the form does not end with its closing boundary")
    return by_name((_read_part(part) for part in parts), "the form")


def by_name(pairs: Iterable[tuple[str, str]], place: str) -> dict[str, str]:
    """Fields by name. Raises `HttpRefusal` if a name occurs twice."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise HttpRefusal(400, f"{place} has the field {name!r} twice")
        fields[name] = value
    return fields


def _read_part(part: bytes) -> tuple[str, str]:
    head, separator, content = part.partition(b"\r\n\r\n")
    disposition = _DISPOSITION.search(head)
    name = _NAME.search(disposition[1]) if disposition else None
    if not separator or name is None:
        raise HttpRefusal(400, "a part of the form has no Content-Disposition that names its field")
    text = _as_text(name[1], "the name of a form field")
    return text, _as_text(content, f"the form field {text!r}")


def _unescape(text: str, place: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise HttpRefusal(400, f"{place} has a '%' that is not followed by two hexadecimal digits")
    return _as_text(unquote_to_bytes(text.replace("+", " ")), place)


def _as_text(data: bytes, place: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise HttpRefusal(400, f"{place} is not UTF-8") from None
