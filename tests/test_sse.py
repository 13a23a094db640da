"""Event streams against the standard's own words.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput, RemoteProtocolError
from modelwire.sse import (
    EventLimitExceeded,
    EventStreamDecoder,
    ServerSentEvent,
    encode_comment,
    encode_event,
)
from scripted import bytewise, cuts, two_part_cuts

# An event as the tests write it: type, data, id.
Seen = tuple[str, str, str]


@dataclass
class Reading:
    """All that came out of a stream: the events, then what the decoder knows at its end."""

    events: list[Seen] = field(default_factory=list)
    retry: int | None = None
    last_event_id: str = ""


def read(chunks: Iterable[bytes]) -> Reading:
    decoder = EventStreamDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return Reading([(e.event, e.data, e.id) for e in events], decoder.retry, decoder.last_event_id)


def message(data: str, id: str = "") -> Seen:
    return ("message", data, id)


@dataclass
class Case:
    stream: bytes
    events: list[Seen]
    retry: int | None = None
    last_event_id: str = ""


# fmt: off
CASES = {
    # What ends a line.
    "LF": Case(b"data: a\n\n", [message("a")]),
    "CR": Case(b"data: a\r\r", [message("a")]),
    "CRLF": Case(b"data: a\r\n\r\n", [message("a")]),
    "CR then LF CR": Case(b"data: a\r\n\r", [message("a")]),
    "LF then CR": Case(b"data: a\n\rdata: b\n\n", [message("a"), message("b")]),
    "LF then CRLF": Case(b"data: a\n\r\ndata: b\n\n", [message("a"), message("b")]),
    "ends mixed between events": Case(
        b"data: a\r\n\r\ndata: b\n\ndata: c\r\rdata: d\r\n\n", [message("a"), message("b"), message("c"), message("d")]
    ),
    "CRLF is one end, not a blank line": Case(b"data: a\r\ndata: b\r\n\r\n", [message("a\nb")]),
    "three LF are two blank lines": Case(b"data: a\n\n\ndata: b\n\n", [message("a"), message("b")]),
    "five LF": Case(b"data: a\n\n\n\n\ndata: b\n\n", [message("a"), message("b")]),
    "blank lines first": Case(b"\n\n\n\r\r\ndata: a\n\n", [message("a")]),
    "U+2028 and U+2029 end no line": Case("data: a\u2028b\u2029c\n\n".encode(), [message("a\u2028b\u2029c")]),
    "U+0085 ends no line": Case("data: a\x85b\n\n".encode(), [message("a\x85b")]),
    "VT, FF, FS, GS, RS end no line": Case(
        b"data: a\x0bb\x0cc\x1cd\x1de\x1ef\n\n", [message("a\x0bb\x0cc\x1cd\x1de\x1ef")]
    ),
    # The byte order mark.
    "BOM": Case(b"\xef\xbb\xbfdata: a\n\n", [message("a")]),
    "BOM alone": Case(b"\xef\xbb\xbf", []),
    "one BOM only": Case(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [message("b")]),
    "BOM later is text": Case(b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", [message("a"), message("c")]),
    "BOM in data": Case(b"data: \xef\xbb\xbfa\n\n", [message("\ufeffa")]),
    "half a BOM": Case(b"\xef\xbbdata: a\n\ndata: b\n\n", [message("b")]),
    "beginning like a BOM": Case(b"\xef\xbb\xbedata: a\n\ndata: b\n\n", [message("b")]),
    # Fields.
    "no space after the colon": Case(b"data:a\n\n", [message("a")]),
    "one space is taken off, not two": Case(b"data:  a \n\n", [message(" a ")]),
    "a tab is no space": Case(b"data:\ta\n\n", [message("\ta")]),
    "a space before the colon is part of the name": Case(b"data : a\n\n", []),
    "a space before the name is part of it": Case(b" data: a\n\n", []),
    "names are in lower case": Case(b"Data: a\nDATA: b\n\n", []),
    "the first colon counts": Case(b"data:a:b: c\n\n", [message("a:b: c")]),
    "a field without a colon has an empty value": Case(b"data\n\n", [message("")]),
    "two of them are one line feed": Case(b"data\ndata\n\n", [message("\n")]),
    "an empty data line counts": Case(b"data:\n\n", [message("")]),
    "an empty data line with its space counts": Case(b"data: \n\n", [message("")]),
    "data after an empty line of it": Case(b"data:\ndata: a\n\n", [message("\na")]),
    "data before an empty line of it": Case(b"data: a\ndata:\n\n", [message("a\n")]),
    "several lines of data": Case(b"data: a\ndata: b\ndata: c\n\n", [message("a\nb\nc")]),
    "unknown fields": Case(b"colour: red\ndata: a\nfoo\n:\n\n", [message("a")]),
    "longer names that begin like data": Case(b"datas: x\ndata: a\ndata-b: y\n\n", [message("a")]),
    "comments": Case(b": hello\n:\n:data: no\ndata: a\n: more\n\n", [message("a")]),
    "comments alone dispatch nothing": Case(b": a\n\n:\n\n", []),
    "a comment between two lines of data": Case(b"data: a\n: keep alive\ndata: b\n\n", [message("a\nb")]),
    "NUL in data": Case(b"data: a\0b\n\n", [message("a\0b")]),
    # What the standard shows as examples.
    "the standard's stock ticker": Case(b"data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]),
    "the standard's four blocks": Case(
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        [message("first event", "1"), message("second event")],
    ),
    "the standard's two empty ones": Case(b"data\n\ndata\ndata\n\ndata:", [message(""), message("\n")]),
    "the standard's equal ones": Case(b"data:test\n\ndata: test\n\n", [message("test"), message("test")]),
    # Types.
    "a type": Case(b"event: add\ndata: 1\n\n", [("add", "1", "")]),
    "a type after the data": Case(b"data: 1\nevent: add\n\n", [("add", "1", "")]),
    "the last type counts": Case(b"event: a\nevent: b\ndata: 1\n\n", [("b", "1", "")]),
    "an empty type is message": Case(b"event: a\nevent:\ndata: 1\n\n", [message("1")]),
    "the type is reset at a blank line": Case(b"event: add\ndata: 1\n\ndata: 2\n\n", [("add", "1", ""), message("2")]),
    "the type is reset at a blank line without data": Case(b"event: add\n\ndata: 2\n\n", [message("2")]),
    "a type alone dispatches nothing": Case(b"event: add\n\n", []),
    # Ids.
    "an id": Case(b"id: 7\ndata: a\n\n", [message("a", "7")], last_event_id="7"),
    "an id stays": Case(b"id: 7\ndata: a\n\ndata: b\n\n", [message("a", "7"), message("b", "7")], last_event_id="7"),
    "an id is unset by an empty one": Case(b"id: 7\ndata: a\n\nid\ndata: b\n\n", [message("a", "7"), message("b")]),
    "an id with NUL is ignored": Case(b"id: 7\nid: 8\x009\ndata: a\n\n", [message("a", "7")], last_event_id="7"),
    "an id without data counts from its blank line": Case(b"id: 7\n\n", [], last_event_id="7"),
    "an id without data is in force afterwards": Case(b"id: 7\n\ndata: a\n\n", [message("a", "7")], last_event_id="7"),
    "an id without its blank line does not count": Case(b"id: 7\ndata: a\n\nid: 8\n", [message("a", "7")], None, "7"),
    "an id after the data": Case(b"data: a\nid: 7\n\n", [message("a", "7")], last_event_id="7"),
    "the last id counts": Case(b"id: 7\nid: 8\ndata: a\n\n", [message("a", "8")], last_event_id="8"),
    # Reconnection times.
    "retry": Case(b"retry: 1500\n\n", [], retry=1500),
    "retry counts without a blank line": Case(b"retry: 1500\n", [], retry=1500),
    "retry 0": Case(b"retry: 0\n", [], retry=0),
    "retry with leading zeros": Case(b"retry: 000000000000000000000012\n", [], retry=12),
    "retry with a sign": Case(b"retry: +5\nretry: -5\n", []),
    "retry with a fraction": Case(b"retry: 1.5\n", []),
    "retry with a second space": Case(b"retry:  5\n", []),
    "retry with trailing space": Case(b"retry: 5 \n", []),
    "retry with a letter": Case(b"retry: 5s\n", []),
    "retry empty": Case(b"retry:\nretry\n", []),
    "retry in other digits than ASCII": Case("retry: \u0665\n".encode(), []),
    "retry again": Case(b"retry: 5\nretry: x\nretry: 6\n", [], retry=6),
    "retry beyond every clock": Case(b"retry: " + b"9" * 5000 + b"\n", [], retry=10**15),
    # What is not UTF-8.
    "invalid bytes in data": Case(b"data: a\xffb\n\n", [message("a\ufffdb")]),
    "a character cut off by the line end": Case(b"data: \xe2\x82\ndata: b\n\n", [message("\ufffd\nb")]),
    "invalid bytes in type and id": Case(
        b"event: \xff\nid: \xfe\ndata: a\n\n", [("\ufffd", "a", "\ufffd")], last_event_id="\ufffd"
    ),
    "an encoded surrogate": Case(b"data: \xed\xa0\x80\n\n", [message("\ufffd\ufffd\ufffd")]),
    "an overlong line feed": Case(b"data: a\xc0\x8ab\n\n", [message("a\ufffd\ufffdb")]),
    "characters of every length": Case("data: aж€🐉\n\n".encode(), [message("aж€🐉")]),
    # The end of the stream.
    "nothing": Case(b"", []),
    "an event without its blank line is dropped": Case(b"data: a\n\ndata: b\n", [message("a")]),
    "a line without its end is dropped": Case(b"data: a\n\ndata: b", [message("a")]),
    "the type of a dropped event": Case(b"event: add\ndata: a", []),
}
# fmt: on


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_the_standard(case: Case) -> None:
    expected = Reading(case.events, case.retry, case.last_event_id)
    assert read([case.stream]) == expected
    assert reference(case.stream) == expected


def test_the_standard_bytewise(case: Case) -> None:
    assert read(bytewise(case.stream)) == Reading(case.events, case.retry, case.last_event_id)


def test_the_standard_in_two_parts(case: Case) -> None:
    expected = Reading(case.events, case.retry, case.last_event_id)
    for parts in two_part_cuts(case.stream[:200]):
        assert read([*parts, b"", case.stream[200:]]) == expected


@given(st.data())
def test_the_standard_at_random_cuts_with_empty_chunks(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CASES)))
    case = CASES[name]
    assert read(data.draw(cuts(case.stream))) == Reading(case.events, case.retry, case.last_event_id)


def reference(stream: bytes) -> Reading:
    """The standard's algorithm, a character at a time, in its own order and with its own names."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    result = Reading()
    data_buffer = event_type_buffer = last_event_id_buffer = ""
    for line in lines_of(text):
        if line == "":
            result.last_event_id = last_event_id_buffer
            if data_buffer == "":
                event_type_buffer = ""
                continue
            data_buffer = data_buffer.removesuffix("\n")
            result.events.append((event_type_buffer or "message", data_buffer, result.last_event_id))
            data_buffer = event_type_buffer = ""
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if name == "event":
            event_type_buffer = value
        elif name == "data":
            data_buffer += value + "\n"
        elif name == "id" and "\0" not in value:
            last_event_id_buffer = value
        elif name == "retry" and value and all("0" <= digit <= "9" for digit in value):
            # More than ten to the fifteenth is where this decoder stops counting; the standard knows no bound.
            result.retry = min(int(value[-4000:]) if len(value) < 4000 else 10**15, 10**15)
    return result


