"""Event streams, as WHATWG defines them (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Theory of operation. The decoder works on bytes. CR and LF are ASCII, and no other UTF-8 character contains their bytes,
so lines can be found before anything is decoded; U+2028, U+0085, VT and FF never end a line. Text is decoded with
replacement, one field at a time. That gives the same result as decoding the whole stream, because a malformed sequence
ends at the ASCII byte of the line end at the latest. First of all, each CR and CRLF is replaced by LF.

`_take_lines` is the standard's algorithm, and would be enough. Three fast paths come before it, because nearly every
byte of nearly every chat stream belongs to a plain event: one line of data and a blank line, which leave no trace in
the decoder. The fast paths are used only between two events:

1. A chunk that is exactly one plain event, as from a server that flushes each event, is cut at both ends if there is no
   LF in between (`feed`).
2. A run of short plain events is split at `BETWEEN_PLAIN`. A piece without an LF is the data of one plain event, so one
   search through all pieces together proves the run. If it finds an LF, no event is taken, and `_take_lines` decides
   (`_take_short_events`).
3. Long plain events are found one by one: a search for one byte is thirty times as fast as a search for eight
   (`_take_plain_events`; `_with_fragments`, if the event came in several chunks).

Tests check that every fast path gives what the standard's algorithm gives. In tests/formats/test_sse.py,
`test_any_bytes_in_any_chunks_read_as_the_standard_says` compares the decoder with a second, slow implementation
(tests/support/event_stream_reference.py), on random streams and cuts, with `LONG_EVENT_BYTES` at 1, 12 and 2048; the
tests `test_a_rule_is_kept*` compare it with each case of the table of rules, at every cut. And each edit of this source
in tests/kit/test_sse_mutants.py, which covers each fast path, must fail a case of that table.

Between two chunks, the decoder stores the fields of complete lines, and a list of fragments of the one line that is not
complete. They are joined once, so the cost is linear in the input, whatever the size of the chunks.
"""

from __future__ import annotations

import codecs
from itertools import repeat
from typing import TypeVar

import msgspec

from .errors import InvalidInput, LimitExceeded
from .json import decode, decoder_of
from .limits import DEFAULT_LIMITS

T = TypeVar("T")

# Digits: a longer reconnection time counts as 10**15 milliseconds, so `int` never gets a megabyte of digits.
MAX_RETRY_DIGITS = 15

