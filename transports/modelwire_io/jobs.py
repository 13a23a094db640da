"""Image jobs that are not finished, kept in private files: what a crash must not lose."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import platformdirs

from modelwire.errors import InvalidInput
from modelwire.provider import find_name

from .private_files import PrivateFileError, read_private, write_private

FORMAT_VERSION = 1
# Long enough to tell jobs apart, short enough to be typed.
_ID_LENGTH = 12


class KeptJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a provider has taken, and all that is needed to get its images: here, or on another machine.

    `base_url` is None where the provider's own hosts serve it; `accepted_at` is Unix time. It holds no credentials.
    """

    version: int = FORMAT_VERSION
    id: str
    provider: str
    base_url: str | None
    prompt: str
    accepted_at: float
    snapshot: str


class JobFolder:
    """The jobs that are kept in `directory`, one private file each.

    Raises `PrivateFileError` for a file that is damaged, written by another release, or not safe to use.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def save(self, job: KeptJob) -> Path:
        """Keep a job, or its newer state; returns where."""
        path = self.path(job.id)
        write_private(path, msgspec.json.format(msgspec.json.encode(job), indent=2) + b"\n")
        return path

    def forget(self, job_id: str) -> None:
        """The images are saved, or the job has come to nothing."""
        self.path(job_id).unlink(missing_ok=True)

    def list(self) -> list[KeptJob]:
        """Every job, the oldest first."""
        paths = sorted(self.directory.glob("*.json")) if self.directory.is_dir() else []
        return sorted((read_job(path) for path in paths), key=lambda job: job.accepted_at)

    def find(self, name: str) -> KeptJob:
        """The job of this id, of the only id that begins so, or in the file of this name.

        Raises `InvalidInput` with the nearest id where there is none.
        """
        if "/" in name or name.endswith(".json"):
            return read_job(Path(name))
        jobs = {job.id: job for job in self.list()}
        beginning = [job_id for job_id in jobs if job_id.startswith(name)] if name else []
        return jobs[beginning[0] if len(beginning) == 1 else find_name(name, jobs, "job")]

    def path(self, job_id: str) -> Path:
        """The file of a job."""
        return self.directory / f"{job_id}.json"


def read_job(path: Path) -> KeptJob:
    """The job in a file. Raises `PrivateFileError` where there is none, or none that this release reads."""
    data = read_private(path)
    if data is None:
        raise PrivateFileError(f"there is no job in {path}: see 'modelwire jobs'")
    try:
        job = msgspec.json.decode(data, type=KeptJob)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PrivateFileError(f"the job in {path} is damaged: {error}") from None
    if job.version != FORMAT_VERSION:
        raise PrivateFileError(f"the job in {path} was kept by another release of modelwire: resume it with that one")
    return job


def kept_id(provider: str, job_id: str) -> str:
    """What a provider's job is called here: a file name, and short enough to be typed."""
    bare = re.sub(r"[^A-Za-z0-9]+", "", job_id)[:_ID_LENGTH]
    if not bare:
        raise InvalidInput("the provider's name for the job has neither letters nor digits")
    return f"{provider}-{bare}"


def jobs_directory() -> Path:
    """Where the command line keeps jobs."""
    return platformdirs.user_state_path("modelwire") / "jobs"