def lines_of(text: str) -> list[str]:
    """The lines that have ended. CR LF is one end; what follows the last end is no line."""
    lines: list[str] = []
    line = ""
    previous = ""
    for character in text:
        if character == "\n" and previous == "\r":
            pass
        elif character in "\r\n":
            lines.append(line)
            line = ""
        else:
            line += character
        previous = character
    return lines


# Bytes and words of which every rule of the format is made.
SOUP = st.lists(
    st.sampled_from(
        [
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b":",
            b" ",
            b"data",
            b"data:",
            b"data: ",
            b"data: a\n\n",
            b"event",
            b"event: e",
            b"id",
            b"id: 1",
            b"retry",
            b"retry: 7",
            b"\x00",
            b"\xef\xbb\xbf",
            b"\xef",
            b"\xbb",
            b"\xbf",
            b"\xe2\x80\xa8",
            b"\xc2\x85",
            b"\xff",
            b"\xf0\x9f",
            b"\xe2\x82",
            b"x",
            b"\x0b",
            b"\t",
            b"9",
        ]
    ),
    max_size=40,
).map(b"".join)


@given(SOUP, st.data())
@example(b"data: a\n\n\n\rdata\r\n", None)
def test_any_bytes_in_any_chunks_read_as_the_standard_says(stream: bytes, data: st.DataObject | None) -> None:
    expected = reference(stream)
    assert read([stream]) == expected
    assert read(bytewise(stream)) == expected
    if data is not None:
        assert read(data.draw(cuts(stream))) == expected


