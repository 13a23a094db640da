"""Recordings as files: complete, private, written however the session ends, and playable in real time."""

from __future__ import annotations

import os
import stat
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from modelwire.catalog import PROVIDERS
from modelwire.commands import SendRequest
from modelwire.emulators import EMULATORS, Behaviour
from modelwire.errors import ConnectError, FlowFailed, RecordingError
from modelwire.events import Event, Start
from modelwire.outputs import ImageReady, JobAccepted, TextDelta
from modelwire.providers.cromicle import CromicleChat, CromicleEndpoints
from modelwire.recording import Recording, Replay
from modelwire.testing import assert_replays
from modelwire_io import AsyncClient, Client
from modelwire_io.client.settings import EMULATED_CREDENTIALS
from modelwire_io.clock import VirtualClock
from modelwire_io.drive import COMMANDS
from modelwire_io.emulation import EmulatorServer
from modelwire_io.emulation import server as emulator_server
from modelwire_io.store import MemoryStore, PrivateFileError
from modelwire_io.store.recordings import adrive_recorded, at_pace, drive_recorded, read_recording
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from played_flow import ENTROPY, shown
from recorded_sessions import assert_no_secret

pytestmark = pytest.mark.anyio

FAST = Behaviour(pause=0.0, queue=0.0, work=0.0)
CHATS = ["cromicle", "fakegpt", "hailuo", "magickpen"]
START = Start(ENTROPY, b"secret entropy")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def memory_client() -> Client:
    return Client(transport=MemoryTransport(), store=MemoryStore(), environment={})


