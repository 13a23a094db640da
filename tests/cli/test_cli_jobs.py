"""An image job that is interrupted can be resumed, and is paid once."""

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
def elsewhere(tmp_path: Path) -> Home:
    """A user on another machine."""
    return Home(tmp_path / "elsewhere")


@pytest.fixture
def slow() -> Iterator[EmulatorServer]:
    """Emulators that draw for 1.5 seconds."""
    with EmulatorServer(behaviour=Behaviour(queue=0.0, work=1.5)) as server:
        yield server


def variables(server: EmulatorServer) -> dict[str, str]:
    return {"ARTA_BASE_URL": server.providers["arta"], "ARTA_API_KEY": "K"}


def submissions(server: EmulatorServer) -> int:
    return sum(request.target == SUBMIT for request in server.requests)


def jobs(home: Home) -> JobFolder:
    return JobFolder(home.path / "state" / "modelwire" / "jobs")


def interrupt(home: Home, server: EmulatorServer, number: signal.Signals) -> SavedJob:
    """Begin a job, stop the command while the provider draws, and return the saved job."""
    words = ("image", "-n", "2", "-o", "poll_interval", "0.2", "a cat")
    with home.started(*words, extra=variables(server)) as command:
        command.wait_for_note("Generating\n")
        command.stop(number)
        assert command.finish().out == ""
    (saved,) = jobs(home).list()[0]
    return saved


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_job_is_resumed_and_paid_once(home: Home, slow: EmulatorServer, number: signal.Signals) -> None:
    saved = interrupt(home, slow, number)
    issued = msgspec.json.decode((home.data / "arta.json").read_bytes())["origins"][slow.providers["arta"]]
    assert issued["id_token"] not in saved.snapshot
    assert issued["refresh_token"] not in saved.snapshot
    listed = home.run("jobs")
    assert listed.out.split()[0] == saved.id
    assert listed.out.rstrip().endswith("a cat")
    resumed = home.run("resume", saved.id[:8], "-O", "out", extra=variables(slow))
    assert resumed.code == 0, resumed.err
    pictures = [home.folder / name for name in resumed.out.split()]
    assert [path.read_bytes()[:4] for path in pictures] == [b"\x89PNG"] * 2
    assert submissions(slow) == 1
    assert jobs(home).list() == ([], [])
    assert home.run("jobs").notes == ["no jobs"]


def test_an_interrupted_command_says_how_to_resume(home: Home, slow: EmulatorServer) -> None:
    with home.started("image", "a cat", extra=variables(slow)) as command:
        command.wait_for_note("Generating\n")
        command.stop()
        result = command.finish()
    (saved,) = jobs(home).list()[0]
    assert result.code == 130
    assert f"to get its pictures: modelwire resume {saved.id}" in result.err


def test_a_job_is_resumed_on_another_machine(home: Home, elsewhere: Home, slow: EmulatorServer) -> None:
    saved = interrupt(home, slow, signal.SIGKILL)
    carried = elsewhere.folder / "job.json"
    carried.write_bytes(jobs(home).path(saved.id).read_bytes())
    carried.chmod(0o600)
    # That machine knows neither the address nor the account: the file and the user's own key are enough.
    resumed = elsewhere.run("resume", "job.json", extra={"ARTA_API_KEY": "K"})
    assert resumed.code == 0, resumed.err
    assert len(resumed.out.split()) == 2
    assert submissions(slow) == 1


def test_the_advice_names_the_file_that_was_resumed(home: Home) -> None:
    url = "http://127.0.0.1:1/arta"
    arta = ArtaImage(prompt="a cat", endpoints=with_base_url(ArtaEndpoints(), url))
    saved = SavedJob(
        id="arta-1", provider="arta", base_url=url, prompt="a cat", accepted_at=1.0, snapshot=arta.snapshot()
    )
    carried = home.folder / "job.json"
    carried.write_bytes(msgspec.json.encode(saved))
    carried.chmod(0o600)
    # The user has no key.
    resumed = home.run("resume", "job.json")
    assert resumed.code == 1
    assert resumed.notes[0] == "the provider continues the job; to get its pictures: modelwire resume job.json"


def test_a_job_that_times_out_is_saved(home: Home, slow: EmulatorServer) -> None:
    late = home.run("image", "--timeout", "1.2", "-o", "poll_interval", "0.2", "a cat", extra=variables(slow))
    assert late.code == 1
    (saved,) = jobs(home).list()[0]
    assert any(saved.id in line for line in late.notes)
    assert home.run("resume", saved.id, extra=variables(slow)).code == 0
    assert submissions(slow) == 1


def test_a_finished_job_is_forgotten(inside: Inside, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmulatorServer(behaviour=Behaviour(queue=0.0, work=0.0)) as server:
        url = server.providers["arta"]
        monkeypatch.setenv("ARTA_API_KEY", "K")
        assert inside.run("image", "--base-url", url, "-O", str(home.folder), "a cat").code == 0
    assert jobs(home).list() == ([], [])


def test_jobs_as_json_hold_no_snapshot_and_are_forgotten_by_id(inside: Inside, home: Home) -> None:
    saved = SavedJob(
        id="arta-77", provider="arta", base_url=None, prompt="a\x1b[31m cat", accepted_at=1.0, snapshot="{}"
    )
    path = jobs(home).save(saved)
    fields = msgspec.json.decode(inside.run("jobs", "--json").out)
    assert fields["id"] == "arta-77"
    assert fields["path"] == str(path)
    assert "snapshot" not in fields
    assert "\x1b" not in inside.run("jobs").out
    assert inside.run("jobs", "--forget", "arta-7").err == "forgot arta-77\n"
    assert not path.exists()


def test_a_damaged_job_is_reported_and_can_be_forgotten(inside: Inside, home: Home) -> None:
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


def test_a_job_that_cannot_be_resumed_is_named(inside: Inside, home: Home) -> None:
    unknown = "modelwire: unknown job 'arta-1': there are: none\nTo list the jobs: modelwire jobs\n"
    assert inside.run("resume", "arta-1").err == unknown
    assert inside.run("jobs", "--forget", "arta-1").err == unknown
    missing = inside.run("resume", "no-such.json")
    assert (missing.code, missing.notes[1:]) == (1, ["To list the jobs: modelwire jobs"])
    assert missing.err.startswith("modelwire: there is no job in no-such.json")
    saved = SavedJob(
        id="arta-1", provider="arta", base_url=None, prompt="a cat", accepted_at=1.0, snapshot='{"flow": 1}'
    )
    jobs(home).save(saved)
    result = inside.run("resume", "arta-1")
    assert result.code == 1
    assert result.err.startswith("modelwire: this is not a snapshot, or it is damaged: ")
    assert result.err.count("\n") == 1
    assert jobs(home).list() == ([saved], [])
