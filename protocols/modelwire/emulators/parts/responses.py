"""Responses of an emulated service: JSON, errors, and streams whose chunks may split characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from modelwire.emulators.emulator import Behaviour, Chunk, EmulatorResponse
from modelwire.http import Headers
from modelwire.json import JsonValue
from modelwire.sse import encode_event

# Characters: longest error message. It may quote the request, whose length has no limit.
MAX_MESSAGE_CHARS = 500


def json_response(value: JsonValue, *, status: int = 200, headers: Headers = ()) -> EmulatorResponse:
    """A response whose body is `value` (a Struct, or plain JSON)."""
    body = msgspec.json.encode(value)
    return bytes_response(body, "application/json", status=status, headers=headers)


def error_response(status: int, message: str, headers: Headers = ()) -> EmulatorResponse:
    """A response with an error message."""
    return json_response({"error": {"message": message[:MAX_MESSAGE_CHARS]}}, status=status, headers=headers)


class HttpRefusal(Exception):
    """The request is refused. The message says what is wrong with it."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def response(self) -> EmulatorResponse:
        """The error response to send."""
        return error_response(self.status, str(self), self.headers)


def bytes_response(body: bytes, media_type: str, *, status: int = 200, headers: Headers = ()) -> EmulatorResponse:
    """A response with one chunk, without a pause."""
    return EmulatorResponse(status=status, headers=(("content-type", media_type), *headers), chunks=(Chunk(body),))


def text_stream(text: str, behaviour: Behaviour) -> EmulatorResponse:
    """An answer as raw UTF-8, in small chunks with a pause before each."""
    chunks = tuple(Chunk(piece, behaviour.pause) for piece in split_bytes(text.encode(), behaviour.chunk_size))
    return EmulatorResponse(headers=(("content-type", "text/plain; charset=utf-8"),), chunks=chunks)


def event_stream(events: Iterable[bytes], behaviour: Behaviour, *, stays_open: bool = False) -> EmulatorResponse:
    """An event stream in small chunks, with a pause before each event but none inside it."""
    chunks = tuple(chunk for event in events for chunk in _event_chunks(event, behaviour))
    headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    return EmulatorResponse(headers=headers, chunks=chunks, stays_open=stays_open)


def json_event(value: JsonValue, event: str = "") -> bytes:
    """One encoded event whose data is JSON."""
    return encode_event(msgspec.json.encode(value).decode(), event=event)


def split_bytes(data: bytes, size: int) -> Iterator[bytes]:
    """`data` in pieces of `size` bytes (at least 1). Characters may be split."""
    step = max(1, size)
    return (data[start : start + step] for start in range(0, len(data), step))


def _event_chunks(event: bytes, behaviour: Behaviour) -> Iterator[Chunk]:
    first, *rest = split_bytes(event, behaviour.chunk_size)
    yield Chunk(first, behaviour.pause)
    yield from (Chunk(piece) for piece in rest)
