"""Event streams, as WHATWG defines them (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Theory of operation. The decoder works on bytes: CR and LF are ASCII, and no byte of a longer UTF-8 character looks
like them, so lines can be found before anything is decoded, and U+2028, U+0085, VT and FF are never taken for line
ends. Text is decoded with replacement one field at a time, which gives what decoding the whole stream would give,
since a malformed sequence ends at the latest at the line end's ASCII byte. Every CR and CRLF is written as LF first.

`_take_lines` is the standard's algorithm, and could do everything. It is spared what nearly every byte of nearly every
chat stream is: plain events, which are one data line and a blank one, and leave no trace in the decoder. Between two
events they are taken before it, in one of three ways. A chunk that is one plain event, which is what a server sends
that flushes, is cut at both ends if no LF is in between. A run of short ones is split at what stands between two of
them (`BETWEEN_PLAIN`): a piece without an LF is then the data of one plain event, so that one look at all pieces
together proves the run; if it fails, none is taken, and the lines decide. Long ones are found one by one, since the
search for one byte is thirty times as fast as the search for eight.

What a chunk leaves unfinished is kept as complete lines, already taken, and a list of fragments of one line, joined
once: the cost is linear in the input, whatever the size of the chunks.
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

# Larger than any reconnection time that means something; keeps `int` away from a megabyte of digits.
MAX_RETRY_DIGITS = 15

# How nearly every line of data begins, and what stands between two plain events.
DATA = b"data: "
BETWEEN_PLAIN = b"\n\n" + DATA
# From this length on, in bytes, plain events are found one by one; measured, and not sensitive.
LONG = 2048


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event: its type, its data as the raw bytes that came, and the last event id in force.

    `raw` can be handed to a JSON decoder as it is; `data` is the same as text, invalid UTF-8 replaced.
    """

    event: str
    raw: bytes
    id: str

    @property
    def data(self) -> str:
        """The data as text; bytes that are not UTF-8 become U+FFFD."""
        return self.raw.decode("utf-8", "replace")

    def decode(self, shape: type[T]) -> T:
        """The data as JSON of this shape, straight from the bytes.

        Raises `RemoteProtocolError` with the path of a field that is wrong.
        """
        try:
            # What `decode` does at first; one call less an event.
            value: T = decoder_of(shape).decode(self.raw)  # type: ignore[arg-type]
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            # Bytes that are not UTF-8 are no JSON, but their replacement may be.
            text = self.data
            return decode(text if "\ufffd" in text else self.raw, shape)
        return value


class EventLimitExceeded(LimitExceeded):
    """A line or an event is longer than allowed; `events` are those that were complete before it."""

    def __init__(self, message: str, events: list[ServerSentEvent]) -> None:
        super().__init__(message)
        self.events = events