@given(st.binary(max_size=60))
def test_any_bytes_at_all_read_as_the_standard_says(stream: bytes) -> None:
    assert read([stream]) == read(bytewise(stream)) == reference(stream)


def test_a_carriage_return_dispatches_without_waiting_for_what_follows() -> None:
    decoder = EventStreamDecoder()
    assert decoder.feed(b"data: a\r") == []
    assert [event.data for event in decoder.feed(b"\r")] == ["a"]
    # The line feed of the pair, a chunk later, is no blank line; a second one is.
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"event: x\ndata: b\r") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert [event.event for event in decoder.feed(b"\n")] == ["x"]


def test_events_come_with_the_chunk_that_completes_them() -> None:
    decoder = EventStreamDecoder()
    counts = [len(decoder.feed(chunk)) for chunk in bytewise(b"data: a\n\nid: 1\ndata: b\n\n")]
    assert [index for index, count in enumerate(counts) if count] == [8, 23]


def test_the_id_is_committed_at_the_blank_line_and_not_before() -> None:
    decoder = EventStreamDecoder()
    decoder.feed(b"id: 7\n")
    assert decoder.last_event_id == ""
    decoder.feed(b"\n")
    assert decoder.last_event_id == "7"


def test_json_data_is_decoded_from_the_bytes() -> None:
    class Delta(msgspec.Struct):
        text: str

    (event,) = EventStreamDecoder().feed('data: {"text": "ж"}\n\n'.encode())
    assert event.decode(Delta) == Delta("ж")


