"""Event streams, as WHATWG defines them (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Theory of operation. The decoder works on bytes: CR and LF are ASCII, and no byte of a longer UTF-8 character looks
like them, so lines can be found before anything is decoded, and U+2028, U+0085, VT and FF are never taken for line
ends. Text is decoded with replacement one field at a time, which gives what decoding the whole stream would give,
since a malformed sequence ends at the latest at the line end's ASCII byte.

Two paths read the same bytes. Between events, whole blocks are cut out with `split(b"\\n\\n")`; a block that is one
`data: ` line (nearly every block of nearly every chat stream) becomes an event without further ado. Everything else
goes line by line through `_take_line`. What a chunk leaves unfinished is kept as complete lines, already taken, and
a list of fragments of one line, joined once: the cost is linear in the input, whatever the size of the chunks.
"""

from __future__ import annotations

import codecs
from typing import TypeVar

import msgspec

from .errors import InvalidInput, LimitExceeded, RemoteProtocolError
from .json import decode
from .limits import DEFAULT_LIMITS

T = TypeVar("T")

# Larger than any reconnection time that means something; keeps `int` away from a megabyte of digits.
MAX_RETRY_DIGITS = 15


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
            return decode(self.raw, shape)
        except RemoteProtocolError:
            # Bytes that are not UTF-8 are no JSON, but their replacement may be.
            text = self.data
            if "\ufffd" not in text:
                raise
            return decode(text, shape)


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
        self._head: bytes | None = b""  # the first bytes, until it is known whether they are a byte order mark
        self._after_cr = False  # a line feed now would belong to the CR that ended the last chunk
        self._fragments: list[bytes] = []  # of the one line that has not ended
        self._fragments_size = 0
        self._in_event = False  # complete lines have been taken since the last blank one
        self._event = ""
        self._data: list[bytes] = []
        self._data_size = 0
        self._id = ""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete.

        Raises `EventLimitExceeded` (with the events before it) at a line or an event over its limit.
        """
        if self._head is not None:
            data = self._without_bom(data)
        if 13 in data or self._after_cr:
            data = self._with_line_feeds(data)
        if not data:
            return []
        if 10 not in data:
            self._keep_fragment(data, [])
            return []
        if self._fragments:
            self._fragments.append(data)
            data = b"".join(self._fragments)
            self._fragments.clear()
            self._fragments_size = 0
        events: list[ServerSentEvent] = []
        if self._in_event:
            data = self._finish_event(data, events)
        if data:
            self._take_blocks(data, events)
        return events

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

    def _keep_fragment(self, data: bytes, events: list[ServerSentEvent]) -> None:
        self._fragments.append(data)
        self._fragments_size += len(data)
        if self._fragments_size > self._max_line:
            raise EventLimitExceeded(f"a line of the event stream exceeds {self._max_line} bytes", events)

    def _finish_event(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """Take lines up to the blank one that ends the event under way; what follows it is left to the caller."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if end == start:
                self._dispatch(events)
                return data[end + 1 :]
            self._take_line(data[start:end], events)
            start = end + 1
        if start < len(data):
            self._keep_fragment(data[start:], events)
        return b""

    def _take_blocks(self, data: bytes, events: list[ServerSentEvent]) -> None:
        """Take `data`, which begins between two events, a block at a time."""
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        longest = min(self._max_line, self._max_event + len(b"data: "))
        for block in blocks:
            if block[:6] == b"data: " and 10 not in block and len(block) <= longest:
                events.append(ServerSentEvent("message", block[6:], self._id))
            elif block:
                self._take_lines(block.split(b"\n"), events)
                self._dispatch(events)
        *lines, fragment = rest.split(b"\n")
        self._take_lines(lines, events)
        if fragment:
            self._keep_fragment(fragment, events)

    def _take_lines(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        """The lines of one block. Only its first can be blank (an odd number of line feeds): it ends nothing."""
        for line in lines:
            if line:
                self._take_line(line, events)

    def _take_line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        """One line that is not blank. The fields are those of the standard; any other is ignored."""
        if len(line) > self._max_line:
            raise EventLimitExceeded(f"a line of the event stream exceeds {self._max_line} bytes", events)
        self._in_event = True
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._take_data(value, events)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if 0 not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            digits = value.lstrip(b"0") or b"0"
            self.retry = int(digits) if len(digits) <= MAX_RETRY_DIGITS else 10**MAX_RETRY_DIGITS

    def _take_data(self, value: bytes, events: list[ServerSentEvent]) -> None:
        self._data_size += len(value) + bool(self._data)
        if self._data_size > self._max_event:
            raise EventLimitExceeded(f"an event of the stream exceeds {self._max_event} bytes", events)
        self._data.append(value)

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """A blank line: the id is in force, and there is an event if there is data (an empty line of it counts)."""
        self.last_event_id = self._id
        if self._data:
            raw = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            events.append(ServerSentEvent(self._event or "message", raw, self._id))
            self._data.clear()
            self._data_size = 0
        self._event = ""
        self._in_event = False


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
