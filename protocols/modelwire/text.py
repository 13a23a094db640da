"""How an answer's text comes out of what is streamed: the sinks, and text that arrives as a whole that grows."""

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
    """A body that is the answer itself, in UTF-8. A character may be split between chunks."""

    def __init__(self, emit: EmitText) -> None:
        self._emit = emit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_empty = True

    def feed(self, data: bytes) -> bool:
        """Emit the characters that are complete; the end of the body alone ends the answer."""
        text = self._decoder.decode(data)
        if text:
            self._is_empty = False
            self._emit(TextDelta(text))
        return False

    def end(self) -> None:
        """Raises `TruncatedError` in the middle of a character, and `NoAnswer` where there was no text at all."""
        if self._decoder.getstate()[0]:
            raise TruncatedError("the answer stopped in the middle of a character")
        if self._is_empty:
            raise NoAnswer("no valid response: the answer is empty")


class EventSink:
    """A body that is an event stream. `take` gets each event, and says True for the one that ends the answer."""

    def __init__(self, take: Callable[[ServerSentEvent], bool], limits: Limits) -> None:
        self._take = take
        self._decoder = EventStreamDecoder(max_line=limits.line, max_event=limits.event)
        self._first_bytes: bytes | None = b""  # kept until the first event, to say what came instead of one

    def feed(self, data: bytes) -> bool:
        """Decode, and hand on what is complete."""
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
        # Called for each event, in order; those after the end of the answer are nobody's.
        return any(map(self._take, events))

    def end(self) -> None:
        """The body ended before the answer did: raises `TruncatedError`, or `NoAnswer` where no event came."""
        if self._first_bytes is not None:
            raise NoAnswer(f"no valid response: instead of events came {describe(self._first_bytes)}")
        raise TruncatedError("the event stream ended without the mark that ends an answer")


class CumulativeText:
    """Text that is sent whole each time, longer and longer, turned into what is new of it.

    Text that shrinks to a beginning of what was shown says nothing until it grows past that again; any other
    change is told as `TextReplaced`.
    """

    def __init__(self, emit: EmitText) -> None:
        self._emit = emit
        self._shown = ""
        self.was_updated = False

    def update(self, whole: str) -> None:
        """The text as it now stands."""
        self.was_updated = True
        shown = self._shown
        if whole.startswith(shown):
            if len(whole) > len(shown):
                self._shown = whole
                self._emit(TextDelta(whole[len(shown) :]))
        elif not shown.startswith(whole):
            self._shown = whole
            self._emit(TextReplaced(whole))
