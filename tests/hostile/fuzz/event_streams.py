"""The decoder of event streams: in whatever pieces they come, it reads what the standard's own algorithm reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from unittest import mock

from event_stream_reference import Reading, reference
from event_stream_rules import Seen, all_cases
from fuzz.target import Choices, Target
from modelwire import sse
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.sse import EventLimitExceeded, EventStreamDecoder, ServerSentEvent, encode_event
from modelwire.testing.wire import pieces

# What a limit is exceeded by is looked at; nothing is raised to whom reads with limits that are not.
ALLOWED = ()
LIMITS = (DEFAULT_LIMITS, Limits(line=10, event=8), Limits(line=40, event=60))
# Where the decoder begins to look for the ends of events one by one.
THRESHOLDS = (2048, 12, 1)


class Read(NamedTuple):
    """All that came out of a stream, and by what it was ended."""

    reading: Reading
    error: str


def play(data: bytes) -> None:
    """An input is a choice of limits, of a threshold and of cuts, and a stream."""
    choices = Choices(data)
    limits, threshold, cuts = choices.one_of(LIMITS), choices.one_of(THRESHOLDS), choices.cuts()
    stream = choices.rest
    with mock.patch.object(sse, "LONG", threshold):
        whole = read([stream], limits)
        cut = read(pieces(stream, cuts(stream)), limits)
        assert cut.error == whole.error, f"{cut.error!r} instead of {whole.error!r}"
        assert cut.reading.events == whole.reading.events
        if not whole.error:
            assert cut.reading == whole.reading == reference(stream)
            assert read([written(whole.reading.events)], DEFAULT_LIMITS).reading.events == whole.reading.events


def read(chunks: Iterable[bytes], limits: Limits) -> Read:
    """What the decoder makes of a stream."""
    decoder = EventStreamDecoder(max_line=limits.line, max_event=limits.event)
    events: list[ServerSentEvent] = []
    error = ""
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
    except EventLimitExceeded as exceeded:
        events += exceeded.events
        error = str(exceeded)
    seen = [(event.event, event.data, event.id) for event in events]
    return Read(Reading(seen, decoder.retry, decoder.last_event_id), error)


def written(events: Iterable[Seen]) -> bytes:
    """A stream of these events."""
    return b"".join(encode_event(data, event=event, id=id) for event, data, id in events)


def seeds() -> Iterator[bytes]:
    """Every case of the standard's rules."""
    return (b"\0\0\1\1" + case.stream for _, case in all_cases())


WORDS = (b"data: ", b"data:", b"event: ", b"id: ", b"retry: ", b"\n\ndata: ", b"\r\n", b"\r\r", b"\xef\xbb\xbf", b"\0")
EVENT_STREAMS = Target("event-streams", play, ALLOWED, seeds, WORDS)
