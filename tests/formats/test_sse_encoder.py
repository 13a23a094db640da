"""The encoder of event streams: it follows the standard's grammar, and the decoder reads its events back.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from event_stream_rules import WRITTEN, Written
from modelwire.errors import InvalidInput
from modelwire.sse import EventStreamDecoder, encode_comment, encode_event

# The standard's ABNF for one event: comments and fields, each on a line, then an empty line. We write only LF.
EVENT = re.compile(r"(?:(?::|[^\r\n:]+(?::\x20?)?)[^\r\n]*\n)*\n")
COMMENTS = re.compile(r"(?::[^\r\n]*\n)+")

# Text that the format can carry: without lone surrogates, and for one line without line ends.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ONE_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@pytest.mark.parametrize("written", WRITTEN, ids=[written.name for written in WRITTEN])
def test_an_event_is_written_as_the_standard_says(written: Written) -> None:
    given = written.data if written.given is None else written.given
    assert encode_event(given, event=written.event, id=written.id, retry=written.retry) == written.stream


@pytest.mark.parametrize("written", WRITTEN, ids=[written.name for written in WRITTEN])
def test_a_written_event_is_read_back(written: Written) -> None:
    decoder = EventStreamDecoder()
    (event,) = decoder.feed(written.stream)
    assert (event.event, event.data, event.id) == (written.event or "message", written.data, written.id or "")
    assert (decoder.retry, decoder.last_event_id) == (written.retry, written.id or "")


@given(
    data=TEXT,
    event=ONE_LINE,
    id=st.none() | ONE_LINE.filter(lambda text: "\0" not in text),
    retry=st.none() | st.integers(0, 10**12),
)
@example(data="", event="", id=None, retry=None)
@example(data="a\r\nb\rc\n", event=" x", id=" ", retry=0)
def test_any_event_is_read_back(data: str, event: str, id: str | None, retry: int | None) -> None:
    encoded = encode_event(data, event=event, id=id, retry=retry)
    assert EVENT.fullmatch(encoded.decode())
    as_read = data.replace("\r\n", "\n").replace("\r", "\n")
    decoder = EventStreamDecoder()
    # A comment before it changes nothing.
    (found,) = decoder.feed(encode_comment(data) + encoded)
    assert (found.event, found.data, found.id) == (event or "message", as_read, id or "")
    assert (decoder.retry, decoder.last_event_id) == (retry, id or "")


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
def test_values_that_the_format_cannot_carry_are_refused(arguments: dict[str, str | int]) -> None:
    with pytest.raises(InvalidInput):
        encode_event(**arguments)  # type: ignore[arg-type]


@given(TEXT)
def test_any_text_becomes_comment_lines(text: str) -> None:
    assert COMMENTS.fullmatch(encode_comment(text).decode())


def test_a_comment_has_one_line_for_each_line_of_its_text() -> None:
    assert encode_comment() == b": \n"
    assert encode_comment("a\r\nb") == b": a\n: b\n"
    with pytest.raises(InvalidInput):
        encode_comment("\ud800")