def test_json_data_that_is_not_utf8_is_decoded_from_its_replacement() -> None:
    class Delta(msgspec.Struct):
        text: str

    (event,) = EventStreamDecoder().feed(b'data: {"text": "a\xff"}\n\n')
    assert event.decode(Delta) == Delta("a\ufffd")


def test_json_data_of_another_shape_names_the_field() -> None:
    class Delta(msgspec.Struct):
        text: str

    (event,) = EventStreamDecoder().feed(b'data: {"text": 5}\n\n')
    with pytest.raises(RemoteProtocolError, match=r"\$\.text"):
        event.decode(Delta)


# Limits.


@dataclass
class LimitedReading:
    """The events before a limit was hit, and by what; None if it was not."""

    events: list[Seen] = field(default_factory=list)
    error: str | None = None


def read_limited(chunks: Iterable[bytes], *, max_line: int, max_event: int) -> LimitedReading:
    decoder = EventStreamDecoder(max_line=max_line, max_event=max_event)
    result = LimitedReading()

    def see(events: list[ServerSentEvent]) -> None:
        result.events += [(e.event, e.data, e.id) for e in events]

    try:
        for chunk in chunks:
            see(decoder.feed(chunk))
    except EventLimitExceeded as error:
        see(error.events)
        result.error = str(error)
    return result


LINE = "a line of the event stream exceeds 10 bytes"
EVENT = "an event of the stream exceeds 8 bytes"

LIMIT_CASES = {
    "a line of just the limit": (b"data: 1234\n\n", [message("1234")], None),
    "a line a byte longer": (b"data: 12345\n\n", [], LINE),
    "without the space": (b"data:12345\n\n", [message("12345")], None),
    "an unfinished line": (b"data: 12345", [], LINE),
    "an unfinished line of just the limit": (b"data: 1234", [], None),
    "a comment": (b":" + b"x" * 10 + b"\n", [], LINE),
    "after an event": (b"data: a\n\ndata: 12345\n\ndata: b\n\n", [message("a")], LINE),
    "after two events": (b"data: a\n\nevent: x\ndata: b\n\n:12345678901\n\n", [message("a"), ("x", "b", "")], LINE),
    "within an event that follows another": (b"data: a\n\ndata: b\ndata: 12345\n\n", [message("a")], LINE),
    "an event of just the limit": (b"data: 1234\ndata: 123\n\n", [message("1234\n123")], None),
    "an event a byte longer": (b"data: 1234\ndata: 1234\n\n", [], EVENT),
    "an event too long by its line feeds": (b"data\n" * 10 + b"\n", [], EVENT),
    "an event too long before its end came": (b"data: a\n\ndata:12345\ndata:123", [message("a")], None),
    "an event too long before its blank line came": (b"data: a\n\ndata:12345\ndata:123\n", [message("a")], EVENT),
    "CR LF does not count": (b"data: 1234\r\n\r\n", [message("1234")], None),
    "the byte order mark does not count": (b"\xef\xbb\xbfdata: 1234\n\n", [message("1234")], None),
    "many events that are each within it": (b"data: 1234\n\n" * 5, [message("1234")] * 5, None),
}


@pytest.mark.parametrize(("stream", "events", "error"), LIMIT_CASES.values(), ids=LIMIT_CASES.keys())
def test_limits_do_not_depend_on_chunking(stream: bytes, events: list[Seen], error: str | None) -> None:
    expected = LimitedReading(events, error)
    for chunks in ([stream], bytewise(stream), *two_part_cuts(stream)):
        assert read_limited(chunks, max_line=10, max_event=8) == expected


