"""From a streamed body to the text of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import LimitExceeded, NoAnswer, TruncatedError
from modelwire.limits import Limits
from modelwire.outputs import TextDelta, TextReplaced
from modelwire.sse import ServerSentEvent
from modelwire.text import CumulativeText, EventSink, TextSink
from played_flow import bytewise, cuts, shown, two_part_cuts

Emitted = list[TextDelta | TextReplaced]


# Raw text.


def raw_text(chunks: list[bytes]) -> str:
    emitted: Emitted = []
    sink = TextSink(emitted.append)
    assert [sink.feed(chunk) for chunk in chunks] == [False] * len(chunks), "only the end of the body ends the answer"
    sink.end()
    assert TextDelta("") not in emitted
    return shown(emitted)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_a_character_may_be_split_between_chunks(text: str, data: st.DataObject) -> None:
    body = text.encode()
    for chunks in ([body], bytewise(body), data.draw(cuts(body))):
        assert raw_text(chunks) == text


@given(st.binary(min_size=1, max_size=12))
def test_bytes_that_are_not_utf8_are_replaced_whatever_the_chunks(body: bytes) -> None:
    def outcome(chunks: list[bytes]) -> str:
        try:
            return raw_text(chunks)
        except TruncatedError as error:
            return str(error)

    whole = outcome([body])
    assert {outcome(chunks) for chunks in (bytewise(body), *two_part_cuts(body))} == {whole}
    assert whole == body.decode("utf-8", "replace") or "middle of a character" in whole


def test_a_character_is_emitted_as_soon_as_it_is_complete() -> None:
    emitted: Emitted = []
    sink = TextSink(emitted.append)
    sink.feed("a€".encode()[:-1])
    assert emitted == [TextDelta("a")]
    sink.feed("€".encode()[-1:])
    assert emitted == [TextDelta("a"), TextDelta("€")]


def test_no_text_at_all() -> None:
    with pytest.raises(NoAnswer):
        raw_text([b""])


def test_an_end_within_a_character() -> None:
    with pytest.raises(TruncatedError):
        raw_text([b"a\xe2\x82"])


# Events.


class Collector:
    """Takes events until one named `end`."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, event: ServerSentEvent) -> bool:
        self.events.append(event.data)
        return event.event == "end"


def test_events_are_taken_until_the_one_that_ends_the_answer() -> None:
    take = Collector()
    sink = EventSink(take, Limits())
    assert not sink.feed(b"data: a\n\n")
    assert sink.feed(b"data: b\n\nevent: end\ndata: c\n\ndata: d\n\n")
    assert take.events == ["a", "b", "c"]


def test_the_events_before_a_limit_are_taken() -> None:
    take = Collector()
    sink = EventSink(take, Limits(line=10))
    with pytest.raises(LimitExceeded):
        sink.feed(b"data: a\n\ndata: 12345\n\n")
    assert take.events == ["a"]


def test_an_answer_that_ended_before_a_limit_is_complete() -> None:
    take = Collector()
    assert EventSink(take, Limits(line=10)).feed(b"event: end\ndata: a\n\ndata: 12345\n\n")
    assert take.events == ["a"]


def test_the_limits_are_those_of_the_flow() -> None:
    with pytest.raises(LimitExceeded, match="an event of the stream exceeds 5 bytes"):
        EventSink(Collector(), Limits(event=5)).feed(b"data: 123456\n\n")


def test_a_stream_that_ends_before_its_answer() -> None:
    sink = EventSink(Collector(), Limits())
    sink.feed(b"data: a\n\n")
    sink.feed(b"data: b")
    with pytest.raises(TruncatedError):
        sink.end()


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "an empty body"),
        (b"<html><p>\n\n</p>", "an HTML page"),
        (b'{"error": "x"}', "14 bytes that do not parse"),
        (b"x" * 2000, "512 bytes that do not parse"),
    ],
)
def test_a_body_without_an_event_is_described(body: bytes, what: str) -> None:
    for chunks in ([body], bytewise(body), [body[:5], body[5:]]):
        sink = EventSink(Collector(), Limits())
        for chunk in chunks:
            assert not sink.feed(chunk)
        with pytest.raises(NoAnswer, match=what):
            sink.end()


# Text that grows.


def cumulative(*wholes: str) -> Emitted:
    emitted: Emitted = []
    text = CumulativeText(emitted.append)
    for whole in wholes:
        text.update(whole)
    assert text.was_updated == bool(wholes)
    return emitted


@pytest.mark.parametrize(
    ("wholes", "expected"),
    [
        ([], []),
        ([""], []),
        (["a"], [TextDelta("a")]),
        (["a", "a"], [TextDelta("a")]),
        (["a", "ab", "abc"], [TextDelta("a"), TextDelta("b"), TextDelta("c")]),
        # A prefix of the emitted text emits nothing, until it grows beyond that text.
        (["abc", "ab", "a", "", "ab", "abc"], [TextDelta("abc")]),
        (["abc", "a", "abcd"], [TextDelta("abc"), TextDelta("d")]),
        # Any other change emits the whole text.
        (["abc", "abd"], [TextDelta("abc"), TextReplaced("abd")]),
        (["abc", "x"], [TextDelta("abc"), TextReplaced("x")]),
        (["abc", "ab", "abx"], [TextDelta("abc"), TextReplaced("abx")]),
        (["abc", "x", "xy"], [TextDelta("abc"), TextReplaced("x"), TextDelta("y")]),
    ],
)
def test_the_deltas_of_a_growing_text(wholes: list[str], expected: Emitted) -> None:
    assert cumulative(*wholes) == expected


@given(st.lists(st.text("ab", max_size=5), min_size=1))
def test_the_emitted_text_begins_with_the_last_update(wholes: list[str]) -> None:
    assert shown(cumulative(*wholes)).startswith(wholes[-1])
    assert TextDelta("") not in cumulative(*wholes)
