"""Calls of `handle` as plain data, and as they are written: as JSON, without secrets."""

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


class ReplayedCall(NamedTuple):
    """One call of `handle` as plain data, in a replay or in the session that is recorded. `now` is Unix time, seconds.

    `items` are what it returned. If it raised an exception instead, `raised` is the exception as text. Bytes are still
    `bytes`, unless `render_session` made the call.
    """

    now: float
    event: JsonObject
    items: list[JsonObject]
    raised: str = ""


def call_as_data(
    now: float, event: Event, items: Sequence[Command | Output], raised: Exception | None = None
) -> ReplayedCall:
    """A copy of the call: if somebody changes its items later, the copy stays as it is."""
    error = "" if raised is None else f"{type(raised).__name__}: {raised}"
    plain_event = _plain(event)
    # Never written: a reader could draw the session's secrets again with it.
    plain_event.pop("secret_entropy", None)
    return ReplayedCall(now, plain_event, _plain(items), error)


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True)


def credentials_without_bytes(credentials: object) -> JsonValue:
    """Credentials as plain data, with each `bytes` value empty: only strings have placeholders."""
    return _without_bytes(_plain(credentials))


def _without_bytes(value: JsonValue) -> JsonValue:
    match value:
        case bytes():
            return ""
        case dict():
            return {key: _without_bytes(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_bytes(item) for item in value]
        case _:
            return value


def render_session(session: Sequence[ReplayedCall], placeholders: Placeholders) -> list[ReplayedCall]:
    """The calls as they are written: without secrets, and also without those split between two chunks or deltas."""
    chunks = _render_chunks(session, placeholders)
    deltas = [item["text"] for call in session for item in call.items if item["type"] == _DELTA]
    texts = iter(placeholders.texts(deltas))
    return [
        ReplayedCall(
            call.now,
            _render_event(call.event, chunks.get(index), placeholders),
            list(_render_items(call.items, texts, placeholders)),
            placeholders.text(call.raised),
        )
        for index, call in enumerate(session)
    ]


def _render_chunks(session: Sequence[ReplayedCall], placeholders: Placeholders) -> dict[int, bytes]:
    """The chunks without secrets, by the index of their call. The chunks of one request form one body."""
    bodies: dict[int, list[int]] = {}
    for index, call in enumerate(session):
        if call.event.get("type") == _CHUNK:
            bodies.setdefault(call.event["request_id"], []).append(index)
    rendered: dict[int, bytes] = {}
    for indexes in bodies.values():
        chunks = placeholders.chunks([session[index].event["data"] for index in indexes])
        rendered.update(zip(indexes, chunks, strict=True))
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
        # Leave out a delta that was inside a secret: the placeholder is in the delta before it.
        if text or not item["text"]:
            yield {**item, "text": text}


def render(value: JsonValue, placeholders: Placeholders) -> JsonValue:
    """Plain data as it is written: without secrets, with bytes as in `as_blob`."""
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
    """Bytes in JSON: as text if they are UTF-8, so that a person can read them; else in Base64."""

    text: str = ""
    base64: bytes = b""

    @property
    def data(self) -> bytes:
        return self.text.encode() or self.base64


def as_blob(data: bytes) -> JsonObject:
    """The JSON form of bytes, which `Blob` reads back."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": binascii.b2a_base64(data, newline=False).decode()}


def all_strings(value: JsonValue) -> Iterator[str]:
    """Every string in plain data, keys and bytes (as Latin-1) included."""
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
