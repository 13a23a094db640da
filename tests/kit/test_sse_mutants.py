"""The rules of event streams catch mistakes: every plausible wrong decoder breaks at least one case of the table.

Each is the source of `modelwire.sse` with one edit. An edit whose old text is not found exactly once fails, so that
the list keeps up with the source.
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
    """What it does wrong, and the edit."""

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
    Mutant("they raise", 'self.raw.decode("utf-8", "replace")', "self.raw.decode()"),
    Mutant(
        "they are kept as surrogates",
        'self.raw.decode("utf-8", "replace")',
        'self.raw.decode("utf-8", "surrogateescape")',
    ),
    Mutant("the stream is Latin-1", 'self.raw.decode("utf-8", "replace")', 'self.raw.decode("latin-1")'),
    Mutant("they vanish from types", TYPE, TYPE.replace("replace", "ignore")),
    Mutant("they vanish from ids", ID, ID.replace("replace", "ignore")),
    Mutant("the byte order mark is text", "return data.removeprefix(codecs.BOM_UTF8)", "return data"),
    Mutant(
        "two byte order marks are dropped",
        "return data.removeprefix(codecs.BOM_UTF8)",
        "return data.lstrip(codecs.BOM_UTF8)",
    ),
    Mutant("the byte order mark is looked for in one chunk", BOM_IS_POSSIBLE, "if not data:"),
    Mutant("it is looked for in every chunk", "self._head = None\n        return", 'self._head = b""\n        return'),
    Mutant("what looked like it is lost", "self._head = data\n", 'self._head = b""\n'),
    Mutant("CR ends no line", LINE_ENDS, r'return data.replace(b"\r\n", b"\n")'),
    Mutant("CRLF ends two lines", LINE_ENDS, r'return data.replace(b"\r", b"\n")'),
    Mutant(
        "LF CR ends one line",
        LINE_ENDS,
        r'return data.replace(b"\r\n", b"\n").replace(b"\n\r", b"\n").replace(b"\r", b"\n")',
    ),
    Mutant("CR is dropped", LINE_ENDS, r'return data.replace(b"\r", b"")'),
    Mutant("CRLF in two chunks ends two lines", "self._after_cr = data[-1] == 13", "self._after_cr = False"),
    Mutant("what follows a CR is dropped", "if self._after_cr and data[0] == 10:", "if self._after_cr:"),
    Mutant("each LF after a CR is dropped", "                self._after_cr = False\n", ""),
    Mutant("VT ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\v", b"\n").')),
    Mutant("U+0085 ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\xc2\x85", b"\n").')),
    Mutant("U+2028 ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\xe2\x80\xa8", b"\n").')),
    Mutant("NUL ends a line", SPLIT, SPLIT.replace("data.", r'data.replace(b"\0", b"\n").')),
    Mutant("a line is stripped", "if not line:", "line = line.strip()\n            if not line:"),
    Mutant(
        "a line that has not ended is lost",
        "                self._take_field(line, events)\n        return rest",
        '                self._take_field(line, events)\n        return b""',
    ),
    Mutant(
        "pieces of a line are put together the wrong way",
        "        fragments.append(data)\n        return",
        "        fragments.insert(0, data)\n        return",
    ),
    Mutant("pieces of a line come twice", "self._fragments, self._fragments_size = [], 0\n", "\n"),
    Mutant(
        "there is a limit to lines",
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
    Mutant("names are of any case", PARTITION, PARTITION + "\n        name = name.lower()"),
    Mutant("names are stripped", PARTITION, PARTITION + "\n        name = name.strip()"),
    Mutant(
        "names may be longer", PARTITION, PARTITION + '\n        name = b"data" if name.startswith(b"data") else name'
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
    Mutant("no space is taken off", ONE_SPACE, "pass"),
    Mutant("all spaces are taken off", ONE_SPACE, 'value = value.lstrip(b" ")'),
    Mutant("spaces at the end are taken off", ONE_SPACE, 'value = value.removeprefix(b" ").rstrip(b" ")'),
    Mutant("a tab is taken off", ONE_SPACE, r'value = value.removeprefix(b" ").removeprefix(b"\t")'),
    Mutant("values may not be empty", ONE_SPACE, ONE_SPACE + "\n        if not value:\n            return"),
    # Data, types, ids.
    Mutant("lines of data are joined by nothing", JOINED, 'b"".join(self._data)'),
    Mutant("each line of data ends with LF", JOINED, r'b"\n".join([*self._data, b""])'),
    Mutant("all line feeds at the end go", JOINED, JOINED + r'.rstrip(b"\n")'),
    Mutant("empty lines of data are skipped", JOINED, r'b"\n".join(filter(None, self._data))'),
    Mutant("only the last line of data counts", JOINED, "self._data[-1]"),
    Mutant("data ends at a NUL", JOINED, JOINED + r'.partition(b"\0")[0]'),
    Mutant("empty data is no event", HAS_DATA, HAS_DATA.replace("self._data:", "any(self._data):")),
    Mutant("every blank line is an event", HAS_DATA, HAS_DATA.replace("self._data:", "True:")),
    Mutant("a type alone is an event", HAS_DATA, HAS_DATA.replace("self._data:", "self._data or self._event:")),
    Mutant("data stays", "            self._data.clear()\n", ""),
    Mutant("data is limited", "self._data.append(value)", "self._data = [*self._data, value][:100]"),
    Mutant("the type stays", RESET, "        self._in_event = False\n"),
    Mutant(
        "the type stays where there was no event",
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
    Mutant("an id is for one event", RESET, RESET + '        self._id = ""\n'),
    Mutant(
        "an id without data does not count",
        "        self.last_event_id = self._id\n" + HAS_DATA,
        HAS_DATA.replace("events", "self.last_event_id = self._id\n            events", 1),
    ),
    Mutant("an id counts before its blank line", ID, ID.replace("self._id", "self._id = self.last_event_id")),
    # Reconnection times.
    Mutant("a time may have a sign", "value.isdigit()", 'value.lstrip(b"+-").isdigit()'),
    Mutant("a time may have spaces around it", "value.isdigit()", "value.strip().isdigit()"),
    Mutant("a time is what int() takes", "value.isdigit():", 'value.replace(b"_", b"").isdigit():'),
    Mutant(
        "a time is in any digits",
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
    Mutant("a huge time is cut", HUGE, "else int(digits[:15])"),
    Mutant("zero is no time", "self.retry = int(digits)", "self.retry = int(digits) or self.retry"),
    Mutant("leading zeros count", 'value.lstrip(b"0") or b"0"', "value"),
    Mutant("a time is in seconds", "int(digits) if", "int(digits) * 1000 if"),
    # The quick ways.
    Mutant(
        "a chunk is an event, whatever is under way",
        "if not self._in_event and data[:6] == DATA:",
        "if data[:6] == DATA:",
    ),
    Mutant("a type is not under way", TYPE + "\n            self._in_event = True\n", TYPE + "\n"),
    Mutant("an id is not under way", ID + "\n                self._in_event = True\n", ID + "\n"),
    Mutant(
        "data is not under way", "        self._in_event = True\n        self._data.append", "        self._data.append"
    ),
    Mutant("a chunk is one event", "10 not in (raw := data[6:-2])", "(raw := data[6:-2]) is not None"),
    Mutant("a chunk ends with an event", 'if data[-2:] == b"\\n\\n" and 10', "if 10"),
    Mutant("a chunk begins with data and any byte", "and data[:6] == DATA:", "and data[:5] == DATA[:5]:"),
    Mutant(
        "an event in a chunk of its own has no id",
        'ServerSentEvent("message", raw, self._id)',
        'ServerSentEvent("message", raw, "")',
    ),
    Mutant("pieces are an event, whatever is under way", "size >= LONG and not self._in_event and", "size >= LONG and"),
    Mutant("pieces begin with data and any byte", "[0][:6] == DATA:", "[0][:5] == DATA[:5]:"),
    Mutant("pieces end with a line", 'if data[end : end + 2] == b"\\n\\n" and size', "if size"),
    Mutant("pieces keep the space", "= fragments[0][6:]", "= fragments[0][5:]"),
    Mutant("an event in pieces has no id", 'b"".join(fragments), self._id', 'b"".join(fragments), ""'),
    Mutant("what follows an event in pieces is lost", "return data[end + 2 :]", 'return b""'),
    Mutant("a run is not looked at", '10 in b"".join(raws) or', ""),
    Mutant("a run is looked at in its first piece", 'b"".join(raws)', "raws[0]"),
    Mutant("a run begins with a name", "        raws[0] = raws[0][6:]\n", ""),
    Mutant(
        "what follows a run is lost",
        "repeat(self._id)))\n        return rest",
        'repeat(self._id)))\n        return b""',
    ),
    Mutant("what follows a run has lost its name", "rest = DATA + raws.pop()", "rest = raws.pop()"),
    Mutant("a run has no id", "repeat(self._id)", 'repeat("")'),
    Mutant(
        "a run that fails is taken up to there",
        "            return data\n        events.extend",
        "            raws = raws[:1] if 10 not in raws[0] else []\n        events.extend",
    ),
    Mutant("a long line is an event", 'data[end : end + 2] != b"\\n\\n" or', ""),
    Mutant("after a long event comes a plain one", "if data[start : start + 6] != DATA:", "if start == len(data):"),
    Mutant("a long event has no id", "data[start + 6 : end], self._id", 'data[start + 6 : end], ""'),
    Mutant(
        "what follows long events is lost",
        "return self._take_short_events(data[start:], events)",
        "return self._take_short_events(data, events)",
    ),
]

ENCODERS = [
    Mutant(
        "lines end where Unicode says",
        r'text.replace("\r\n", "\n").replace("\r", "\n").split("\n")',
        "text.splitlines()",
    ),
    Mutant("CR stays", r'.replace("\r", "\n").split("\n")', r'.split("\n")'),
    Mutant("CRLF is two lines", r'text.replace("\r\n", "\n").replace', "text.replace"),
    Mutant(
        "the last line is dropped where it is empty",
        "for line in _lines(data)]\n",
        'for line in _lines(data.removesuffix("\\n"))]\n',
    ),
    Mutant("no space", 'f"data: {line}"', 'f"data:{line}"'),
    Mutant("one line of data", 'f"data: {line}" for line in _lines(data)', 'f"data: {data}"' + " for _ in range(1)"),
    Mutant("an empty id is left out", "[] if id is None else", "[] if not id else"),
    Mutant("a time of zero is left out", "[] if retry is None else", "[] if not retry else"),
    Mutant("no blank line", r'"\n".join(lines) + "\n\n"', r'"\n".join(lines) + "\n"'),
    Mutant("the type is left out", '[f"event: {event}"] if event else []', "[]"),
]


def module_of(mutant: Mutant) -> dict[str, Any]:
    """The names of the module, with its mistake."""
    assert SOURCE.count(mutant.old) == 1, f"{SOURCE.count(mutant.old)} places for the edit, not one"
    source = SOURCE.replace(mutant.old, mutant.new)
    assert source != SOURCE
    namespace: dict[str, Any] = {"__name__": "modelwire.sse_mutant", "__package__": "modelwire"}
    exec(compile(source, f"<{mutant.mistake}>", "exec"), namespace)
    return namespace


def ways_to_cut(stream: bytes) -> Iterator[list[bytes]]:
    """Whole, bytewise, in parts that are alike, in two parts; of long streams only a few parts."""
    yield [stream]
    yield bytewise(stream)
    for size in (50, 600):
        yield [stream[start : start + size] for start in range(0, len(stream), size)]
    for number, parts in enumerate(two_part_cuts(stream)):
        if len(stream) < 100 or number < 20:
            yield parts


def reads(decoder: Any, chunks: list[bytes], case: Case) -> bool:
    """Whether a decoder reads a case as it should. Raising is no way to."""
    try:
        events = tuple((e.event, e.data, e.id) for chunk in chunks for e in decoder.feed(chunk))
    except (ValueError, IndexError):
        return False
    return (events, decoder.retry, decoder.last_event_id) == (case.events, case.retry, case.last_event_id)


def broken_rules(module: Mapping[str, Any]) -> Iterator[str]:
    """The cases that a decoder reads wrongly, however they are cut."""
    for name, case in CASES:
        if not all(reads(module["EventStreamDecoder"](), chunks, case) for chunks in ways_to_cut(case.stream)):
            yield name


def badly_written(module: Mapping[str, Any]) -> Iterator[str]:
    """The cases that an encoder writes wrongly."""
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


def test_the_right_one_passes() -> None:
    assert list(broken_rules(vars(sse))) == []
    assert list(badly_written(vars(sse))) == []
