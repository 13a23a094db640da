"""From a streamed body to the text of an answer: sinks for two kinds of bodies, and `CumulativeText`."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from .errors import NoAnswer, TruncatedError
from .json import describe
from .limits import Limits
from .outputs import TextDelta, TextReplaced
from .sse import EventLimitExceeded, EventStreamDecoder, ServerSentEvent

EmitText = Callable[[TextDelta | TextReplaced], None]


class TextSink:
    """For a body that is the answer itself, in UTF-8. A character may be split between chunks."""

    def __init__(self, emit: EmitText) -> None:
        self._emit = emit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_empty = True

    def feed(self, data: bytes) -> bool:
        """Emit the complete characters. Always False: only the end of the body ends the answer."""
        text = self._decoder.decode(data)
        if text:
            self._is_empty = False
            self._emit(TextDelta(text))
        return False

    def end(self) -> None:
        """End the answer. Raises `TruncatedError` in the middle of a character, and `NoAnswer` if there was no text."""
        if self._decoder.getstate()[0]:
            raise TruncatedError("the answer stopped in the middle of a character")
        if self._is_empty:
            raise NoAnswer("no valid response: the answer is empty")


class EventSink:
    """For a body that is an event stream. `take` gets each event, and returns True for the one that ends the answer."""

    def __init__(self, take: Callable[[ServerSentEvent], bool], limits: Limits) -> None:
        self._take = take
        self._decoder = EventStreamDecoder(max_line=limits.line, max_event=limits.event)
        self._first_bytes: bytes | None = b""  # until the first event; describes a body without events

    def feed(self, data: bytes) -> bool:
        """Decode, and pass complete events to `take`. True if the answer has ended."""
        try:
            events = self._decoder.feed(data)
        except EventLimitExceeded as error:
            if self._take_all(error.events):
                return True
            raise
        if self._first_bytes is not None:
            self._first_bytes = None if events else (self._first_bytes + data[:512])[:512]
        return self._take_all(events)

    def _take_all(self, events: list[ServerSentEvent]) -> bool:
        # `any` stops at the first True: events after the end of the answer are dropped.
        return any(map(self._take, events))

    def end(self) -> None:
        """The body ended before the answer. Raises `TruncatedError`, or `NoAnswer` if there was no event at all."""
        if self._first_bytes is not None:
            raise NoAnswer(f"no valid response: expected events, but received {describe(self._first_bytes)}")
        raise TruncatedError("the event stream ended without the event that ends an answer")


class CumulativeText:
    """Turns updates that repeat the whole text so far into deltas.

    An update that is a prefix of the emitted text emits nothing: wait until the text grows beyond it again. Any other
    change emits `TextReplaced`.
    """

    def __init__(self, emit: EmitText) -> None:
        self._emit = emit
        self._emitted = ""
        self.was_updated = False

    def update(self, whole: str) -> None:
        """Take the whole text as it is now, and emit what has changed."""
        self.was_updated = True
        emitted = self._emitted
        if whole.startswith(emitted):
            if len(whole) > len(emitted):
                self._emitted = whole
                self._emit(TextDelta(whole[len(emitted) :]))
        elif not emitted.startswith(whole):
            self._emitted = whole
            self._emit(TextReplaced(whole))
