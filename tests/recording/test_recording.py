"""Reading recordings: foreign, damaged and incomplete files are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput, RecordingError
from modelwire.events import BodyReceived, Start
from modelwire.providers.cromicle import CromicleChat
from modelwire.providers.fakegpt import FakeGptChat
from modelwire.recording import Recorder, Replay, parse_recording
from modelwire.recording.format import FORMAT
from modelwire.testing.watched_flow import is_printable
from played_flow import ENTROPY, NOW, Broken, say, say_json
from recorded_sessions import SECRET_ENTROPY, recorded


@pytest.fixture
def lines() -> list[str]:
    return recorded(CromicleChat(messages="Hello"), Broken(kind="connect", detail="no"), say("Hi"))


def test_a_recording_is_read_from_text_or_lines(lines: list[str]) -> None:
    recording = parse_recording(lines)
    assert recording == parse_recording("\r\n".join([*lines, ""])) == parse_recording(iter(lines))
    assert recording.head.flow == "CromicleChat"
    assert [call.number for call in recording.calls] == list(range(1, len(lines) - 1))
    assert recording.calls[0].now == NOW
    assert recording.calls[0].event == Start(ENTROPY)
    assert isinstance(recording.calls[-2].event, BodyReceived)


def test_times_are_stored_exactly() -> None:
    recorder = Recorder(CromicleChat(messages="Hello"))
    times = [1_700_000_000.123456789, 1_700_000_000.3, 1_700_000_001.7000003]
    for now in times:
        recorder.handle(Start(ENTROPY, SECRET_ENTROPY), now)
    assert [call.now for call in parse_recording(recorder.lines()).calls] == times


@pytest.mark.parametrize("text", ["", "\n\n", " "])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(RecordingError, match="empty"):
        parse_recording(text)


@pytest.mark.parametrize(
    "text", ["hello", "{}", "[]", '{"type":"event"}', '{"log":{"version":"1.2"}}', "[" * 9999, "\ud800"]
)
def test_a_foreign_file_is_refused(text: str) -> None:
    with pytest.raises(RecordingError, match="not a recording of modelwire"):
        parse_recording([text])


def test_a_newer_file_is_refused(lines: list[str]) -> None:
    head = {"type": "recording", "format": FORMAT + 1, "modelwire": "9.1.0\x1b[2J", "stars": []}
    with pytest.raises(RecordingError, match=r"was made by modelwire 9\.1\.0 \[2J: play it with that release"):
        parse_recording([json.dumps(head), *lines[1:]])


@pytest.mark.parametrize("version", [0, -1])
def test_no_format_is_older_than_the_first(lines: list[str], version: int) -> None:
    head = lines[0].replace('"format":1', f'"format":{version}')
    with pytest.raises(RecordingError, match=f"line 1 of the recording is damaged: unknown format {version}"):
        parse_recording([head, *lines[1:]])


def test_a_file_that_was_cut_off_is_refused(lines: list[str]) -> None:
    text = "\n".join(lines)
    for length in range(1, len(text)):
        with pytest.raises(RecordingError) as caught:
            parse_recording(text[:length])
        message = str(caught.value)
        assert "damaged" in message or "cut off" in message or "not a recording" in message
        assert isinstance(caught.value, InvalidInput)


def test_a_file_that_ends_between_two_lines_is_cut_off(lines: list[str]) -> None:
    with pytest.raises(RecordingError, match="the recording is cut off after line 3"):
        parse_recording(lines[:3])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], "it counts 6 events, but 5 precede it"),
        (lambda lines: [*lines, lines[-1]], "it is the end, but more lines follow"),
        (lambda lines: [*lines[:2], lines[0], *lines[2:]], "line 3 of the recording is damaged: another recording"),
        (lambda lines: [*lines[:2], "{", *lines[2:]], "line 3 of the recording is damaged: "),
        (lambda lines: [*lines[:2], "\ud800", *lines[2:]], "line 3 of the recording is damaged: "),
        (lambda lines: [lines[0], lines[1].replace('"Start"', '"Begin"'), *lines[2:]], "line 2 .*Begin"),
        (lambda lines: [lines[0], lines[1].replace('"entropy":{', '"entropy":{"x":1,'), *lines[2:]], "line 2 .*x"),
        (lambda lines: [lines[0], lines[1].replace('"entropy"', '"entrop"'), *lines[2:]], "line 2 .*entropy"),
        (lambda lines: [lines[0], lines[1].replace('"type":"Start"', '"type":[]'), *lines[2:]], "line 2 "),
        (lambda lines: [lines[0], lines[1].replace('"at":0.0', '"at":1e300'), *lines[2:]], "line 2 .*time"),
        (lambda lines: [lines[0], lines[1].replace('"at":0.0', '"at":-1e12'), *lines[2:]], "line 2 .*time"),
        (lambda lines: [lines[0].replace('"limits"', '"limit"'), *lines[1:]], "line 1 .*limits"),
    ],
)
def test_a_damaged_file_is_refused(lines: list[str], change: Any, words: str) -> None:
    with pytest.raises(RecordingError, match=words):
        parse_recording(change(lines))


@pytest.mark.parametrize("field", [{"placeholders": ["SECRET0001X", ""]}, {"fingerprints": {"": "0" * 16}}])
def test_an_empty_placeholder_is_refused(lines: list[str], field: dict[str, object]) -> None:
    head = json.dumps(json.loads(lines[0]) | field)
    with pytest.raises(RecordingError, match="line 1 of the recording is damaged: Expected `str` of length >= 1"):
        Replay([head, *lines[1:]]).first_difference()


def test_the_message_is_one_short_printable_line(lines: list[str]) -> None:
    surprise = json.dumps("\u202e\x9b x" * 5000)
    with pytest.raises(RecordingError, match="line 2 of the recording is damaged: Invalid value") as caught:
        parse_recording([lines[0], f'{{"type":{surprise}}}', *lines[1:]])
    assert is_printable(str(caught.value))
    assert len(str(caught.value)) < 300


@given(st.data())
def test_any_damage_raises_a_recording_error_or_nothing(data: st.DataObject) -> None:
    text = "\n".join(recorded(FakeGptChat(messages="Hello"), say_json({"loads": []})))
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 20))
    damaged = text[:start] + data.draw(st.text(max_size=9)) + text[start + length :]
    try:
        replay = Replay(damaged)
    except RecordingError:
        return
    # Some damage gives another valid recording, which can be played.
    replay.first_difference()