def private_lines(path: Path) -> list[str]:
    """The lines of a file that is complete, and that only its owner can read."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return text[:-1].split("\n")


# Through a client.


@pytest.mark.parametrize("name", CHATS)
def test_a_client_records_a_chat(name: str, path: Path) -> None:
    with memory_client() as client:
        chat = client.chat(name, "Hello — ü", record=path, credentials=EMULATED_CREDENTIALS.get(name))
        answer = chat.read()
    lines = private_lines(path)
    assert_no_secret(lines, chat._ready.flow.secrets)
    assert shown(output for _, output in Replay(read_recording(path)).outputs()) == answer
    assert_replays(path)
    assert_replays(path, rechunk=7)


def test_a_client_records_a_job_but_not_its_images(path: Path) -> None:
    with memory_client() as client:
        job = client.image("arta", "a dragon", record=str(path), credentials=EMULATED_CREDENTIALS["arta"])
        (image,) = job.images()
    assert_no_secret(private_lines(path), job._ready.flow.secrets)
    outputs = [output for _, output in Replay(read_recording(path)).outputs()]
    assert [output.url for output in outputs if isinstance(output, ImageReady)] == [image.url]
    assert b"PNG" not in path.read_bytes()
    assert_replays(path)


def test_a_client_records_a_resumed_job(path: Path) -> None:
    with memory_client() as client:
        with client.image("arta", "a dragon", credentials=EMULATED_CREDENTIALS["arta"]) as job:
            for output in job:
                if isinstance(output, JobAccepted):
                    break
            snapshot, credentials = job.snapshot(), job.credentials
        again = client.resume("arta", snapshot, credentials=credentials, record=path)
        assert len(list(again.images())) == 1
    assert_no_secret(private_lines(path), again._ready.flow.secrets)
    assert_replays(path)


async def test_an_async_client_records(path: Path) -> None:
    async with AsyncClient(transport=AsyncMemoryTransport(), store=MemoryStore(), environment={}) as client:
        answer = await client.chat("fakegpt", "Hello", record=path).read()
        assert shown(output for _, output in Replay(read_recording(path)).outputs()) == answer
        assert_replays(path)
        job = client.image("arta", "a dragon", record=path, credentials=EMULATED_CREDENTIALS["arta"])
        snapshot = ""
        async for output in job:
            snapshot = snapshot or (job.snapshot() if isinstance(output, JobAccepted) else "")
        assert_replays(path)
        again = client.resume("arta", snapshot, credentials=job.credentials, record=path)
        assert len([image async for image in again.images()]) == 1
        assert_replays(path)


def test_a_session_over_real_sockets_plays_without_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_server, "EmulatorServer", lambda: EmulatorServer(behaviour=FAST))
    with Client(emulate=True) as client:
        chat = client.chat("fakegpt", "Hello", record=path)
        answer = chat.read()
    lines = private_lines(path)
    assert_no_secret(lines, chat._ready.flow.secrets)
    assert shown(output for _, output in Replay(read_recording(path)).outputs()) == answer
    for seed in range(5):
        assert_replays(path, rechunk=seed)


def test_without_a_path_nothing_is_recorded(path: Path) -> None:
    with memory_client() as client:
        client.chat("cromicle", "Hello").read()
    assert os.listdir(path.parent) == []


# Every way in which a session ends.


def test_a_failed_session_is_written(path: Path) -> None:
    flow = CromicleChat(messages="Hello", endpoints=CromicleEndpoints(site="http://nowhere.invalid"))
    with pytest.raises(ConnectError):
        list(drive_recorded(flow, MemoryTransport(), path))
    assert '"kind":"connect"' in private_lines(path)[-2]
    assert_replays(path)


def test_an_abandoned_session_is_written(path: Path) -> None:
    with closing(drive_recorded(CromicleChat(messages="Hello"), MemoryTransport(), path, start=START)) as outputs:
        text = shown([next(outputs), next(outputs)])
        assert len(private_lines(path)) == 2
    assert shown(output for _, output in Replay(read_recording(path)).outputs()) == text
    assert_replays(path)


async def test_an_abandoned_async_session_is_written(path: Path) -> None:
    outputs = adrive_recorded(CromicleChat(messages="Hello"), AsyncMemoryTransport(), path, start=START)
    async with aclosing(outputs):
        assert isinstance(await anext(outputs), TextDelta)
    assert len(private_lines(path)) == 5
    assert_replays(path)


def test_the_file_holds_the_session_so_far_if_the_process_is_killed(path: Path) -> None:
    with memory_client() as client:
        job = client.image("arta", "a dragon", record=path, credentials=EMULATED_CREDENTIALS["arta"])
        while not isinstance(next(job), JobAccepted):
            pass
        left = path.read_bytes()
        job.close()
    assert b"JobAccepted" in left
    assert_no_secret(left.decode().splitlines(), job._ready.flow.secrets)
    (path.parent / "left.jsonl").write_bytes(left)
    assert_replays(path.parent / "left.jsonl")


async def test_the_file_of_an_async_session_holds_it_so_far_if_the_process_is_killed(path: Path) -> None:
    async with AsyncClient(transport=AsyncMemoryTransport(), store=MemoryStore(), environment={}) as client:
        job = client.image("arta", "a dragon", record=path, credentials=EMULATED_CREDENTIALS["arta"])
        while not isinstance(await anext(job), JobAccepted):
            pass
        assert b"JobAccepted" in path.read_bytes()
        await job.close()


class Stuck:
    """A transport whose requests never end."""

    clock = VirtualClock()

    def open(self, command: SendRequest) -> Stuck:
        return self

    async def receive(self, until: float) -> Event:
        await anyio.sleep_forever()
        raise AssertionError

    async def sleep(self, until: float) -> None:
        await anyio.sleep_forever()

    async def close(self) -> None:
        pass


async def test_a_cancelled_session_is_written(path: Path) -> None:
    flow = CromicleChat(messages="Hello")

    async def converse() -> None:
        async with aclosing(adrive_recorded(flow, Stuck(), path, start=START)) as outputs:
            async for _ in outputs:
                pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(converse)
        with anyio.fail_after(20):
            while '"phase":"start"' not in flow.snapshot() or flow.deadline == 0:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert len(private_lines(path)) == 3
    assert_replays(path)


def test_a_crash_is_written(path: Path) -> None:
    class Crashing(CromicleChat):
        def open(self) -> Any:
            raise ZeroDivisionError

        chat_request = open

    with pytest.raises(ZeroDivisionError):
        list(drive_recorded(Crashing(messages="Hello"), MemoryTransport(), path))
    assert '"raised":"ZeroDivisionError: "' in private_lines(path)[1]


# Writing.


def test_an_earlier_recording_is_replaced(path: Path) -> None:
    path.write_text("earlier")
    list(drive_recorded(CromicleChat(messages="Hello"), MemoryTransport(), path))
    assert_replays(path)


def test_the_folder_stays_as_it_is(path: Path) -> None:
    path.parent.chmod(0o755)
    list(drive_recorded(CromicleChat(messages="Hello"), MemoryTransport(), path))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


class Untouched(MemoryTransport):
    def open(self, command: SendRequest) -> Any:
        raise AssertionError("a request was sent")


@pytest.mark.parametrize("kind", ["folder", "missing", "link", "pipe"])
def test_a_path_that_cannot_be_written_is_reported_before_anything_is_sent(kind: str, path: Path) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "missing":
        path = path / "below" / "session.jsonl"
    elif kind == "link":
        path.symlink_to(path.parent / "elsewhere")
    else:
        os.mkfifo(path)
    with pytest.raises(PrivateFileError, match=f"cannot write {path}: "):
        list(drive_recorded(CromicleChat(messages="Hello"), Untouched(), path))
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")] if path.parent.exists() else True


# Reading.


def test_a_missing_file_cannot_be_read(path: Path) -> None:
    with pytest.raises(RecordingError, match=f"cannot read {path}: No such file"):
        read_recording(path)
    with pytest.raises(RecordingError, match="cannot read"):
        read_recording(str(path.parent))


def test_a_binary_file_is_not_a_recording(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(RecordingError, match="not a recording of modelwire: it is not UTF-8"):
        read_recording(path)


def test_a_recording_with_every_kind_of_line_end_in_it_is_read(path: Path) -> None:
    text = "one\u2028two\x85three\x0bfour\r\nfive"
    flow = CromicleChat(messages=text)
    list(drive_recorded(flow, MemoryTransport(), path))
    recording = read_recording(path)
    assert isinstance(recording, Recording)
    assert recording.head.snapshot["fields"]["messages"][0]["content"] == text
    assert_replays(path)


# Real time.


def test_a_recording_plays_in_real_time(path: Path) -> None:
    transport = MemoryTransport({"cromicle": EMULATORS["cromicle"](Behaviour(pause=0.5))})
    recorded: list[tuple[float, Any]] = []
    began = transport.clock.now()
    for output in drive_recorded(CromicleChat(messages="Hello"), transport, path):
        recorded.append((transport.clock.now() - began, output))
    clock = VirtualClock(5000.0)
    again: list[tuple[float, Any]] = []

    def sleep(seconds: float) -> None:
        clock.advance_to(clock.now() + seconds)

    for item in at_pace(Replay(read_recording(path)).outputs(), clock, sleep):
        if not isinstance(item, COMMANDS):
            again.append((clock.now() - 5000.0, item))
    assert [output for _, output in again] == [output for _, output in recorded]
    assert [at for at, _ in again] == pytest.approx([at for at, _ in recorded])


def test_a_late_consumer_does_not_wait() -> None:
    clock = VirtualClock(0.0)
    slept: list[float] = []
    for item in at_pace([(1.0, "one"), (2.0, "two"), (10.0, "three")], clock, slept.append):
        assert isinstance(item, str)
        clock.advance_to(clock.now() + 5.0)
    assert slept == [1.0]


def test_every_provider_is_in_these_tests() -> None:
    assert {*CHATS, "arta"} == set(PROVIDERS)
    assert issubclass(ConnectError, FlowFailed)
