"""The decoder of event streams, compared with the standard.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from unittest import mock

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from event_stream_reference import Reading, reference
from event_stream_rules import RULES, Case, Seen, all_cases, message
from modelwire import sse
from modelwire.errors import RemoteProtocolError
from modelwire.limits import MIB
from modelwire.sse import EventLimitExceeded, EventStreamDecoder, ServerSentEvent
from played_flow import bytewise, cuts, two_part_cuts


def read(chunks: Iterable[bytes]) -> Reading:
    decoder = EventStreamDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return Reading([(e.event, e.data, e.id) for e in events], decoder.retry, decoder.last_event_id)


# The rules of the standard.

CASES = dict(all_cases())


def expected_of(case: Case) -> Reading:
    return Reading(list(case.events), case.retry, case.last_event_id)


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_a_rule_is_kept(case: Case) -> None:
    assert read([case.stream]) == expected_of(case)


def test_a_rule_is_what_the_standard_says(case: Case) -> None:
    assert reference(case.stream) == expected_of(case)


def test_a_rule_is_kept_bytewise(case: Case) -> None:
    assert read(bytewise(case.stream)) == expected_of(case)


def test_a_rule_is_kept_in_two_parts(case: Case) -> None:
    for parts in two_part_cuts(case.stream):
        assert read(parts) == expected_of(case)


@given(st.data())
def test_a_rule_is_kept_at_random_cuts_with_empty_chunks(data: st.DataObject) -> None:
    case = CASES[data.draw(st.sampled_from(sorted(CASES)))]
    places = sorted(data.draw(st.lists(st.integers(0, len(case.stream)), max_size=12)))
    ends = zip([0, *places], [*places, len(case.stream)], strict=True)
    assert read(case.stream[start:end] for start, end in ends) == expected_of(case)


def test_every_case_has_its_own_name() -> None:
    assert len(CASES) == sum(len(rule.cases) for rule in RULES)
    assert len({case.stream for case in CASES.values()}) > 0.9 * len(CASES)


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


# Values of `LONG_EVENT_BYTES`: the events of such streams are found one by one always, sometimes, never.
THRESHOLDS = st.sampled_from([1, 12, 2048])


@given(SOUP, THRESHOLDS, st.data())
@example(b"data: a\n\n\n\rdata\r\n", 2048, None)
def test_any_bytes_in_any_chunks_read_as_the_standard_says(
    stream: bytes, threshold: int, data: st.DataObject | None
) -> None:
    expected = reference(stream)
    with mock.patch.object(sse, "LONG_EVENT_BYTES", threshold):
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
    # The LF of the pair, a chunk later, is not a blank line; the next LF is.
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"event: x\ndata: b\r") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert [event.event for event in decoder.feed(b"\n")] == ["x"]


def test_an_event_is_returned_for_the_chunk_that_completes_it() -> None:
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
    """The events before a limit was exceeded, and the error; None if no limit was exceeded."""

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
    "events of just the limit, one after the other": (
        b"data: 1234\ndata: 123\n\n" * 3,
        [message("1234\n123")] * 3,
        None,
    ),
    "one of many events": (b"data: 1\n\ndata: 12345\n\ndata: 2\n\n", [message("1")], LINE),
    "the third of many": (b"data: 1\n\n" * 2 + b"data: 12345\n\ndata: 2\n\n", [message("1")] * 2, LINE),
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


@given(SOUP, THRESHOLDS, st.data())
def test_limits_do_not_depend_on_chunking_for_any_bytes(stream: bytes, threshold: int, data: st.DataObject) -> None:
    with mock.patch.object(sse, "LONG_EVENT_BYTES", threshold):
        whole = read_limited([stream], max_line=10, max_event=8)
        assert read_limited(bytewise(stream), max_line=10, max_event=8) == whole
        assert read_limited(data.draw(cuts(stream)), max_line=10, max_event=8) == whole


def test_the_default_limits_let_a_mebibyte_through() -> None:
    data = b"x" * (1 << 20)
    decoder = EventStreamDecoder()
    assert [len(event.raw) for event in decoder.feed(b"data:" + data[5:] + b"\n\n")] == [(1 << 20) - 5]
    with pytest.raises(EventLimitExceeded):
        decoder.feed(b"data:" + data + b"\n\n")


@pytest.mark.parametrize("size", [99_999, 1500])
def test_limits_hold_for_long_events(size: int) -> None:
    """Events that are found one by one, and events that come in several chunks."""

    def read(stream: bytes, **limits: int) -> LimitedReading:
        return read_limited([stream[start : start + size] for start in range(0, len(stream), size)], **limits)

    event, longer = b"data: " + b"x" * 4000 + b"\n\n", b"data: " + b"x" * 4001 + b"\n\n"
    for limits in ({"max_line": 4006, "max_event": 9999}, {"max_line": 9999, "max_event": 4000}):
        assert read(event * 3, **limits) == LimitedReading([message("x" * 4000)] * 3)
        refused = read(event + longer + event, **limits)
        assert (refused.events, refused.error is not None) == ([message("x" * 4000)], True)


# Time.


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds: the least of three measurements."""

    def once() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    return min(once() for _ in range(3))


