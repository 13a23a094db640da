"""What passes through a flow, as plain data, and as it is written: without secrets, every byte in JSON."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from modelwire.commands import Command
from modelwire.events import BodyReceived, Event, Start
from modelwire.json import JsonObject, JsonValue
from modelwire.outputs import Output, TextDelta

from .placeholders import Placeholders

_CHUNK, _DELTA, _START = (kind.__name__ for kind in (BodyReceived, TextDelta, Start))


class Passed(NamedTuple):
    """One call of `handle` as plain data: when it was (Unix time, seconds), what it was given, what it answered.

    Bytes are still bytes. `raised` is what was raised instead of an answer.
    """

    now: float
    event: JsonObject
    items: list[JsonObject]
    raised: str = ""


def call_as_data(
    now: float, event: Event, items: Sequence[Command | Output], raised: Exception | None = None
) -> Passed:
    """The call of `handle`, so that nothing that happens to its items later shows."""
    error = "" if raised is None else f"{type(raised).__name__}: {raised}"
    plain_event = _plain(event)
    # The one thing that is never written: with it, anybody could draw the session's secrets again.
    plain_event.pop("secret_entropy", None)
    return Passed(now, plain_event, _plain(items), error)


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True)


def credentials_without_bytes(credentials: object) -> JsonValue:
    """Credentials as plain data. Only strings have placeholders, so bytes are left empty."""
    return _emptied(_plain(credentials))


def _emptied(value: JsonValue) -> JsonValue:
    match value:
        case bytes():
            return ""
        case dict():
            return {key: _emptied(item) for key, item in value.items()}
        case list() | tuple():
            return [_emptied(item) for item in value]
        case _:
            return value


def render_session(session: Sequence[Passed], placeholders: Placeholders) -> list[Passed]:
    """All that passed as it is written, without secrets: whole ones, and those split between two chunks or deltas."""
    chunks = _render_chunks(session, placeholders)
    deltas = [item["text"] for passed in session for item in passed.items if item["type"] == _DELTA]
    texts = iter(placeholders.texts(deltas))
    return [
        Passed(
            passed.now,
            _render_event(passed.event, chunks.get(index), placeholders),
            list(_render_items(passed.items, texts, placeholders)),
            placeholders.text(passed.raised),
        )
        for index, passed in enumerate(session)
    ]


def _render_chunks(session: Sequence[Passed], placeholders: Placeholders) -> dict[int, bytes]:
    """The chunks without secrets, by their place in the session. Those of one request are one body."""
    bodies: dict[int, list[int]] = {}
    for index, passed in enumerate(session):
        if passed.event.get("type") == _CHUNK:
            bodies.setdefault(passed.event["request_id"], []).append(index)
    rendered: dict[int, bytes] = {}
    for places in bodies.values():
        chunks = placeholders.chunks([session[index].event["data"] for index in places])
        rendered.update(zip(places, chunks, strict=True))
    return rendered


def _render_event(event: JsonObject, chunk: bytes | None, placeholders: Placeholders) -> JsonObject:
    if chunk is not None:
        return {**event, "data": as_blob(chunk)}
    if event.get("type") == _START:
        return {**event, "entropy": as_blob(event["entropy"])}
    rendered: JsonObject = render(event, placeholders)
    return rendered


def _render_items(
    items: Sequence[JsonObject], texts: Iterator[str], placeholders: Placeholders
) -> Iterator[JsonObject]:
    for item in items:
        if item["type"] != _DELTA:
            yield render(item, placeholders)
            continue
        text = next(texts)
        # A piece that lay inside a secret is gone: its placeholder stands in the piece before.
        if text or not item["text"]:
            yield {**item, "text": text}


def render(value: JsonValue, placeholders: Placeholders) -> JsonValue:
    """Plain data as it is written."""
    match value:
        case str():
            return placeholders.text(value)
        case bytes():
            return as_blob(placeholders.data(value))
        case dict():
            return {
                placeholders.text(key): _render_headers(item, placeholders)
                if key == "headers"
                else render(item, placeholders)
                for key, item in value.items()
            }
        case list() | tuple():
            return [render(item, placeholders) for item in value]
        case _:
            return value


def _render_headers(headers: JsonValue, placeholders: Placeholders) -> JsonValue:
    return [[placeholders.text(name), placeholders.header(name, value)] for name, value in headers]


class Blob(msgspec.Struct, forbid_unknown_fields=True):
    """Bytes in JSON: as text where they are UTF-8, so that a person can read them, and in Base64 elsewhere."""

    text: str = ""
    base64: bytes = b""

    @property
    def data(self) -> bytes:
        """The bytes."""
        return self.text.encode() or self.base64


def as_blob(data: bytes) -> JsonObject:
    """Bytes as they are written; `Blob` reads them."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": binascii.b2a_base64(data, newline=False).decode()}


def all_strings(value: JsonValue) -> Iterator[str]:
    """Every text in plain data, bytes included."""
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode("latin-1")
        case dict():
            for key, item in value.items():
                yield from (key, *all_strings(item))
        case list() | tuple():
            for item in value:
                yield from all_strings(item)
