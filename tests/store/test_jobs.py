"""Jobs in private files."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from modelwire.errors import InvalidInput
from modelwire_io.store import PrivateFileError
from modelwire_io.store.jobs import JobFolder, SavedJob, read_job, saved_job_id


def job(job_id: str = "arta-1a2b", accepted_at: float = 1.0) -> SavedJob:
    return SavedJob(
        id=job_id, provider="arta", base_url=None, prompt="a cat", accepted_at=accepted_at, snapshot='{"phase": "poll"}'
    )


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "jobs")


def test_a_job_is_saved_in_a_private_file(folder: JobFolder) -> None:
    path = folder.save(job())
    assert read_job(path) == job()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.directory.stat().st_mode) == 0o700


def test_jobs_are_listed_the_oldest_first(folder: JobFolder) -> None:
    assert folder.list() == ([], [])
    younger, older = job("arta-a", 2.0), job("arta-b", 1.0)
    folder.save(younger)
    folder.save(older)
    assert folder.list() == ([older, younger], [])


def test_a_job_can_be_forgotten_twice(folder: JobFolder) -> None:
    path = folder.save(job())
    folder.forget(job().id)
    folder.forget(job().id)
    assert not path.exists()


def test_a_job_is_found_by_its_id_by_the_beginning_of_its_id_and_by_its_file(folder: JobFolder) -> None:
    path = folder.save(job())
    assert folder.find("arta-1a2b") == folder.find("arta-1") == folder.find(str(path)) == job()


def test_the_beginning_of_two_ids_finds_no_job(folder: JobFolder) -> None:
    folder.save(job("arta-1a"))
    folder.save(job("arta-1b"))
    with pytest.raises(InvalidInput, match=r"^unknown job 'arta-1': did you mean 'arta-1[ab]'\?$"):
        folder.find("arta-1")
    with pytest.raises(InvalidInput, match=r"^unknown job ''"):
        folder.find("")


def test_an_id_is_found_even_if_another_id_begins_with_it(folder: JobFolder) -> None:
    folder.save(job("arta-1"))
    folder.save(job("arta-12"))
    assert folder.find("arta-1").id == "arta-1"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff"])
def test_a_damaged_file_is_named_and_does_not_hide_other_jobs(folder: JobFolder, content: bytes) -> None:
    path = folder.save(job("arta-damaged"))
    path.write_bytes(content)
    folder.save(job())
    jobs, errors = folder.list()
    assert jobs == [job()]
    assert [str(error).startswith(f"the job in {path} is damaged: ") for error in errors] == [True]
    assert folder.find("arta-1") == job()
    with pytest.raises(PrivateFileError, match="is damaged"):
        folder.find("arta-d")
    assert path.read_bytes() == content
    folder.forget(folder.identify("arta-d"))
    assert not path.exists()


@pytest.mark.parametrize("content", [b'{"version": 2}', msgspec.json.encode(msgspec.structs.replace(job(), version=2))])
def test_a_job_of_another_release_is_refused(folder: JobFolder, content: bytes) -> None:
    path = folder.save(job())
    path.write_bytes(content)
    with pytest.raises(PrivateFileError, match="another release"):
        read_job(path)


@pytest.mark.parametrize("job_id", ["../../notes", "/etc/notes", "a\\b", "C:a", ""])
def test_a_job_cannot_name_a_file_outside_of_the_folder(folder: JobFolder, job_id: str) -> None:
    path = folder.save(job())
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(job(), id=job_id)))
    with pytest.raises(PrivateFileError, match="is damaged"):
        read_job(path)


def test_a_job_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PrivateFileError, match=f"^there is no job in {tmp_path / 'none.json'}$"):
        read_job(tmp_path / "none.json")


def test_an_id_is_a_short_file_name() -> None:
    assert saved_job_id("arta", "../A_b-9/" + "f" * 50) == "arta-Ab9" + "f" * 9
    with pytest.raises(InvalidInput):
        saved_job_id("arta", "../..")
