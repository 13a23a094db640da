"""The decoder of event streams: for any chunks, it gives the events of the standard's own algorithm."""

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
from modelwire.testing.wire import chunks_of

# None: `LimitExceeded` is part of the result, and nothing else may be raised.
ALLOWED = ()
LIMITS = (DEFAULT_LIMITS, Limits(line=10, event=8), Limits(line=40, event=60))
# Characters: the lengths at which the decoder starts to find events one by one.
THRESHOLDS = (2048, 12, 1)


class Read(NamedTuple):
    """The result of a stream, and the error that ended it."""

    reading: Reading
    error: str


def play(data: bytes) -> None:
    """An input is a choice of limits, of a threshold and of cuts, then a stream."""
    choices = Choices(data)
    limits, threshold, cuts = choices.one_of(LIMITS), choices.one_of(THRESHOLDS), choices.cuts()
    stream = choices.rest
    with mock.patch.object(sse, "LONG_EVENT_BYTES", threshold):
        whole = read([stream], limits)
        cut = read(chunks_of(stream, cuts(stream)), limits)
        assert cut.error == whole.error, f"{cut.error!r} instead of {whole.error!r}"
        assert cut.reading.events == whole.reading.events
        if not whole.error:
            assert cut.reading == whole.reading == reference(stream)
            assert read([written(whole.reading.events)], DEFAULT_LIMITS).reading.events == whole.reading.events


def read(chunks: Iterable[bytes], limits: Limits) -> Read:
    """Decode a stream."""
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
    """The bytes of these events."""
    return b"".join(encode_event(data, event=event, id=id) for event, data, id in events)


def seeds() -> Iterator[bytes]:
    """Every case of the standard's rules."""
    return (b"\0\0\1\1" + case.stream for _, case in all_cases())


WORDS = (b"data: ", b"data:", b"event: ", b"id: ", b"retry: ", b"\n\ndata: ", b"\r\n", b"\r\r", b"\xef\xbb\xbf", b"\0")
EVENT_STREAMS = Target("event-streams", play, ALLOWED, seeds, WORDS)
