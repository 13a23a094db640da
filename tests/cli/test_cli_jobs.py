"""A job that is interrupted is gone on with, and paid once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from command_line import Home, Inside
from modelwire.emulators import Behaviour
from modelwire.provider import with_base_url
from modelwire.providers.arta import ArtaEndpoints, ArtaImage
from modelwire_io.emulation import EmulatorServer
from modelwire_io.store.jobs import JobFolder, SavedJob

SUBMIT = "/api/v1/text2image"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Home:
    return Home(tmp_path / "elsewhere")


@pytest.fixture
def inside(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(home, monkeypatch, capsys)


@pytest.fixture
def slow() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=Behaviour(queue=0.0, work=1.5)) as server:
        yield server


def variables(server: EmulatorServer) -> dict[str, str]:
    return {"ARTA_BASE_URL": server.providers["arta"], "ARTA_API_KEY": "K"}


def submissions(server: EmulatorServer) -> int:
    return sum(request.target == SUBMIT for request in server.requests)


def jobs(home: Home) -> JobFolder:
    return JobFolder(home.path / "state" / "modelwire" / "jobs")


def interrupt(home: Home, server: EmulatorServer, number: signal.Signals) -> SavedJob:
    """Begin a job, stop the command while the provider draws, and return what is kept of it."""
    words = ("image", "-n", "2", "-o", "poll_interval", "0.2", "a cat")
    with home.started(*words, extra=variables(server)) as command:
        command.wait_for_note("Generating\n")
        command.stop(number)
        assert command.finish().out == ""
    (kept,) = jobs(home).list()[0]
    return kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_job_is_gone_on_with_and_paid_once(
    home: Home, slow: EmulatorServer, number: signal.Signals
) -> None:
    kept = interrupt(home, slow, number)
    issued = msgspec.json.decode((home.data / "arta.json").read_bytes())["origins"][slow.providers["arta"]]
    assert issued["id_token"] not in kept.snapshot
    assert issued["refresh_token"] not in kept.snapshot
    listed = home.run("jobs")
    assert listed.out.split()[0] == kept.id
    assert listed.out.rstrip().endswith("a cat")
    resumed = home.run("resume", kept.id[:8], "-O", "out", extra=variables(slow))
    assert resumed.code == 0, resumed.err
    pictures = [home.folder / name for name in resumed.out.split()]
    assert [path.read_bytes()[:4] for path in pictures] == [b"\x89PNG"] * 2
    assert submissions(slow) == 1
    assert jobs(home).list() == ([], [])
    assert home.run("jobs").notes == ["no jobs"]


def test_an_interrupted_command_says_how_to_go_on(home: Home, slow: EmulatorServer) -> None:
    with home.started("image", "a cat", extra=variables(slow)) as command:
        command.wait_for_note("Generating\n")
        command.stop()
        result = command.finish()
    (kept,) = jobs(home).list()[0]
    assert result.code == 130
    assert f"to get its pictures: modelwire resume {kept.id}" in result.err


def test_a_job_is_gone_on_with_on_another_machine(home: Home, elsewhere: Home, slow: EmulatorServer) -> None:
    kept = interrupt(home, slow, signal.SIGKILL)
    carried = elsewhere.folder / "job.json"
    carried.write_bytes(jobs(home).path(kept.id).read_bytes())
    carried.chmod(0o600)
    # Neither the address nor the account is there; the file and the user's own key are enough.
    resumed = elsewhere.run("resume", "job.json", extra={"ARTA_API_KEY": "K"})
    assert resumed.code == 0, resumed.err
    assert len(resumed.out.split()) == 2
    assert submissions(slow) == 1


def test_what_is_advised_after_a_file_from_elsewhere_is_that_file(home: Home) -> None:
    url = "http://127.0.0.1:1/arta"
    arta = ArtaImage(prompt="a cat", endpoints=with_base_url(ArtaEndpoints, url))
    kept = SavedJob(
        id="arta-1", provider="arta", base_url=url, prompt="a cat", accepted_at=1.0, snapshot=arta.snapshot()
    )
    carried = home.folder / "job.json"
    carried.write_bytes(msgspec.json.encode(kept))
    carried.chmod(0o600)
    # There is no key.
    resumed = home.run("resume", "job.json")
    assert resumed.code == 1
    assert resumed.notes[0] == "the job goes on without us; to get its pictures: modelwire resume job.json"


def test_a_job_that_runs_out_of_time_is_kept(home: Home, slow: EmulatorServer) -> None:
    late = home.run("image", "--timeout", "0.6", "-o", "poll_interval", "0.2", "a cat", extra=variables(slow))
    assert late.code == 1
    (kept,) = jobs(home).list()[0]
    assert any(kept.id in line for line in late.notes)
    assert home.run("resume", kept.id, extra=variables(slow)).code == 0
    assert submissions(slow) == 1


def test_a_finished_job_is_not_kept(inside: Inside, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmulatorServer(behaviour=Behaviour(queue=0.0, work=0.0)) as server:
        url = server.providers["arta"]
        monkeypatch.setenv("ARTA_API_KEY", "K")
        assert inside.run("image", "--base-url", url, "-O", str(home.folder), "a cat").code == 0
    assert jobs(home).list() == ([], [])


def test_jobs_as_json_hold_no_snapshot_and_are_forgotten_by_id(inside: Inside, home: Home) -> None:
    kept = SavedJob(
        id="arta-77", provider="arta", base_url=None, prompt="a\x1b[31m cat", accepted_at=1.0, snapshot="{}"
    )
    path = jobs(home).save(kept)
    fields = msgspec.json.decode(inside.run("jobs", "--json").out)
    assert fields["id"] == "arta-77"
    assert fields["path"] == str(path)
    assert "snapshot" not in fields
    assert "\x1b" not in inside.run("jobs").out
    assert inside.run("jobs", "--forget", "arta-7").err == "forgot arta-77\n"
    assert not path.exists()


def test_a_damaged_job_is_told_of_beside_the_others_and_forgotten(inside: Inside, home: Home) -> None:
    folder = jobs(home)
    folder.save(SavedJob(id="arta-1", provider="arta", base_url=None, prompt="a cat", accepted_at=1.0, snapshot="{}"))
    damaged = folder.path("arta-2")
    damaged.write_bytes(b"{")
    damaged.chmod(0o600)
    listed = inside.run("jobs")
    assert listed.code == 0
    assert listed.out.split()[0] == "arta-1"
    assert f"modelwire: the job in {damaged} is damaged: " in listed.err
    assert inside.run("jobs", "--forget", "arta-2").err == "forgot arta-2\n"
    assert not damaged.exists()


def test_what_cannot_be_resumed_is_said_in_one_line(inside: Inside, home: Home) -> None:
    assert inside.run("resume", "arta-1").err == "modelwire: unknown job 'arta-1': there are: none\n"
    kept = SavedJob(
        id="arta-1", provider="arta", base_url=None, prompt="a cat", accepted_at=1.0, snapshot='{"flow": 1}'
    )
    jobs(home).save(kept)
    result = inside.run("resume", "arta-1")
    assert result.code == 1
    assert result.err.startswith("modelwire: this is not a snapshot, or it is damaged: ")
    assert result.err.count("\n") == 1
    assert jobs(home).list() == ([kept], [])
