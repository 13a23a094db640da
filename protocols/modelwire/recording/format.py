"""What a recording is: a session as lines of JSON, without its secrets, that can be played back.

The first line says what flow it was, and in what state. Then there is a line for each event: when it came, what it
was, and what the flow answered. The last line says how many events there were, so that a file that was cut off is
seen for what it is. A recording can be shared if what was asked and answered can: prompts, answers and the addresses
of images are in it.
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

# What stands for nothing stands everywhere.
Placeholder = Annotated[str, Meta(min_length=1)]

# The fields that hold bytes, by event.
_BYTES = {Start.__name__: "entropy", BodyReceived.__name__: "data"}


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="recording"):
    """The first line: the flow as it was before its first event, which came at `began` (Unix time, seconds).

    `placeholders` are in the order in which the flow learnt the secrets that they stand for. `fingerprints` are of
    those secrets that the flow makes itself (signatures, passwords), as it makes them out of placeholders when the
    recording is played: a flow that makes them otherwise is found out, though no secret can be found out by them.
    None where the recording could not be played.
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


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="event"):
    """The line of one event. `at` is seconds since the first; `raised` is what `handle` raised instead of items."""

    at: float
    event: JsonObject
    items: list[JsonObject]
    raised: str = ""


class End(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    """The last line."""

    events: int


class Moment(NamedTuple):
    """One recorded event. `number` counts from 1; `at` is seconds since the first event, `now` the Unix time."""

    number: int
    at: float
    now: float
    event: Event
    items: list[JsonObject]
    raised: str


class Recording(NamedTuple):
    """A recording that was read, and is whole."""

    head: Head
    moments: list[Moment]


def parse_recording(lines: str | Iterable[str]) -> Recording:
    """Read a recording. Raises `RecordingError` for anything that is not one, or not all of one."""
    # Line feeds alone end lines: JSON may hold other characters that some take for line ends.
    every = lines.split("\n") if isinstance(lines, str) else lines
    numbered = [(number, line) for number, line in enumerate(every, 1) if line.strip()]
    if not numbered:
        raise RecordingError("the recording is empty")
    head = _parse_head(*numbered[0])
    moments: list[Moment] = []
    for number, line in numbered[1:]:
        parsed = _decode(number, line)
        if isinstance(parsed, End):
            if parsed.events != len(moments) or number != numbered[-1][0]:
                raise _damaged(number, f"it ends {parsed.events} events, and that is not what is there")
            return Recording(head, moments)
        if isinstance(parsed, Head):
            raise _damaged(number, "another recording begins there")
        moments.append(_moment(head, parsed, len(moments) + 1, number))
    raise RecordingError(f"the recording is cut off after line {numbered[-1][0]}")


class _Opening(msgspec.Struct):
    """What the first line says in every version of the format."""

    type: str = ""
    format: int = 0
    modelwire: str = ""


def _parse_head(number: int, line: str) -> Head:
    try:
        opening = msgspec.json.decode(line, type=_Opening)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        opening = _Opening(type="recording" if line.startswith('{"type":"recording",') else "")
    if opening.type != "recording":
        raise RecordingError("this is not a recording of modelwire")
    if opening.format > FORMAT:
        version = printable(opening.modelwire, 20)
        raise RecordingError(f"this recording was made by modelwire {version}: play it with that release, or a later")
    head = _decode(number, line)
    if not isinstance(head, Head) or head.format != FORMAT:
        raise _damaged(number, f"there is no format {opening.format}")
    return head


_decoder: msgspec.json.Decoder[Head | Step | End] = msgspec.json.Decoder(Head | Step | End)


def _decode(number: int, line: str) -> Head | Step | End:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _damaged(number, str(error)) from None


def _moment(head: Head, step: Step, number: int, line: int) -> Moment:
    now = head.began + step.at
    if not 0 <= now < LATEST_TIME:
        raise _damaged(line, "the time of the event is none")
    event = dict(step.event)
    name = _BYTES.get(str(event.get("type")), "")
    try:
        if name in event:
            event[name] = msgspec.convert(event[name], Blob).data
        return Moment(number, step.at, now, msgspec.convert(event, Event), step.items, step.raised)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise _damaged(line, str(error)) from None


def _damaged(line: int, why: str) -> RecordingError:
    return RecordingError(f"line {line} of the recording is damaged: {printable(why)}")
