"""`--record` and `modelwire replay`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from command_line import Home, Inside
from modelwire.emulators import Behaviour
from modelwire.emulators.parts.answers import answer_to
from modelwire.flow import Flow
from modelwire.outputs import Restarted, TextReplaced
from modelwire.providers import hailuo
from modelwire.providers.cromicle import CromicleChat
from modelwire_io.cli.commands import replay as replay_command
from modelwire_io.emulation import EmulatorServer
from played_flow import say
from recorded_sessions import recorded, scenarios

QUICK = Behaviour(pause=0.0, queue=0.0, work=0.0)


@pytest.fixture(scope="module")
def emulators() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=QUICK) as server:
        yield server


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(Home(tmp_path / "home"), monkeypatch, capsys)


@pytest.fixture
def user(inside: Inside, emulators: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """Somebody whose environment leads to the emulators, and who has logged in."""
    for name, url in emulators.providers.items():
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", url)
    assert inside.run("login", "hailuo", "--token-stdin", typed=b"emulated-token").code == 0
    assert inside.run("login", "arta", "--token-stdin", typed=b"emulated-key").code == 0
    return inside


def test_a_chat_is_recorded_and_played(user: Inside) -> None:
    said = user.run("chat", "-m", "hailuo", "--record", "session.jsonl", "Hello there")
    assert said.code == 0
    path = user.home.folder / "session.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "emulated-token" not in path.read_text(encoding="utf-8")
    played = user.run("replay", "session.jsonl")
    assert (played.code, played.out) == (0, said.out)
    assert played.notes[0].startswith("CredentialsChanged(<token, ")
    assert played.notes[1] == "TitleChanged(title='Hello there')"
    assert played.notes[-1].startswith("the same in all of ")
    assert user.run("replay", "--rechunk", "5", "session.jsonl").out == said.out


def test_a_picture_is_recorded_and_its_job_played(user: Inside) -> None:
    assert user.run("image", "--record", "job.jsonl", "a dragon").code == 0
    assert sorted(os.listdir(user.home.folder))[1] == "job.jsonl"
    played = user.run("replay", "job.jsonl")
    assert (played.code, played.out) == (0, "")
    assert [note.split("(")[0] for note in played.notes[:-1]] == [
        "CredentialsChanged",
        "JobAccepted",
        "StatusChanged",
        "ImageReady",
    ]


def test_what_is_told_can_be_json(user: Inside) -> None:
    said = user.run("chat", "--json", "-m", "fakegpt", "--record", "session.jsonl", "Hello there")
    played = user.run("replay", "--json", "session.jsonl")
    assert played.out == said.out
    assert msgspec.json.decode(played.out.splitlines()[-1]) == {"type": "Finished", "failure": None}


def test_a_failure_is_recorded_and_played(user: Inside) -> None:
    refusing = ("chat", "--base-url", "http://127.0.0.1:9", "--timeout", "0.001", "--record", "session.jsonl", "Hello")
    failed = user.run(*refusing)
    assert failed.code == 1
    played = user.run("replay", "session.jsonl")
    assert (played.code, played.out) == (0, "")
    assert f"modelwire: {played.notes[0].removeprefix('the flow ended: ')}" in failed.notes


def test_a_changed_protocol_is_shown(user: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user.run("chat", "-m", "hailuo", "--record", "session.jsonl", "Hello there").code == 0
    monkeypatch.setattr(hailuo, "sign", lambda *texts: "another signature")
    played = user.run("replay", "session.jsonl")
    assert played.code == 1
    assert played.out == answer_of(played.out)
    number = played.notes.index("--- recorded")
    assert played.notes[number - 1] == "event 1, 0.000 s after the first: Start(entropy=<32 bytes>)"
    assert played.notes[number + 1] == "+++ now"
    assert '-        "SECRET0002X"' in played.notes
    assert '+        "SECRET0002X (made in another way)"' in played.notes
    assert played.notes[-1] == "modelwire: at event 1, the protocol does something else than was recorded"


def answer_of(text: str) -> str:
    """What the emulator says of its own: it was not asked again."""
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
def test_what_is_no_recording_is_refused_in_one_line(inside: Inside, content: bytes, words: str) -> None:
    (inside.home.folder / "session.jsonl").write_bytes(content)
    result = inside.run("replay", "session.jsonl")
    assert (result.code, result.out, len(result.notes)) == (2, "", 1)
    assert words in result.err


def test_a_file_that_is_not_there(inside: Inside) -> None:
    result = inside.run("replay", "nothing.jsonl")
    assert (result.code, result.err) == (2, "modelwire: cannot read nothing.jsonl: No such file or directory\n")


def test_a_recording_that_cannot_be_written(user: Inside) -> None:
    result = user.run("chat", "--record", "no/such/folder", "Hello")
    assert (result.code, result.out) == (1, "")
    assert result.err == "modelwire: cannot write no/such/folder: No such file or directory\n"


def test_it_can_take_as_long_as_it_took(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, replies, _ = scenarios()["arta"]
    (inside.home.folder / "job.jsonl").write_text("\n".join(recorded(flow, *replies)), encoding="utf-8")
    paces: list[float] = []

    def at_pace(played: Iterator[tuple[float, Any]], clock: object) -> Iterator[Any]:
        for at, item in played:
            paces.append(at)
            yield item

    monkeypatch.setattr(replay_command, "at_pace", at_pace)
    assert inside.run("replay", "--pace", "job.jsonl").code == 0
    assert paces == [0.0] * len(paces)
    assert len(paces) > 3


def test_a_flow_of_a_package_is_found(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(CromicleChat):
        """A flow that an installed package brings."""

    class Plugin:
        flow: type[Flow] = Elsewhere

    (inside.home.folder / "session.jsonl").write_text("\n".join(recorded(Elsewhere(messages="Hello"), say("Hi"))))
    assert "the flow 'Elsewhere', which is not at hand" in inside.run("replay", "session.jsonl").err
    monkeypatch.setattr(replay_command, "plugin_names", lambda: ["elsewhere"])
    monkeypatch.setattr(replay_command, "load_provider", lambda name: Plugin)
    assert inside.run("replay", "session.jsonl").out == "Hi\n"


def test_a_revised_answer_is_shown_whole(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
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