def calls(work: Callable[[], object]) -> int:
    """The number of calls of Python functions."""
    count = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


PLAIN = b"data: x\n\n"
LONG_PLAIN = b"data: " + b"x" * 4000 + b"\n\n"


@pytest.mark.parametrize(
    "stream", [PLAIN, PLAIN * 1000, LONG_PLAIN, LONG_PLAIN * 100], ids=["one", "many", "long", "longs"]
)
def test_plain_events_need_no_function_call_each(stream: bytes) -> None:
    decoder = EventStreamDecoder()
    decoder.feed(b"\n")  # once a stream: the search for a byte order mark
    events = []
    # `feed`, the fast paths, and the methods for the last event, which may not be plain.
    assert calls(lambda: events.extend(decoder.feed(stream))) <= 10
    assert b"".join(b"data: " + event.raw + b"\n\n" for event in events) == stream


def pieces(stream: bytes, size: int = 1460) -> list[bytes]:
    """The stream in packets of a network."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]


# By name: a number of parts, and a function that makes the chunks of a stream with that many parts.
LONG_STREAMS: dict[str, tuple[int, Callable[[int], list[bytes]]]] = {
    "a line of 8 MiB in packets": (8 * MIB, lambda n: pieces(b"data: " + b"x" * n + b"\n\n")),
    "10,000 lines of data in one event": (10_000, lambda n: pieces((b"data: " + b"x" * 100 + b"\n") * n + b"\n")),
    "100,000 events": (100_000, lambda n: pieces(b"data: x\n\n" * n)),
    "100,000 events with types": (100_000, lambda n: pieces(b"event: e\ndata: x\n\n" * n)),
    "100,000 events at once": (100_000, lambda n: [b"data: x\n\n" * n]),
    "10,000 events with ids at once": (10_000, lambda n: [b"id: e\ndata: x\n\n" * n]),
    "an event under way, then many at once": (50_000, lambda n: [b"event: e\n", b"data: x\n\n" * n]),
    "long events at once": (1000, lambda n: [(b"data: " + b"x" * 4000 + b"\n\n") * n]),
    "long and short events at once": (1000, lambda n: [(b"data: " + b"x" * 4000 + b"\n\ndata: x\n\n") * n]),
    "one line, bytewise": (50_000, lambda n: bytewise(b"data: " + b"x" * n + b"\n\n")),
    "lines of one event, bytewise": (10_000, lambda n: bytewise(b"data:\n" * n + b"\n")),
    "events, bytewise": (10_000, lambda n: bytewise(b"data: x\n\n" * n)),
    "carriage returns, bytewise": (50_000, lambda n: bytewise(b"\r" * n)),
    "blank lines at once": (500_000, lambda n: [b"\n" * n]),
}


@pytest.mark.parametrize(("parts", "make"), LONG_STREAMS.values(), ids=LONG_STREAMS.keys())
def test_the_cost_is_linear(parts: int, make: Callable[[int], list[bytes]]) -> None:
    # Eight times the input takes eight times as long if the cost is linear, and sixty-four times if it is quadratic.
    # Large input takes longer per byte, because it does not fit into the processor's caches.
    def decode(chunks: list[bytes]) -> None:
        feed = EventStreamDecoder(max_line=16 * MIB, max_event=16 * MIB).feed
        for chunk in chunks:
            feed(chunk)

    small, large = make(parts // 8), make(parts)
    assert seconds(lambda: decode(large)) < 26 * seconds(lambda: decode(small)) + 0.01
