"""The standard of event streams as a table: its rules, each with streams that test a decoder.

https://html.spec.whatwg.org/multipage/server-sent-events.html, sections "parsing an event stream" and "interpreting
an event stream"; the rules are in our words. The table is data and imports no decoder. The tests run it with
modelwire's, and `docs/tools/event_stream_conformance.py` with those of other libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

# An event as it is compared: type, data, last event id.
Seen = tuple[str, str, str]

# Milliseconds: longer reconnection times count as equal to this one (thirty thousand years). The standard has no bound.
LONGEST_RETRY = 10**15


class Case(NamedTuple):
    """A stream, and the expected result: the events in order, the reconnection time, the last event id."""

    name: str
    stream: bytes
    events: tuple[Seen, ...] = ()
    retry: int | None = None
    last_event_id: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule: its name, what it says, and its cases."""

    name: str
    says: str
    cases: tuple[Case, ...]


def message(data: str, id: str = "") -> Seen:
    """An event of the default type."""
    return ("message", data, id)


def messages(*data: str) -> tuple[Seen, ...]:
    """Events of the default type, before any id."""
    return tuple(message(each) for each in data)


ELEVEN = tuple(str(number) for number in range(11))
# Characters: longer than a packet, and than the length at which our decoder starts to find events one by one.
LONG = "x" * 2500
# Characters of one to four bytes.
CHARACTERS = "aж€🐉"