class EventStreamDecoder:
    """Turns the bytes of one event stream into events. Never reads a clock, never blocks, keeps at most two limits.

    `retry` is the reconnection time in milliseconds that the stream asked for last, or None. `last_event_id` is the
    id to reconnect with. An event that the end of the stream leaves unfinished is dropped, as the standard says.
    """

    def __init__(self, *, max_line: int = DEFAULT_LIMITS.line, max_event: int = DEFAULT_LIMITS.event) -> None:
        self.retry: int | None = None
        self.last_event_id = ""
        self._max_line = max_line
        self._max_event = max_event
        self._max_plain = min(max_line - len(DATA), max_event)  # of the data of a plain event
        self._head: bytes | None = b""  # the first bytes, until it is known whether they are a byte order mark
        self._after_cr = False  # a line feed now would belong to the CR that ended the last chunk
        self._fragments: list[bytes] = []  # of the one line that has not ended
        self._fragments_size = 0
        self._in_event = False  # a field has been taken since the last blank line
        self._event = ""
        self._data: list[bytes] = []
        self._data_size = 0  # with a line feed after each line
        self._id = ""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete.

        Raises `EventLimitExceeded` (with the events before it) at a line or an event over its limit.
        """
        if 13 in data or self._after_cr or self._head is not None:
            data = self._normalised(data)
        events: list[ServerSentEvent] = []
        if 10 in data:
            if self._fragments:
                data = self._with_fragments(data, events)
            if not self._in_event and data[:6] == DATA:
                # The usual chunk: one plain event, and nothing else.
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
        """`data` with the fragments before it; but a long plain event is joined, once, without what is around it."""
        fragments, size = self._fragments, self._fragments_size
        self._fragments, self._fragments_size = [], 0
        if size >= LONG and not self._in_event and fragments[0][:6] == DATA:
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
        """`data` with what was held back before it, less the byte order mark; nothing while that is not decided."""
        assert self._head is not None
        data = self._head + data
        if len(data) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(codecs.BOM_UTF8)

    def _with_line_feeds(self, data: bytes) -> bytes:
        """`data` with every line end written as LF. A CR counts at once; the LF of a pair may come a chunk later."""
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
        """Take plain events from the beginning of `data`, which is `DATA`, and give back the rest."""
        start = 0
        while True:
            end = data.find(b"\n", start)
            if end - start < LONG:
                is_run = data[end : end + 8] == BETWEEN_PLAIN
                return self._take_short_events(data[start:], events) if is_run else data[start:]
            if data[end : end + 2] != b"\n\n" or end - start - 6 > self._max_plain:
                return data[start:]
            events.append(ServerSentEvent("message", data[start + 6 : end], self._id))
            start = end + 2
            if data[start : start + 6] != DATA:
                return data[start:]

    def _take_short_events(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """Take all events of `data` but the last if each of them is plain, else none, and give back the rest."""
        raws = data.split(BETWEEN_PLAIN)
        rest = DATA + raws.pop()
        raws[0] = raws[0][6:]
        longest = len(data) if len(data) <= self._max_plain else max(map(len, raws))
        if 10 in b"".join(raws) or longest > self._max_plain:
            return data
        events.extend(map(ServerSentEvent, repeat("message"), raws, repeat(self._id)))
        return rest

    def _take_lines(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """Take the lines of `data`, and give back what follows the last line end."""
        lines = data.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if not line:
                self._dispatch(events)
            elif len(line) > self._max_line:
                raise self._line_exceeded(events)
            elif line[:6] == DATA:
                self._take_data(line[6:], events)
            elif line[0] != 58:
                self._take_field(line, events)
        return rest

    def _take_field(self, line: bytes, events: list[ServerSentEvent]) -> None:
        """One line that is neither blank nor a comment. The fields are those of the standard; any other is ignored."""
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
        """A blank line: the id is in force, and there is an event if there is data (an empty line of it counts)."""
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
    """One event as an `EventStreamDecoder` reads it back; `retry` is in milliseconds.

    Line ends inside `data` (CR, LF, CRLF) all arrive as LF: the format has no way to say which they were.
    Raises `InvalidInput` for what the format cannot carry: a line end in `event` or `id`, a NUL in `id`, a negative
    `retry`, a lone surrogate anywhere.
    """
    if any(end in name for name in (event, id or "") for end in "\r\n"):
        raise InvalidInput("the type and the id of an event cannot hold a line end")
    if id is not None and "\0" in id:
        raise InvalidInput("the id of an event cannot hold a NUL")
    if retry is not None and retry < 0:
        raise InvalidInput("the retry time of an event is a number of milliseconds, not negative")
    lines = [f"event: {event}"] if event else []
    lines += [] if id is None else [f"id: {id}"]
    lines += [] if retry is None else [f"retry: {retry}"]
    lines += [f"data: {line}" for line in _lines(data)]
    return _utf8("\n".join(lines) + "\n\n")


def encode_comment(text: str = "") -> bytes:
    """A comment, which decoders skip: servers send one now and then to keep the connection alive."""
    return _utf8("".join(f": {line}\n" for line in _lines(text)))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("an event stream is UTF-8, and cannot hold a lone surrogate") from None