# The beginning of nearly every line of data.
DATA_PREFIX = b"data: "
# The bytes between the data of two plain events.
BETWEEN_PLAIN = b"\n\n" + DATA_PREFIX
# Bytes: plain events of this length or more are found one by one. Measured; the speed depends little on it.
LONG_EVENT_BYTES = 2048


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event: its type, its data as received, and the last event id.

    `raw` is the data in bytes, which a JSON decoder can take directly; `data` is the same as text.
    """

    event: str
    raw: bytes
    id: str

    @property
    def data(self) -> str:
        """The data as text; invalid UTF-8 becomes U+FFFD."""
        return self.raw.decode("utf-8", "replace")

    def decode(self, type_: type[T]) -> T:
        """The data decoded from JSON as this type, without a detour over text.

        Raises `RemoteProtocolError` with the path of the wrong field.
        """
        try:
            # The same as `json.decode`, but one call less for each event.
            value: T = decoder_of(type_).decode(self.raw)  # type: ignore[arg-type]
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            # Invalid UTF-8 is not JSON, but the text with U+FFFD in its place may be.
            text = self.data
            return decode(text if "\ufffd" in text else self.raw, type_)
        return value


class EventLimitExceeded(LimitExceeded):
    """A line or an event exceeds its limit; `events` are the complete events of the same chunk before it."""

    def __init__(self, message: str, events: list[ServerSentEvent]) -> None:
        super().__init__(message)
        self.events = events


class EventStreamDecoder:
    """Decodes the bytes of one event stream into events, without I/O.

    `retry` is the last reconnection time that the stream asked for, in milliseconds, or None. `last_event_id` is the id
    to reconnect with. If the stream ends within an event, that event is dropped, as the standard says. The decoder
    stores at most one line of `max_line` bytes and one event of `max_event` bytes.
    """

    def __init__(self, *, max_line: int = DEFAULT_LIMITS.line, max_event: int = DEFAULT_LIMITS.event) -> None:
        self.retry: int | None = None
        self.last_event_id = ""
        self._max_line = max_line
        self._max_event = max_event
        self._max_plain = min(max_line - len(DATA_PREFIX), max_event)  # data of a plain event
        self._head: bytes | None = b""  # the first bytes, until they are a byte order mark or not
        self._after_cr = False  # the last chunk ended with CR: skip an LF now
        self._fragments: list[bytes] = []  # of the incomplete line
        self._fragments_size = 0
        self._in_event = False  # a field came since the last blank line
        self._event = ""
        self._data: list[bytes] = []
        self._data_size = 0  # with an LF after each line
        self._id = ""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete.

        Raises `EventLimitExceeded`, with the events before it, if a line or an event exceeds its limit.
        """
        if 13 in data or self._after_cr or self._head is not None:
            data = self._normalised(data)
        events: list[ServerSentEvent] = []
        if 10 in data:
            if self._fragments:
                data = self._with_fragments(data, events)
            if not self._in_event and data[:6] == DATA_PREFIX:
                # Fast path 1: the chunk is one plain event.
                if data[-2:] == b"\n\n" and 10 not in (raw := data[6:-2]) and len(raw) <= self._max_plain:
                    events.append(ServerSentEvent("message", raw, self._id))
                    return events
                data = self._take_plain_events(data, events)
            data = self._take_lines(data, events)
        if data:
            self._fragments.append(data)
            self._fragments_size += len(data)
            if self._fragments_size > self._max_line:
                raise self._line_exceeded(events)
        return events

    def _with_fragments(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """The fragments and `data`, joined; but a long plain event at the beginning is taken, and joined alone."""
        fragments, size = self._fragments, self._fragments_size
        self._fragments, self._fragments_size = [], 0
        if size >= LONG_EVENT_BYTES and not self._in_event and fragments[0][:6] == DATA_PREFIX:
            end = data.find(b"\n")
            if data[end : end + 2] == b"\n\n" and size + end - 6 <= self._max_plain:
                fragments[0] = fragments[0][6:]
                fragments.append(data[:end])
                events.append(ServerSentEvent("message", b"".join(fragments), self._id))
                return data[end + 2 :]
        fragments.append(data)
        return b"".join(fragments)

    def _normalised(self, data: bytes) -> bytes:
        if self._head is not None:
            data = self._without_bom(data)
        if 13 in data or self._after_cr:
            data = self._with_line_feeds(data)
        return data

    def _without_bom(self, data: bytes) -> bytes:
        """`data` without a byte order mark; empty while the mark may be incomplete, as its bytes are held back."""
        assert self._head is not None
        data = self._head + data
        if len(data) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(codecs.BOM_UTF8)

    def _with_line_feeds(self, data: bytes) -> bytes:
        """`data` with LF for each line end. A CR ends its line at once, even if its LF comes a chunk later."""
        if not data:
            return data
        if self._after_cr and data[0] == 10:
            data = data[1:]
            if not data:
                self._after_cr = False
                return data
        self._after_cr = data[-1] == 13
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take_plain_events(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """Take plain events from the beginning of `data`; return the rest. `data` begins with `DATA_PREFIX`."""
        start = 0
        while True:
            end = data.find(b"\n", start)
            if end - start < LONG_EVENT_BYTES:
                is_run = data[end : end + 8] == BETWEEN_PLAIN
                return self._take_short_events(data[start:], events) if is_run else data[start:]
            if data[end : end + 2] != b"\n\n" or end - start - 6 > self._max_plain:
                return data[start:]
            events.append(ServerSentEvent("message", data[start + 6 : end], self._id))
            start = end + 2
            if data[start : start + 6] != DATA_PREFIX:
                return data[start:]

    def _take_short_events(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """Take all events but the last if each of them is plain, else none; return the rest of `data`."""
        raws = data.split(BETWEEN_PLAIN)
        rest = DATA_PREFIX + raws.pop()
        raws[0] = raws[0][6:]
        longest = len(data) if len(data) <= self._max_plain else max(map(len, raws))
        if 10 in b"".join(raws) or longest > self._max_plain:
            return data
        events.extend(map(ServerSentEvent, repeat("message"), raws, repeat(self._id)))
        return rest

    def _take_lines(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """Take the lines of `data` (the standard's algorithm); return the bytes after the last line end."""
        lines = data.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if not line:
                self._dispatch(events)
            elif len(line) > self._max_line:
                raise self._line_exceeded(events)
            elif line[:6] == DATA_PREFIX:
                self._take_data(line[6:], events)
            elif line[0] != 58:
                self._take_field(line, events)
        return rest

    def _take_field(self, line: bytes, events: list[ServerSentEvent]) -> None:
        """Take one line that is neither blank nor a comment. Fields that the standard does not name are ignored."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event = value.decode("utf-8", "replace")
            self._in_event = True
        elif name == b"data":
            self._take_data(value, events)
        elif name == b"id":
            if 0 not in value:
                self._id = value.decode("utf-8", "replace")
                self._in_event = True
        elif name == b"retry" and value.isdigit():
            digits = value.lstrip(b"0") or b"0"
            self.retry = int(digits) if len(digits) <= MAX_RETRY_DIGITS else 10**MAX_RETRY_DIGITS

    def _take_data(self, value: bytes, events: list[ServerSentEvent]) -> None:
        self._in_event = True
        self._data.append(value)
        self._data_size += len(value) + 1
        if self._data_size > self._max_event + 1:
            raise EventLimitExceeded(f"an event of the stream exceeds {self._max_event} bytes", events)

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """Take a blank line: the id takes effect, and data, even one empty line, makes an event."""
        self.last_event_id = self._id
        if self._data:
            events.append(ServerSentEvent(self._event or "message", b"\n".join(self._data), self._id))
            self._data.clear()
            self._data_size = 0
        self._event = ""
        self._in_event = False

    def _line_exceeded(self, events: list[ServerSentEvent]) -> EventLimitExceeded:
        return EventLimitExceeded(f"a line of the event stream exceeds {self._max_line} bytes", events)


def encode_event(data: str, *, event: str = "", id: str | None = None, retry: int | None = None) -> bytes:
    """One event in the format that `EventStreamDecoder` reads; `retry` is in milliseconds.

    All line ends in `data` (CR, LF, CRLF) arrive as LF: the format cannot distinguish them.
    Raises `InvalidInput` for values that the format cannot carry: a line end in `event` or `id`, a NUL in `id`, a
    negative `retry`, a lone surrogate anywhere.
    """
    if any(end in name for name in (event, id or "") for end in "\r\n"):
        raise InvalidInput("the type and the id of an event cannot contain a line end")
    if id is not None and "\0" in id:
        raise InvalidInput("the id of an event cannot contain a NUL")
    if retry is not None and retry < 0:
        raise InvalidInput("the retry time of an event, in milliseconds, cannot be negative")
    lines = [f"event: {event}"] if event else []
    lines += [] if id is None else [f"id: {id}"]
    lines += [] if retry is None else [f"retry: {retry}"]
    lines += [f"data: {line}" for line in _lines(data)]
    return _utf8("\n".join(lines) + "\n\n")


def encode_comment(text: str = "") -> bytes:
    """A comment, which decoders skip. Servers send comments to keep a connection alive."""
    return _utf8("".join(f": {line}\n" for line in _lines(text)))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("an event stream is UTF-8, which cannot carry a lone surrogate") from None