RULES = (
    Rule(
        "UTF-8",
        "The stream is UTF-8. Each longest beginning of a character that is not continued becomes one U+FFFD.",
        (
            Case("characters of every length", f"data: {CHARACTERS}\n\n".encode(), messages(CHARACTERS)),
            Case("a byte that never occurs", b"data: a\xffb\n\n", messages("a\ufffdb")),
            Case("a continuation alone", b"data: a\x80b\n\n", messages("a\ufffdb")),
            Case("two bytes of three", b"data: \xe2\x82b\n\n", messages("\ufffdb")),
            Case("three bytes of four", b"data: \xf0\x9f\x90b\n\n", messages("\ufffdb")),
            Case("two bytes of three, twice", b"data: \xe2\x82\xe2\x82\n\n", messages("\ufffd\ufffd")),
            Case("an encoded surrogate", b"data: \xed\xa0\x80\n\n", messages("\ufffd\ufffd\ufffd")),
            Case("beyond U+10FFFF", b"data: \xf4\x90\x80\x80\n\n", messages("\ufffd\ufffd\ufffd\ufffd")),
            Case("an overlong line feed", b"data: a\xc0\x8ab\n\n", messages("a\ufffd\ufffdb")),
            Case("cut off by a line end", b"data: \xe2\x82\ndata: b\n\n", messages("\ufffd\nb")),
            Case("cut off by CRLF", b"data: \xf0\x9f\r\ndata: b\r\n\r\n", messages("\ufffd\nb")),
            Case(
                "in a type and an id",
                b"event: \xff\nid: \xfe\ndata: a\n\n",
                (("\ufffd", "a", "\ufffd"),),
                None,
                "\ufffd",
            ),
            Case("in a comment", b": \xff\xe2\ndata: a\n\n", messages("a")),
            Case("in a name", b"dat\xe1: a\ndata: b\n\n", messages("b")),
        ),
    ),
    Rule(
        "byte order mark",
        "One U+FEFF at the very beginning is dropped; any other is text.",
        (
            Case("one at the beginning", b"\xef\xbb\xbfdata: a\n\n", messages("a")),
            Case("before a comment", b"\xef\xbb\xbf: a\n\ndata: b\n\n", messages("b")),
            Case("alone", b"\xef\xbb\xbf"),
            Case("the second of two is text", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", messages("b")),
            Case("after a line end", b"\n\xef\xbb\xbfdata: a\n\ndata: b\n\n", messages("b")),
            Case("between events", b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", messages("a", "c")),
            Case("in data", b"data: \xef\xbb\xbfa\n\n", messages("\ufeffa")),
            Case("two bytes of it", b"\xef\xbbdata: a\n\ndata: b\n\n", messages("b")),
            Case("a character that begins like it", b"\xef\xbb\xbedata: a\n\ndata: b\n\n", messages("b")),
        ),
    ),
    Rule(
        "line ends",
        "LF, CR and CRLF end a line, in any mixture.",
        (
            Case("LF", b"data: a\n\n", messages("a")),
            Case("CR", b"data: a\r\r", messages("a")),
            Case("CRLF", b"data: a\r\n\r\n", messages("a")),
            Case("LF between lines", b"data: a\ndata: b\n\n", messages("a\nb")),
            Case("CR between lines", b"data: a\rdata: b\r\r", messages("a\nb")),
            Case("CRLF is one end", b"data: a\r\ndata: b\r\n\r\n", messages("a\nb")),
            Case("LF CR are two", b"data: a\n\rdata: b\n\n", messages("a", "b")),
            Case("CRLF CR", b"data: a\r\n\rdata: b\n\n", messages("a", "b")),
            Case("LF CRLF", b"data: a\n\r\ndata: b\n\n", messages("a", "b")),
            Case("CR LF CR LF apart by events", b"data: a\r\r\ndata: b\r\n\rdata: c\n\n", messages("a", "b", "c")),
            Case("CR CR LF LF", b"data: a\r\r\n\ndata: b\r\r", messages("a", "b")),
            Case(
                "mixed",
                b"data: a\r\n\r\ndata: b\n\ndata: c\r\rdata: d\r\n\n: e\rdata: f\ndata: g\r\n\r",
                messages("a", "b", "c", "d", "f\ng"),
            ),
        ),
    ),
    Rule(
        "no other line ends",
        "Other line ends of Unicode or of terminals do not end a line.",
        (
            Case("U+2028 and U+2029", "data: a\u2028b\u2029c\n\n".encode(), messages("a\u2028b\u2029c")),
            Case("U+0085", "data: a\x85b\n\n".encode(), messages("a\x85b")),
            Case("VT and FF", b"data: a\x0bb\x0cc\n\n", messages("a\x0bb\x0cc")),
            Case("FS, GS, RS and US", b"data: a\x1cb\x1dc\x1ed\x1fe\n\n", messages("a\x1cb\x1dc\x1ed\x1fe")),
            Case("NUL", b"data: a\0b\n\n", messages("a\0b")),
            Case("at the end of a line", "data: a\x85\ndata: b\u2028\n\n".encode(), messages("a\x85\nb\u2028")),
            Case("in a comment", ": a\u2028data: b\n\x0bdata: c\n\ndata: d\n\n".encode(), messages("d")),
            Case("written as escapes", b'data: {"a": "b\\n\\nc"}\n\n', messages('{"a": "b\\n\\nc"}')),
        ),
    ),
    Rule(
        "blank lines",
        "A blank line dispatches the event before it. More of them dispatch nothing.",
        (
            Case("one", b"data: a\n\n", messages("a")),
            Case("two", b"data: a\n\n\ndata: b\n\n", messages("a", "b")),
            Case("three", b"data: a\n\n\n\ndata: b\n\n", messages("a", "b")),
            Case("four", b"data: a\n\n\n\n\ndata: b\n\n", messages("a", "b")),
            Case("first", b"\n\n\n\r\r\ndata: a\n\n", messages("a")),
            Case("last", b"data: a\n\n\n", messages("a")),
            Case("nothing else", b"\n\n\r\n\r"),
            Case("nothing at all", b""),
            Case("a line of a space is not blank", b"data: a\n \ndata: b\n\n", messages("a\nb")),
        ),
    ),
    Rule(
        "events in a row",
        "Only the id of an event carries over to the next.",
        (
            Case("many", b"".join(b"data: %d\n\n" % n for n in range(11)), messages(*ELEVEN)),
            Case("many with CRLF", b"".join(b"data: %d\r\n\r\n" % n for n in range(11)), messages(*ELEVEN)),
            Case("two lines in the middle", b"data: a\n\ndata: b\ndata: c\n\ndata: d\n\n", messages("a", "b\nc", "d")),
            Case(
                "a type in the middle",
                b"data: a\n\ndata: b\nevent: e\n\ndata: c\n\n",
                (message("a"), ("e", "b", ""), message("c")),
            ),
            Case("a comment in the middle", b"data: a\n\n: b\n\ndata: c\n\ndata: d\n\n", messages("a", "c", "d")),
            Case("without a space in the middle", b"data: a\n\ndata:b\n\ndata: c\n\n", messages("a", "b", "c")),
            Case("nothing in the middle", b"data: a\n\ndata: b\n\ndata: \n\ndata: c\n\n", messages("a", "b", "", "c")),
            Case(
                "blank lines in the middle",
                b"data: a\n\ndata: b\n\n\n\ndata: c\n\ndata: d\n\n",
                messages("a", "b", "c", "d"),
            ),
            Case(
                "an id in the middle",
                b"data: a\n\ndata: b\nid: 7\n\ndata: c\n\ndata: d\n\n",
                (message("a"), message("b", "7"), message("c", "7"), message("d", "7")),
                last_event_id="7",
            ),
            Case(
                "data that looks like an event",
                b"data: data: a\n\ndata: \ndata: data: b\n\ndata: data\n\n",
                messages("data: a", "\ndata: b", "data"),
            ),
        ),
    ),
    Rule(
        "events of any length",
        "There is no limit to a line or an event.",
        (
            Case("a long line", f"data: {LONG}\n\n".encode(), messages(LONG)),
            Case("long lines", f"data: {LONG}\ndata: {LONG}\n\n".encode(), messages(f"{LONG}\n{LONG}")),
            Case("long events", f"data: {LONG}\n\ndata: {LONG}\n\n".encode(), messages(LONG, LONG)),
            Case(
                "long and short",
                f"data: a\n\ndata: {LONG}\n\ndata: b\n\ndata: c\n\n: {LONG}\n\ndata: {LONG}\n\n\n".encode(),
                messages("a", LONG, "b", "c", LONG),
            ),
            Case(
                "long and odd",
                f"data: {LONG}\n\ndata: {LONG}\nevent: e\n\ndata:{LONG}\n\ndata: {LONG}\r\n\r\n".encode(),
                (message(LONG), ("e", LONG, ""), message(LONG), message(LONG)),
            ),
            Case(
                "long without a space after long",
                f"data: {LONG}\n\ndata:{LONG}\n\n{LONG}\n\ndata: {LONG}\n\n".encode(),
                messages(LONG, LONG, LONG),
            ),
            Case(
                "after an id",
                f"id: 7\ndata: a\n\ndata: {LONG}\n\ndata: {LONG}\n\ndata: b\n\n".encode(),
                (message("a", "7"), message(LONG, "7"), message(LONG, "7"), message("b", "7")),
                last_event_id="7",
            ),
            Case(
                "a long type and a long id",
                f"event: {LONG}\nid: {LONG}\ndata\n\n".encode(),
                ((LONG, "", LONG),),
                None,
                LONG,
            ),
            Case("many lines", b"data: a\n" * 400 + b"\n", messages("\n".join("a" * 400))),
            Case("many lines of nothing", b"data\n" * 400 + b"\n", messages("\n" * 399)),
        ),
    ),
    Rule(
        "comments",
        "A line that begins with a colon is ignored.",
        (
            Case("before, within and after", b": a\n:\n:data: b\ndata: c\n: d\n\n:e\n", messages("c")),
            Case("between two lines of data", b"data: a\n: keep alive\ndata: b\n\n", messages("a\nb")),
            Case("alone", b": a\n\n:\n\n:b\n"),
            Case("before an event", b": a\n\ndata: b\n\n", messages("b")),
            Case("like a field", b":event: a\n:id: b\n:retry: 5\ndata: c\n\n", messages("c")),
            Case("two colons", b"::data: a\n\n"),
            Case("a space before the colon makes a field", b" : a\ndata: b\n\n", messages("b")),
        ),
    ),
    Rule(
        "fields",
        "The name ends at the first colon; one space after it is not part of the value.",
        (
            Case("a space", b"data: a\n\n", messages("a")),
            Case("no space", b"data:a\n\n", messages("a")),
            Case("two spaces", b"data:  a\n\n", messages(" a")),
            Case("spaces at the end stay", b"data: a  \n\n", messages("a  ")),
            Case("spaces alone", b"data:   \n\n", messages("  ")),
            Case("a tab is not a space", b"data:\ta\n\n", messages("\ta")),
            Case("nor is U+00A0", "data:\u00a0a\n\n".encode(), messages("\u00a0a")),
            Case("colons in the value", b"data:a:b: c\n\n", messages("a:b: c")),
            Case("a colon after the space", b"data: :a\n\n", messages(":a")),
            Case("a colon after the colon", b"data::a\n\n", messages(":a")),
            Case("in other fields", b"event:  a \nid:b:c\ndata:d\n\n", ((" a ", "d", "b:c"),), None, "b:c"),
        ),
    ),
    Rule(
        "names",
        "There are four fields: event, data, id, retry. Any other is ignored, and so is one of another case.",
        (
            Case("unknown", b"colour: red\ndata: a\nfoo\ncolour:\n\n", messages("a")),
            Case("upper case", b"Data: a\nDATA: b\ndata: c\nEvent: d\nID: e\nRetry: 5\n\n", messages("c")),
            Case("beginning alike", b"datas: x\ndata-b: y\ndat: z\nda\ndata: a\n\n", messages("a")),
            Case("a space before the colon", b"data : a\ndata: b\n\n", messages("b")),
            Case("a space before the name", b" data: a\ndata: b\n\n", messages("b")),
            Case("a NUL in the name", b"da\0ta: a\ndata\0: b\ndata: c\n\n", messages("c")),
            Case("no name of an object's", b"__class__: a\ntoString: b\nlength: 3\ndata: c\n\n", messages("c")),
            Case("unknown ones alone", b"foo: a\n\nbar\n\n"),
        ),
    ),
    Rule(
        "a field without a colon",
        "The whole line is the name, and the value is empty.",
        (
            Case("data", b"data\n\n", messages("")),
            Case("data twice", b"data\ndata\n\n", messages("\n")),
            Case("event", b"event: a\nevent\ndata: b\n\n", messages("b")),
            Case("id", b"id: 7\ndata: a\n\nid\ndata: b\n\n", (message("a", "7"), message("b"))),
            Case("retry", b"retry: 5\nretry\ndata: a\n\n", messages("a"), retry=5),
            Case("with CR", b"data\r\rdata\r\n\r\n", messages("", "")),
        ),
    ),
    Rule(
        "data",
        "The lines of data are joined by LF. An empty line of data counts.",
        (
            Case("one line", b"data: a\n\n", messages("a")),
            Case("three lines", b"data: a\ndata: b\ndata: c\n\n", messages("a\nb\nc")),
            Case("with CRLF", b"data: a\r\ndata: b\r\n\r\n", messages("a\nb")),
            Case("with and without a space", b"data:a\ndata: b\ndata:c\n\n", messages("a\nb\nc")),
            Case("empty", b"data:\n\n", messages("")),
            Case("empty with its space", b"data: \n\n", messages("")),
            Case("two empty ones", b"data:\ndata:\n\n", messages("\n")),
            Case("empty first", b"data:\ndata: a\n\n", messages("\na")),
            Case("empty last", b"data: a\ndata:\n\n", messages("a\n")),
            Case(
                "apart by other fields",
                b"data: a\nfoo: x\nevent: e\nid: 7\ndata: b\n\n",
                (("e", "a\nb", "7"),),
                None,
                "7",
            ),
            Case("NUL", b"data: \0\n\n", messages("\0")),
        ),
    ),
    Rule(
        "type",
        "The last event field is the type; if it is empty or missing, the type is message. A blank line resets it.",
        (
            Case("before the data", b"event: add\ndata: 1\n\n", (("add", "1", ""),)),
            Case("after the data", b"data: 1\nevent: add\n\n", (("add", "1", ""),)),
            Case("the last counts", b"event: a\nevent: b\ndata: 1\n\n", (("b", "1", ""),)),
            Case("empty", b"event: a\nevent:\ndata: 1\n\n", messages("1")),
            Case("empty with its space", b"event: \ndata: 1\n\n", messages("1")),
            Case("reset after an event", b"event: add\ndata: 1\n\ndata: 2\n\n", (("add", "1", ""), message("2"))),
            Case("reset without an event", b"event: add\n\ndata: 2\n\ndata: 3\n\n", messages("2", "3")),
            Case("each its own", b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", (("a", "1", ""), ("b", "2", ""))),
            Case(
                "names of the browser",
                b"event: error\ndata: 1\n\nevent: message\ndata: 2\n\n",
                (("error", "1", ""), message("2")),
            ),
            Case("NUL", b"event: a\0\ndata: 1\n\n", (("a\0", "1", ""),)),
        ),
    ),
    Rule(
        "id",
        "An id stays until the next one, an empty one too. One with a NUL is ignored.",
        (
            Case("one", b"id: 7\ndata: a\n\n", (message("a", "7"),), last_event_id="7"),
            Case("stays", b"id: 7\ndata: a\n\ndata: b\n\n", (message("a", "7"), message("b", "7")), last_event_id="7"),
            Case("after the data", b"data: a\nid: 7\n\n", (message("a", "7"),), last_event_id="7"),
            Case("the last counts", b"id: 7\nid: 8\ndata: a\n\n", (message("a", "8"),), last_event_id="8"),
            Case("empty", b"id: 7\ndata: a\n\nid:\ndata: b\n\n", (message("a", "7"), message("b"))),
            Case("empty with its space", b"id: 7\ndata: a\n\nid: \ndata: b\n\n", (message("a", "7"), message("b"))),
            Case("with a NUL", b"id: 7\nid: 8\x009\ndata: a\n\n", (message("a", "7"),), last_event_id="7"),
            Case("a NUL alone", b"id: 7\nid: \0\ndata: a\n\n", (message("a", "7"),), last_event_id="7"),
            Case("no number", "id: ж 1\u2028\ndata: a\n\n".encode(), (message("a", "ж 1\u2028"),), None, "ж 1\u2028"),
            Case("in force at its blank line", b"id: 7\ndata: a\n\nid: 8\n", (message("a", "7"),), None, "7"),
            Case(
                "each its own",
                b"id: 7\ndata: a\n\nid: 8\ndata: b\n\n",
                (message("a", "7"), message("b", "8")),
                None,
                "8",
            ),
        ),
    ),
    Rule(
        "blocks without data",
        "Without data there is no event. An id counts all the same.",
        (
            Case("a type", b"event: add\n\n"),
            Case("an id", b"id: 7\n\n", last_event_id="7"),
            Case("an id, then an event", b"id: 7\n\ndata: a\n\n", (message("a", "7"),), last_event_id="7"),
            Case(
                "an id, then many",
                b"id: 7\n\ndata: a\n\ndata: b\n\n",
                (message("a", "7"), message("b", "7")),
                None,
                "7",
            ),
            Case("a type and an id", b"event: add\nid: 7\n\ndata: a\n\n", (message("a", "7"),), last_event_id="7"),
            Case("a reconnection time", b"retry: 5\n\ndata: a\n\n", messages("a"), retry=5),
            Case("a comment and an unknown field", b": a\nfoo: b\n\ndata: c\n\n", messages("c")),
            Case("after an event", b"event: e\nid: 7\ndata: a\n\nevent: f\n\n", (("e", "a", "7"),), last_event_id="7"),
            Case("an id is unset", b"id: 7\ndata: a\n\nid\n\n", (message("a", "7"),), last_event_id=""),
        ),
    ),
    Rule(
        "reconnection time",
        "One or more ASCII digits, in milliseconds. Anything else is ignored.",
        (
            Case("a number", b"retry: 1500\ndata: a\n\n", messages("a"), retry=1500),
            Case("without a space", b"retry:1500\ndata: a\n\n", messages("a"), retry=1500),
            Case("without a blank line", b"data: a\n\nretry: 1500\n", messages("a"), retry=1500),
            Case("zero", b"retry: 0\ndata: a\n\n", messages("a"), retry=0),
            Case("leading zeros", b"retry: 0000000000000000000000000012\ndata: a\n\n", messages("a"), retry=12),
            Case("the last counts", b"retry: 5\nretry: x\nretry: 6\ndata: a\n\n", messages("a"), retry=6),
            Case("a sign", b"retry: +5\nretry: -5\ndata: a\n\n", messages("a")),
            Case("a fraction", b"retry: 1.5\nretry: 1e3\ndata: a\n\n", messages("a")),
            Case("a second space", b"retry:  5\ndata: a\n\n", messages("a")),
            Case("a space after it", b"retry: 5 \ndata: a\n\n", messages("a")),
            Case("an underscore", b"retry: 1_000\ndata: a\n\n", messages("a")),
            Case("a letter", b"retry: 1000x\nretry: 0x10\ndata: a\n\n", messages("a")),
            Case("empty", b"retry:\nretry: \ndata: a\n\n", messages("a")),
            Case("Arabic digits", "retry: \u0665\ndata: a\n\n".encode(), messages("a")),
            Case("superscript digits", "retry: 5\u00b2\ndata: a\n\n".encode(), messages("a")),
            Case("fifteen digits", b"retry: 999999999999999\ndata: a\n\n", messages("a"), LONGEST_RETRY - 1),
            Case("beyond sixty-four bits", b"retry: 99999999999999999999\ndata: a\n\n", messages("a"), LONGEST_RETRY),
            Case("five thousand digits", b"retry: " + b"9" * 5000 + b"\ndata: a\n\n", messages("a"), LONGEST_RETRY),
        ),
    ),
    Rule(
        "the end of the stream",
        "Lines at the end of the stream that no blank line follows are dropped.",
        (
            Case("a line that has ended", b"data: a\n\ndata: b\n", messages("a")),
            Case("a line that has not", b"data: a\n\ndata: b", messages("a")),
            Case("in the middle of a name", b"data: a\n\ndat", messages("a")),
            Case("a type and data", b"event: add\ndata: a"),
            Case("a last CR is a line end", b"data: a\r\n\r", messages("a")),
            Case("in the middle of a character", b"data: a\n\ndata: \xf0\x9f", messages("a")),
        ),
    ),
    Rule(
        "the standard's examples",
        "The streams that the standard shows.",
        (
            Case(
                "three messages",
                b": this is a test stream\n\ndata: some text\n\ndata: another message\ndata: with two lines\n\n",
                messages("some text", "another message\nwith two lines"),
            ),
            Case("the stock ticker", b"data: YHOO\ndata: +2\ndata: 10\n\n", messages("YHOO\n+2\n10")),
            Case(
                "four blocks",
                b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
                (message("first event", "1"), message("second event")),
            ),
            Case("two empty ones", b"data\n\ndata\ndata\n\ndata:", messages("", "\n")),
            Case("two equal ones", b"data:test\n\ndata: test\n\n", messages("test", "test")),
        ),
    ),
)


def all_cases() -> Iterator[tuple[str, Case]]:
    """Every case by name: the name of its rule, and its own."""
    for rule in RULES:
        for case in rule.cases:
            yield f"{rule.name}: {case.name}", case


# The inverse: events, and the bytes that an encoder writes.


class Written(NamedTuple):
    """An event and its bytes. `data` is what a decoder receives; `given` is the encoder's input, if that differs."""

    name: str
    stream: bytes
    data: str
    event: str = ""
    id: str | None = None
    retry: int | None = None
    given: str | None = None


WRITTEN = (
    Written("data", b"data: a\n\n", "a"),
    Written("no data", b"data: \n\n", ""),
    Written("two lines", b"data: a\ndata: b\n\n", "a\nb"),
    Written("CR", b"data: a\ndata: b\n\n", "a\nb", given="a\rb"),
    Written("CRLF", b"data: a\ndata: b\n\n", "a\nb", given="a\r\nb"),
    Written("a line end last", b"data: a\ndata: \n\n", "a\n"),
    Written("line ends alone", b"data: \ndata: \ndata: \n\n", "\n\n"),
    Written("a space first", b"data:  a\n\n", " a"),
    Written("a colon first", b"data: :a\n\n", ":a"),
    Written("a byte order mark", b"data: \xef\xbb\xbfa\n\n", "\ufeffa"),
    Written("characters of every length", f"data: {CHARACTERS}\n\n".encode(), CHARACTERS),
    Written("U+2028, U+0085, VT and NUL", "data: \u2028\x85\x0b\0\n\n".encode(), "\u2028\x85\x0b\0"),
    Written("a type", b"event: e\ndata: a\n\n", "a", event="e"),
    Written("a type with a space first", b"event:  e\ndata: a\n\n", "a", event=" e"),
    Written("an id", b"id: 7\ndata: a\n\n", "a", id="7"),
    Written("an empty id", b"id: \ndata: a\n\n", "a", id=""),
    Written("a reconnection time", b"retry: 0\ndata: a\n\n", "a", retry=0),
    Written("everything", b"event: e\nid: 7\nretry: 1500\ndata: a\n\n", "a", event="e", id="7", retry=1500),
)
