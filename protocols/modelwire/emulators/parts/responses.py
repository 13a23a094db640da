"""What an emulated service says: JSON, and streams that are cut without regard to characters or events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from modelwire.emulators.emulator import Behaviour, Chunk, EmulatorResponse
from modelwire.http import Headers
from modelwire.json import JsonValue
from modelwire.sse import encode_event

# A message of the other side's may quote the request; more of it than this helps nobody.
LONGEST_MESSAGE = 500


def json_response(value: JsonValue, *, status: int = 200, headers: Headers = ()) -> EmulatorResponse:
    """`value` (a Struct, or plain JSON) as the whole body."""
    body = msgspec.json.encode(value)
    return bytes_response(body, "application/json", status=status, headers=headers)


def error_response(status: int, message: str, headers: Headers = ()) -> EmulatorResponse:
    """A refusal, in words."""
    return json_response({"error": {"message": message[:LONGEST_MESSAGE]}}, status=status, headers=headers)


class HttpRefusal(Exception):
    """The emulator refuses the request; the message says what is wrong with it."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def response(self) -> EmulatorResponse:
        """The response that says so."""
        return error_response(self.status, str(self), self.headers)


def bytes_response(body: bytes, media_type: str, *, status: int = 200, headers: Headers = ()) -> EmulatorResponse:
    """A body that comes whole, and at once."""
    return EmulatorResponse(status=status, headers=(("content-type", media_type), *headers), chunks=(Chunk(body),))


def text_stream(text: str, behaviour: Behaviour) -> EmulatorResponse:
    """An answer in raw UTF-8, in small chunks with a pause before each."""
    chunks = tuple(Chunk(piece, behaviour.pause) for piece in pieces(text.encode(), behaviour.chunk_size))
    return EmulatorResponse(headers=(("content-type", "text/plain; charset=utf-8"),), chunks=chunks)


def event_stream(events: Iterable[bytes], behaviour: Behaviour, *, stays_open: bool = False) -> EmulatorResponse:
    """An event stream, in small chunks: the pause is before each event, not inside it."""
    chunks = tuple(chunk for event in events for chunk in _event_chunks(event, behaviour))
    headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    return EmulatorResponse(headers=headers, chunks=chunks, stays_open=stays_open)


def json_event(value: JsonValue, event: str = "") -> bytes:
    """One event with JSON in it."""
    return encode_event(msgspec.json.encode(value).decode(), event=event)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` cut into pieces of `size` bytes (at least one), without regard to characters."""
    step = max(1, size)
    return (data[start : start + step] for start in range(0, len(data), step))


def _event_chunks(event: bytes, behaviour: Behaviour) -> Iterator[Chunk]:
    first, *rest = pieces(event, behaviour.chunk_size)
    yield Chunk(first, behaviour.pause)
    yield from (Chunk(piece) for piece in rest)