def test_the_limit_of_an_event_holds_for_a_single_line_of_data() -> None:
    for chunks in ([b"data: 123456789\n\n"], bytewise(b"data: 123456789\n\n")):
        assert read_limited(chunks, max_line=100, max_event=8) == LimitedReading([], EVENT)
        assert read_limited(chunks, max_line=100, max_event=9) == LimitedReading([message("123456789")], None)


@given(SOUP, st.data())
def test_limits_do_not_depend_on_chunking_for_any_bytes(stream: bytes, data: st.DataObject) -> None:
    whole = read_limited([stream], max_line=10, max_event=8)
    assert read_limited(bytewise(stream), max_line=10, max_event=8) == whole
    assert read_limited(data.draw(cuts(stream)), max_line=10, max_event=8) == whole


def test_the_default_limits_let_a_mebibyte_through() -> None:
    data = b"x" * (1 << 20)
    decoder = EventStreamDecoder()
    assert [len(event.raw) for event in decoder.feed(b"data:" + data[5:] + b"\n\n")] == [(1 << 20) - 5]
    with pytest.raises(EventLimitExceeded):
        decoder.feed(b"data:" + data + b"\n\n")


# Memory and time.


def seconds(work: Callable[[], object]) -> float:
    """The least of three measurements of the processor's time."""

    def once() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    return min(once() for _ in range(3))


LONG_STREAMS: dict[str, Callable[[int], list[bytes]]] = {
    "one line, bytewise": lambda n: bytewise(b"data: " + b"x" * n + b"\n\n"),
    "one line in small chunks": lambda n: [b"data: ", *([b"xxxxxxx"] * n), b"\n\n"],
    "lines of one event, bytewise": lambda n: bytewise(b"data:\n" * (n // 6) + b"\n"),
    "carriage returns, bytewise": lambda n: bytewise(b"\r" * n),
    "blank lines at once": lambda n: [b"\n" * n * 8],
    "events, bytewise": lambda n: bytewise(b"data: x\n\n" * (n // 9)),
    "events at once": lambda n: [b"data: x\n\n" * n],
    "events with types at once": lambda n: [b"event: e\ndata: x\n\n" * (n // 4)],
    "an event under way, then many in one chunk": lambda n: [b"event: e\n", b"data: x\n\n" * n],
}


@pytest.mark.parametrize("make", LONG_STREAMS.values(), ids=LONG_STREAMS.keys())
def test_the_cost_is_linear(make: Callable[[int], list[bytes]]) -> None:
    # Eight times the input costs eight times the time where it is linear, and sixty-four times where it is not.
    small, large = make(1 << 13), make(1 << 16)
    assert seconds(lambda: read(large)) < 26 * seconds(lambda: read(small)) + 0.01


# The other way.

# A line of the format: no line end, no lone surrogate.
ONE_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(
    data=st.text(st.characters(exclude_categories=["Cs"])),
    event=ONE_LINE,
    id=st.none() | ONE_LINE.filter(lambda text: "\0" not in text),
    retry=st.none() | st.integers(0, 10**12),
)
@example(data="", event="", id=None, retry=None)
@example(data="a\r\nb\rc\n", event=" x", id=" ", retry=0)
def test_what_is_encoded_is_read_back(data: str, event: str, id: str | None, retry: int | None) -> None:
    encoded = encode_event(data, event=event, id=id, retry=retry)
    as_read = data.replace("\r\n", "\n").replace("\r", "\n")
    assert read([encoded]) == Reading([(event or "message", as_read, id or "")], retry, id or "")
    assert read([encode_comment(data), encoded]) == read([encoded])


@pytest.mark.parametrize(
    "arguments",
    [
        {"data": "a", "event": "x\ndata: y"},
        {"data": "a", "event": "x\r"},
        {"data": "a", "id": "x\n"},
        {"data": "a", "id": "x\0"},
        {"data": "a", "retry": -1},
        {"data": "\ud800"},
        {"data": "a", "event": "\ud800"},
    ],
)
def test_what_the_format_cannot_carry_is_refused(arguments: dict[str, str | int]) -> None:
    with pytest.raises(InvalidInput):
        encode_event(**arguments)  # type: ignore[arg-type]


def test_a_comment_is_one_line_for_each_of_the_text() -> None:
    assert encode_comment() == b": \n"
    assert encode_comment("a\r\nb") == b": a\n: b\n"
    with pytest.raises(InvalidInput):
        encode_comment("\ud800")
