"""`--record` and `modelwire replay`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pytest

from command_line import Inside
from modelwire.emulators import Behaviour
from modelwire.emulators.parts.model_answers import answer_to
from modelwire.flow import Flow
from modelwire.outputs import Restarted, TextReplaced
from modelwire.providers import hailuo
from modelwire.providers.cromicle import CromicleChat
from modelwire_io.cli.commands import replay as replay_command
from played_flow import say
from recorded_sessions import recorded, scenarios

QUICK = Behaviour(pause=0.0, queue=0.0, work=0.0)


def test_a_chat_is_recorded_and_replayed(user: Inside) -> None:
    asked = user.run("chat", "-m", "hailuo", "--record", "session.jsonl", "Hello there")
    assert asked.code == 0
    path = user.home.folder / "session.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "emulated-token" not in path.read_text(encoding="utf-8")
    replayed = user.run("replay", "session.jsonl")
    assert (replayed.code, replayed.out) == (0, asked.out)
    assert replayed.notes[0].startswith("CredentialsChanged(<token, ")
    assert replayed.notes[1] == "TitleChanged(title='Hello there')"
    assert replayed.notes[-1].startswith("all ")
    assert replayed.notes[-1].endswith(" events are the same")
    assert user.run("replay", "--rechunk", "5", "session.jsonl").out == asked.out


def test_an_image_job_is_recorded_and_replayed(user: Inside) -> None:
    assert user.run("image", "--record", "job.jsonl", "a dragon").code == 0
    assert sorted(os.listdir(user.home.folder))[1] == "job.jsonl"
    replayed = user.run("replay", "job.jsonl")
    assert (replayed.code, replayed.out) == (0, "")
    assert [note.split("(")[0] for note in replayed.notes[:-1]] == [
        "CredentialsChanged",
        "JobAccepted",
        "StatusChanged",
        "ImageReady",
    ]


def test_the_outputs_can_be_json(user: Inside) -> None:
    asked = user.run("chat", "--json", "-m", "fakegpt", "--record", "session.jsonl", "Hello there")
    replayed = user.run("replay", "--json", "session.jsonl")
    assert replayed.out == asked.out
    assert msgspec.json.decode(replayed.out.splitlines()[-1]) == {"type": "Finished", "failure": None}


def test_a_failure_is_recorded_and_replayed(user: Inside) -> None:
    refusing = ("chat", "--base-url", "http://127.0.0.1:9", "--timeout", "0.001", "--record", "session.jsonl", "Hello")
    failed = user.run(*refusing)
    assert failed.code == 1
    replayed = user.run("replay", "session.jsonl")
    assert (replayed.code, replayed.out) == (0, "")
    assert f"modelwire: {replayed.notes[0].removeprefix('the flow ended: ')}" in failed.notes


def test_a_changed_protocol_is_shown(user: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user.run("chat", "-m", "hailuo", "--record", "session.jsonl", "Hello there").code == 0
    monkeypatch.setattr(hailuo, "sign", lambda *texts: "another signature")
    replayed = user.run("replay", "session.jsonl")
    assert replayed.code == 1
    assert replayed.out == answer_of(replayed.out)
    number = replayed.notes.index("--- recorded")
    assert replayed.notes[number - 1] == "event 1, 0.000 s after the first: Start(entropy=<32 bytes>)"
    assert replayed.notes[number + 1] == "+++ now"
    assert '-        "SECRET0002X"' in replayed.notes
    assert '+        "SECRET0002X (generated differently)"' in replayed.notes
    assert replayed.notes[-1] == "modelwire: the protocol differs from the recording at event 1"


def answer_of(text: str) -> str:
    """`text`, which contains the answer of the recorded session."""
    assert answer_to("Hello there") in text
    return text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the recording is empty"),
        (b"hello", "this is not a recording of modelwire"),
        (b"\xff\xfe", "is not a recording of modelwire: it is not UTF-8"),
        (b'{"type":"recording","format":2,"modelwire":"2.0.0"}', "this recording was made by modelwire 2.0.0"),
        (recorded(CromicleChat(messages="Hello"))[0].encode(), "the recording is cut off after line 1"),
        (recorded(CromicleChat(messages="Hello"))[0].encode()[:-9], "line 1 of the recording is damaged"),
    ],
)
def test_an_invalid_recording_is_refused_in_one_line(inside: Inside, content: bytes, words: str) -> None:
    (inside.home.folder / "session.jsonl").write_bytes(content)
    result = inside.run("replay", "session.jsonl")
    assert (result.code, result.out, len(result.notes)) == (2, "", 1)
    assert words in result.err


def test_a_missing_recording(inside: Inside) -> None:
    result = inside.run("replay", "nothing.jsonl")
    assert (result.code, result.err) == (2, "modelwire: cannot read nothing.jsonl: No such file or directory\n")


def test_a_recording_that_cannot_be_written(user: Inside) -> None:
    result = user.run("chat", "--record", "no/such/folder", "Hello")
    assert (result.code, result.out) == (1, "")
    assert result.err == "modelwire: cannot write no/such/folder: No such file or directory\n"


def test_a_recording_can_be_replayed_in_real_time(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, responses, _ = scenarios()["arta"]
    (inside.home.folder / "job.jsonl").write_text("\n".join(recorded(flow, *responses)), encoding="utf-8")
    paces: list[float] = []

    def at_pace(replayed: Iterator[tuple[float, Any]], clock: object) -> Iterator[Any]:
        for at, item in replayed:
            paces.append(at)
            yield item

    monkeypatch.setattr(replay_command, "at_pace", at_pace)
    assert inside.run("replay", "--pace", "job.jsonl").code == 0
    assert paces == [0.0] * len(paces)
    assert len(paces) > 3


def test_the_flow_of_a_plugin_is_found(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(CromicleChat):
        """A flow of an installed package."""

    class Plugin:
        flows: ClassVar[dict[str, type[Flow]]] = {"chat": Elsewhere}

    (inside.home.folder / "session.jsonl").write_text("\n".join(recorded(Elsewhere(messages="Hello"), say("Hi"))))
    assert "the flow 'Elsewhere', which is not installed here" in inside.run("replay", "session.jsonl").err
    monkeypatch.setattr(replay_command, "plugin_names", lambda: ["elsewhere"])
    monkeypatch.setattr(replay_command, "load_provider", lambda name: Plugin)
    assert inside.run("replay", "session.jsonl").out == "Hi\n"


def test_a_revised_answer_is_printed_whole(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    class Revising(CromicleChat):
        def chat_request(self) -> Any:
            self.emit(TextReplaced("Hello again\n"))
            self.emit(Restarted())
            return super().chat_request()

    (inside.home.folder / "session.jsonl").write_text("\n".join(recorded(Revising(messages="Hello"))))
    monkeypatch.setattr(replay_command, "find_flow", lambda name, more: Revising)
    result = inside.run("replay", "session.jsonl")
    assert (result.code, result.out) == (0, "Hello again\n")
    assert result.notes[:2] == ["the answer was revised:", "Restarted()"]
