"""The table of event stream rules catches mistakes: every mutant of the codec fails at least one case.

A mutant is the source of `modelwire.sse` with one edit. Its test fails if the old text is not in the source exactly
once, so the list cannot fall behind the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from event_stream_rules import WRITTEN, Case, all_cases
from modelwire import sse
from played_flow import bytewise, two_part_cuts

SOURCE = Path(sse.__file__).read_text(encoding="utf-8")
CASES = list(all_cases())


class Mutant(NamedTuple):
    """A mistake, and the edit that makes it."""

    mistake: str
    old: str
    new: str


LINE_ENDS = r'return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")'
SPLIT = r'lines = data.split(b"\n")'
PARTITION = 'name, _, value = line.partition(b":")'
ONE_SPACE = 'value = value.removeprefix(b" ")'
HAS_DATA = """        if self._data:
            events.append("""
JOINED = r'b"\n".join(self._data)'
RESET = """        self._event = ""
        self._in_event = False
"""
ID_IS_GOOD = "if 0 not in value:"
TYPE = 'self._event = value.decode("utf-8", "replace")'
ID = 'self._id = value.decode("utf-8", "replace")'
BOM_IS_POSSIBLE = "if len(data) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(data):"
HUGE = "else 10**MAX_RETRY_DIGITS"

DECODERS = [
    # Bytes and lines.
    Mutant(
        "bytes that are not UTF-8 vanish", 'self.raw.decode("utf-8", "replace")', 'self.raw.decode("utf-8", "ignore")'
    ),
    Mutant("bytes that are not UTF-8 raise", 'self.raw.decode("utf-8", "replace")', "self.raw.decode()"),
    Mutant(
        "bytes that are not UTF-8 become surrogates",
        'self.raw.decode("utf-8", "replace")',
        'self.raw.decode("utf-8", "surrogateescape")',
    ),
    Mutant("the stream is Latin-1", 'self.raw.decode("utf-8", "replace")', 'self.raw.decode("latin-1")'),
    Mutant("bytes that are not UTF-8 vanish from types", TYPE, TYPE.replace("replace", "ignore")),
    Mutant("bytes that are not UTF-8 vanish from ids", ID, ID.replace("replace", "ignore")),
    Mutant("the byte order mark is text", "return data.removeprefix(codecs.BOM_UTF8)", "return data"),
    Mutant(
        "two byte order marks are dropped",
        "return data.removeprefix(codecs.BOM_UTF8)",
        "return data.lstrip(codecs.BOM_UTF8)",
    ),
    Mutant("the byte order mark is looked for in the first chunk alone", BOM_IS_POSSIBLE, "if not data:"),
    Mutant(
        "the byte order mark is looked for in every chunk",
        "self._head = None\n        return",
        'self._head = b""\n        return',
    ),
    Mutant("the start of a possible byte order mark is lost", "self._head = data\n", 'self._head = b""\n'),
    Mutant("CR does not end a line", LINE_ENDS, r'return data.replace(b"\r\n", b"\n")'),
    Mutant("CRLF ends two lines", LINE_ENDS, r'return data.replace(b"\r", b"\n")'),
    Mutant(
        "LF CR ends one line",
        LINE_ENDS,
        r'return data.replace(b"\r\n", b"\n").replace(b"\n\r", b"\n").replace(b"\r", b"\n")',
    ),
    Mutant("CR is dropped", LINE_ENDS, r'return data.replace(b"\r", b"")'),
    Mutant("CRLF in two chunks ends two lines", "self._after_cr = data[-1] == 13", "self._after_cr = False"),
    Mutant("the byte after a CR is dropped", "if self._after_cr and data[0] == 10:", "if self._after_cr:"),
    Mutant("every LF after a CR is dropped", "                self._after_cr = False\n", ""),
    Mutant("VT ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\v", b"\n").')),
    Mutant("U+0085 ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\xc2\x85", b"\n").')),
    Mutant("U+2028 ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\xe2\x80\xa8", b"\n").')),
    Mutant("NUL ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\0", b"\n").')),
    Mutant("a line is stripped", "if not line:", "line = line.strip()\n            if not line:"),
    Mutant(
        "an unfinished line is lost",
        "                self._take_field(line, events)\n        return rest",
        '                self._take_field(line, events)\n        return b""',
    ),
    Mutant(
        "fragments of a line are joined in reverse order",
        "        fragments.append(data)\n        return",
        "        fragments.insert(0, data)\n        return",
    ),
    Mutant("fragments of a line are used twice", "self._fragments, self._fragments_size = [], 0\n", "\n"),
    Mutant(
        "lines are cut at a limit",
        "rest = lines.pop()",
        "rest = lines.pop()\n        lines = [line[:2048] for line in lines]",
    ),
    # Fields.
    Mutant(
        "a comment ends an event",
        "elif line[0] != 58:",
        "elif line[0] == 58:\n                self._dispatch(events)\n            else:",
    ),
    Mutant(
        "a comment is data",
        "elif line[0] != 58:",
        "elif line[0] == 58:\n                self._take_data(line[1:], events)\n            else:",
    ),
    Mutant("names are case-insensitive", PARTITION, PARTITION + "\n        name = name.lower()"),
    Mutant("names are stripped", PARTITION, PARTITION + "\n        name = name.strip()"),
    Mutant(
        "names match by prefix", PARTITION, PARTITION + '\n        name = b"data" if name.startswith(b"data") else name'
    ),
    Mutant("NULs in names are dropped", PARTITION, PARTITION + '\n        name = name.replace(b"\\0", b"")'),
    Mutant("the last colon counts", PARTITION, 'name, _, value = line.rpartition(b":")'),
    Mutant("a colon and a space are needed", PARTITION, 'name, _, value = line.partition(b": ")'),
    Mutant(
        "a line without a colon is ignored",
        PARTITION,
        'name, colon, value = line.partition(b":")\n        if not colon:\n            return',
    ),
    Mutant(
        "a line without a colon is a value",
        PARTITION,
        PARTITION + '\n        name, value = (name, value) if b":" in line else (b"data", name)',
    ),
    Mutant(
        "an unknown field is data",
        'elif name == b"retry" and value.isdigit():',
        'elif name != b"retry":\n            self._take_data(value, events)\n        elif value.isdigit():',
    ),
    Mutant("the space after the colon stays", ONE_SPACE, "pass"),
    Mutant("all spaces after the colon are removed", ONE_SPACE, 'value = value.lstrip(b" ")'),
    Mutant("spaces at the end are removed", ONE_SPACE, 'value = value.removeprefix(b" ").rstrip(b" ")'),
    Mutant("a tab after the colon is removed", ONE_SPACE, r'value = value.removeprefix(b" ").removeprefix(b"\t")'),
    Mutant("empty values are ignored", ONE_SPACE, ONE_SPACE + "\n        if not value:\n            return"),
    # Data, types, ids.
    Mutant("lines of data are joined without LF", JOINED, 'b"".join(self._data)'),
    Mutant("each line of data ends with LF", JOINED, r'b"\n".join([*self._data, b""])'),
    Mutant("all LFs at the end are removed", JOINED, JOINED + r'.rstrip(b"\n")'),
    Mutant("empty lines of data are skipped", JOINED, r'b"\n".join(filter(None, self._data))'),
    Mutant("only the last line of data counts", JOINED, "self._data[-1]"),
    Mutant("data ends at a NUL", JOINED, JOINED + r'.partition(b"\0")[0]'),
    Mutant("empty data makes no event", HAS_DATA, HAS_DATA.replace("self._data:", "any(self._data):")),
    Mutant("every blank line makes an event", HAS_DATA, HAS_DATA.replace("self._data:", "True:")),
    Mutant("a type alone makes an event", HAS_DATA, HAS_DATA.replace("self._data:", "self._data or self._event:")),
    Mutant("data stays", "            self._data.clear()\n", ""),
    Mutant("data is limited", "self._data.append(value)", "self._data = [*self._data, value][:100]"),
    Mutant("the type stays", RESET, "        self._in_event = False\n"),
    Mutant(
        "the type stays if there was no event",
        RESET,
        '        self._event = "" if events else self._event\n        self._in_event = False\n',
    ),
    Mutant("the first type counts", TYPE, TYPE.replace("= value", "= self._event or value")),
    Mutant("a type with a NUL is ignored", 'if name == b"event":', 'if name == b"event" and 0 not in value:'),
    Mutant("the default type is empty", 'self._event or "message"', "self._event"),
    Mutant("a type after data does not count", TYPE, TYPE.replace("=", "= self._event if self._data else", 1)),
    Mutant("an id with a NUL counts", ID_IS_GOOD, "if True:"),
    Mutant("an id with a NUL unsets it", ID_IS_GOOD, 'value = b"" if 0 in value else value\n            if True:'),
    Mutant("an id is cut at a NUL", ID_IS_GOOD, 'value = value.partition(b"\\0")[0]\n            if True:'),
    Mutant("an empty id is ignored", ID_IS_GOOD, "if value and 0 not in value:"),
    Mutant("the first id counts", ID_IS_GOOD, "if not self._id and 0 not in value:"),
    Mutant("an id is a number", ID_IS_GOOD, "if value.isdigit() or not value:"),
    Mutant("an id is for one event alone", RESET, RESET + '        self._id = ""\n'),
    Mutant(
        "an id without data does not count",
        "        self.last_event_id = self._id\n" + HAS_DATA,
        HAS_DATA.replace("events", "self.last_event_id = self._id\n            events", 1),
    ),
    Mutant("an id counts before its blank line", ID, ID.replace("self._id", "self._id = self.last_event_id")),
    # Reconnection times.
    Mutant("a time may have a sign", "value.isdigit()", 'value.lstrip(b"+-").isdigit()'),
    Mutant("a time may have spaces around it", "value.isdigit()", "value.strip().isdigit()"),
    Mutant("a time may have underscores", "value.isdigit():", 'value.replace(b"_", b"").isdigit():'),
    Mutant(
        "a time may have non-ASCII digits",
        "value.isdigit():",
        'value.decode("utf-8", "replace").isdecimal():\n            value = str(int(value.decode())).encode()',
    ),
    Mutant("a time may be missing", "value.isdigit()", 'not value.strip(b"0123456789")'),
    Mutant(
        "a time ends where its digits end",
        "value.isdigit():",
        "value[:1].isdigit():\n            value = value[: len(value) - len(value.lstrip(b'0123456789'))]",
    ),
    Mutant(
        "a bad time unsets it",
        'elif name == b"retry" and value.isdigit():',
        'elif name == b"retry" and not value.isdigit():\n            self.retry = None\n        elif name == b"retry":',
    ),
    Mutant("a huge time is ignored", HUGE, "else self.retry"),
    Mutant("a huge time is cut short", HUGE, "else int(digits[:15])"),
    Mutant("zero is ignored", "self.retry = int(digits)", "self.retry = int(digits) or self.retry"),
    Mutant("leading zeros count", 'value.lstrip(b"0") or b"0"', "value"),
    Mutant("a time is in seconds", "int(digits) if", "int(digits) * 1000 if"),
    # Fast paths.
    Mutant(
        "a chunk is an event, even inside an event",
        "if not self._in_event and data[:6] == DATA_PREFIX:",
        "if data[:6] == DATA_PREFIX:",
    ),
    Mutant("a type does not begin an event", TYPE + "\n            self._in_event = True\n", TYPE + "\n"),
    Mutant("an id does not begin an event", ID + "\n                self._in_event = True\n", ID + "\n"),
    Mutant(
        "data does not begin an event",
        "        self._in_event = True\n        self._data.append",
        "        self._data.append",
    ),
    Mutant("a chunk is always one event", "10 not in (raw := data[6:-2])", "(raw := data[6:-2]) is not None"),
    Mutant("a chunk always ends with an event", 'if data[-2:] == b"\\n\\n" and 10', "if 10"),
    Mutant(
        "a chunk begins with `data:` and any byte", "and data[:6] == DATA_PREFIX:", "and data[:5] == DATA_PREFIX[:5]:"
    ),
    Mutant(
        "an event in a chunk of its own has no id",
        'ServerSentEvent("message", raw, self._id)',
        'ServerSentEvent("message", raw, "")',
    ),
    Mutant(
        "fragments are an event, even inside an event",
        "size >= LONG_EVENT_BYTES and not self._in_event and",
        "size >= LONG_EVENT_BYTES and",
    ),
    Mutant("fragments begin with `data:` and any byte", "[0][:6] == DATA_PREFIX:", "[0][:5] == DATA_PREFIX[:5]:"),
    Mutant("fragments end with any line", 'if data[end : end + 2] == b"\\n\\n" and size', "if size"),
    Mutant("fragments keep the space after the colon", "= fragments[0][6:]", "= fragments[0][5:]"),
    Mutant("an event in fragments has no id", 'b"".join(fragments), self._id', 'b"".join(fragments), ""'),
    Mutant("the bytes after an event in fragments are lost", "return data[end + 2 :]", 'return b""'),
    Mutant("a run of events is not checked", '10 in b"".join(raws) or', ""),
    Mutant("only the first event of a run is checked", 'b"".join(raws)', "raws[0]"),
    Mutant("the first event of a run keeps its name", "        raws[0] = raws[0][6:]\n", ""),
    Mutant(
        "the bytes after a run are lost",
        "repeat(self._id)))\n        return rest",
        'repeat(self._id)))\n        return b""',
    ),
    Mutant("the bytes after a run lose their name", "rest = DATA_PREFIX + raws.pop()", "rest = raws.pop()"),
    Mutant("the events of a run have no id", "repeat(self._id)", 'repeat("")'),
    Mutant(
        "the first event of a failed run is taken, and the rest is lost",
        "            return data\n        events.extend",
        "            raws = raws[:1] if 10 not in raws[0] else []\n        events.extend",
    ),
    Mutant("a long line is always an event", 'data[end : end + 2] != b"\\n\\n" or', ""),
    Mutant(
        "a long event is always followed by another",
        "if data[start : start + 6] != DATA_PREFIX:",
        "if start == len(data):",
    ),
    Mutant("a long event has no id", "data[start + 6 : end], self._id", 'data[start + 6 : end], ""'),
    Mutant(
        "long events are decoded again with the bytes after them",
        "return self._take_short_events(data[start:], events)",
        "return self._take_short_events(data, events)",
    ),
]

ENCODERS = [
    Mutant(
        "lines end at every Unicode line separator",
        r'text.replace("\r\n", "\n").replace("\r", "\n").split("\n")',
        "text.splitlines()",
    ),
    Mutant("CR stays", r'.replace("\r", "\n").split("\n")', r'.split("\n")'),
    Mutant("CRLF is two lines", r'text.replace("\r\n", "\n").replace', "text.replace"),
    Mutant(
        "an empty last line is dropped",
        "for line in _lines(data)]\n",
        'for line in _lines(data.removesuffix("\\n"))]\n',
    ),
    Mutant("no space after the colon", 'f"data: {line}"', 'f"data:{line}"'),
    Mutant(
        "all data on one line", 'f"data: {line}" for line in _lines(data)', 'f"data: {data}"' + " for _ in range(1)"
    ),
    Mutant("an empty id is left out", "[] if id is None else", "[] if not id else"),
    Mutant("a time of zero is left out", "[] if retry is None else", "[] if not retry else"),
    Mutant("no blank line", r'"\n".join(lines) + "\n\n"', r'"\n".join(lines) + "\n"'),
    Mutant("the type is left out", '[f"event: {event}"] if event else []', "[]"),
]


def module_of(mutant: Mutant) -> dict[str, Any]:
    """The namespace of the module with this mistake."""
    assert SOURCE.count(mutant.old) == 1, (
        f"the old text is in the source {SOURCE.count(mutant.old)} times, not once: update the edit"
    )
    source = SOURCE.replace(mutant.old, mutant.new)
    assert source != SOURCE
    namespace: dict[str, Any] = {"__name__": "modelwire.sse_mutant", "__package__": "modelwire"}
    exec(compile(source, f"<{mutant.mistake}>", "exec"), namespace)
    return namespace


def ways_to_cut(stream: bytes) -> Iterator[list[bytes]]:
    """The whole stream, single bytes, equal chunks, and two chunks: at every byte, or at few bytes of a long stream."""
    yield [stream]
    yield bytewise(stream)
    for size in (50, 600):
        yield [stream[start : start + size] for start in range(0, len(stream), size)]
    for number, parts in enumerate(two_part_cuts(stream)):
        if len(stream) < 100 or number < 20:
            yield parts


def reads(decoder: Any, chunks: list[bytes], case: Case) -> bool:
    """True if a decoder reads a case correctly, and does not raise."""
    try:
        events = tuple((e.event, e.data, e.id) for chunk in chunks for e in decoder.feed(chunk))
    except (ValueError, IndexError):
        return False
    return (events, decoder.retry, decoder.last_event_id) == (case.events, case.retry, case.last_event_id)


def broken_rules(module: Mapping[str, Any]) -> Iterator[str]:
    """The names of the cases that a decoder reads wrongly, in at least one way of cutting."""
    for name, case in CASES:
        if not all(reads(module["EventStreamDecoder"](), chunks, case) for chunks in ways_to_cut(case.stream)):
            yield name


def badly_written(module: Mapping[str, Any]) -> Iterator[str]:
    """The names of the cases that an encoder writes wrongly."""
    for name, stream, data, event, id, retry, given in WRITTEN:
        text = data if given is None else given
        if module["encode_event"](text, event=event, id=id, retry=retry) != stream:
            yield name


@pytest.mark.parametrize("mutant", DECODERS, ids=[mutant.mistake for mutant in DECODERS])
def test_the_rules_catch_a_wrong_decoder(mutant: Mutant) -> None:
    assert next(broken_rules(module_of(mutant)), None) is not None


@pytest.mark.parametrize("mutant", ENCODERS, ids=[mutant.mistake for mutant in ENCODERS])
def test_the_rules_catch_a_wrong_encoder(mutant: Mutant) -> None:
    assert next(badly_written(module_of(mutant)), None) is not None


def test_the_codec_itself_passes() -> None:
    assert list(broken_rules(vars(sse))) == []
    assert list(badly_written(vars(sse))) == []
