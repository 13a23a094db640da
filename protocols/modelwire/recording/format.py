"""The format of a recording: a session as lines of JSON, without its secrets, that can be played back.

The first line describes the flow and its state. Then comes one line for each call of `handle`: the event, its time,
and the commands and outputs that the flow returned. The last line counts the events, so that a truncated file is
noticed. A recording contains the prompts, the answers and the addresses of images: share it only if you may share
these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from modelwire.errors import RecordingError
from modelwire.events import BodyReceived, Event, Start
from modelwire.json import JsonObject, JsonValue
from modelwire.limits import LATEST_TIME, Limits
from modelwire.redaction import printable

from .rendering import Blob

FORMAT = 1

# Not empty: an empty placeholder would be found everywhere.
Placeholder = Annotated[str, Meta(min_length=1)]

# The field that holds bytes, by event.
_BYTES_FIELDS = {Start.__name__: "entropy", BodyReceived.__name__: "data"}


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="recording"):
    """The first line: the flow as it was before its first event, which came at `began` (Unix time, seconds).

    `placeholders` are in the order of the flow's secrets. `fingerprints` identify the secrets that the flow generates
    (signatures, passwords): they show a replay if the flow now generates another one, and reveal no secret (see
    `recording/placeholders.py`). They are None if the recording could not be played when it was written.
    """

    format: int
    modelwire: str
    flow: str
    began: float
    snapshot: JsonObject
    credentials: JsonValue
    limits: Limits
    placeholders: list[Placeholder]
    fingerprints: dict[Placeholder, str] | None = None


class RecordedCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="event"):
    """The line of one call of `handle`. `at` is seconds since the first call.

    `items` are what `handle` returned. If it raised an exception instead, `raised` is the exception as text.
    """

    at: float
    event: JsonObject
    items: list[JsonObject]
    raised: str = ""


class End(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    """The last line: the number of events before it."""

    events: int


class ParsedCall(NamedTuple):
    """A `RecordedCall` whose event can be delivered again.

    `number` counts from 1; `at` is seconds since the first call, `now` the Unix time in seconds.
    """

    number: int
    at: float
    now: float
    event: Event
    items: list[JsonObject]
    raised: str


class Recording(NamedTuple):
    """A complete recording."""

    head: Head
    calls: list[ParsedCall]


def parse_recording(lines: str | Iterable[str]) -> Recording:
    """Read a recording. Raises `RecordingError` if it is not one, or not complete."""
    # Split at line feeds alone: JSON strings may contain characters that `splitlines` takes for line ends.
    every = lines.split("\n") if isinstance(lines, str) else lines
    numbered = [(number, line) for number, line in enumerate(every, 1) if line.strip()]
    if not numbered:
        raise RecordingError("the recording is empty")
    head = _parse_head(*numbered[0])
    calls: list[ParsedCall] = []
    for number, line in numbered[1:]:
        parsed = _decode(number, line)
        if isinstance(parsed, End):
            if parsed.events != len(calls):
                raise _damaged(number, f"it counts {parsed.events} events, but {len(calls)} precede it")
            if number != numbered[-1][0]:
                raise _damaged(number, "it is the end, but more lines follow")
            return Recording(head, calls)
        if isinstance(parsed, Head):
            raise _damaged(number, "another recording begins here")
        calls.append(_parse_call(head, parsed, len(calls) + 1, number))
    raise RecordingError(f"the recording is cut off after line {numbered[-1][0]}")


class _AnyHead(msgspec.Struct):
    """The fields that the first line has in every version of the format."""

    type: str = ""
    format: int = 0
    modelwire: str = ""


def _parse_head(number: int, line: str) -> Head:
    try:
        any_head = msgspec.json.decode(line, type=_AnyHead)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        any_head = _AnyHead(type="recording" if line.startswith('{"type":"recording",') else "")
    if any_head.type != "recording":
        raise RecordingError("this is not a recording of modelwire")
    if any_head.format > FORMAT:
        version = printable(any_head.modelwire, 20)
        raise RecordingError(
            f"this recording was made by modelwire {version}: play it with that release or a later one"
        )
    head = _decode(number, line)
    if not isinstance(head, Head) or head.format != FORMAT:
        raise _damaged(number, f"unknown format {any_head.format}")
    return head


_decoder: msgspec.json.Decoder[Head | RecordedCall | End] = msgspec.json.Decoder(Head | RecordedCall | End)


def _decode(number: int, line: str) -> Head | RecordedCall | End:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _damaged(number, str(error)) from None


def _parse_call(head: Head, call: RecordedCall, number: int, line: int) -> ParsedCall:
    now = head.began + call.at
    if not 0 <= now < LATEST_TIME:
        raise _damaged(line, "the time of the event is out of range")
    event = dict(call.event)
    field = _BYTES_FIELDS.get(str(event.get("type")), "")
    try:
        if field in event:
            event[field] = msgspec.convert(event[field], Blob).data
        return ParsedCall(number, call.at, now, msgspec.convert(event, Event), call.items, call.raised)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise _damaged(line, str(error)) from None


def _damaged(line: int, reason: str) -> RecordingError:
    return RecordingError(f"line {line} of the recording is damaged: {printable(reason)}")
