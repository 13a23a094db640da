"""Image jobs that are not finished, kept in private files: what a crash must not lose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import platformdirs
from msgspec import Meta

from modelwire.errors import InvalidInput
from modelwire.names import find_name

from .private_files import PrivateFileError, read_private, write_private

FORMAT_VERSION = 1
# Long enough to tell jobs apart, short enough to be typed.
_ID_LENGTH = 12


class _Versioned(msgspec.Struct, frozen=True):
    """What a file of every release holds, whatever else there is in it."""

    version: int


class SavedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a provider has taken, and all that is needed to get its images: here, or on another machine.

    `base_url` is None where the provider's own hosts serve it; `accepted_at` is Unix time. It holds no credentials.
    """

    version: int = FORMAT_VERSION
    # It becomes the name of a file here, and the file that it stands in may be from elsewhere.
    id: Annotated[str, Meta(pattern=r"^[^/\\:\x00]+$")]
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

    def save(self, job: SavedJob) -> Path:
        """Keep a job, or its newer state; returns where."""
        path = self.path(job.id)
        write_private(path, msgspec.json.format(msgspec.json.encode(job), indent=2) + b"\n")
        return path

    def forget(self, job_id: str) -> None:
        """The images are saved, or the job has come to nothing."""
        self.path(job_id).unlink(missing_ok=True)

    def list(self) -> tuple[list[SavedJob], list[PrivateFileError]]:
        """Every job, the oldest first, and what is wrong with each file that holds none."""
        jobs: list[SavedJob] = []
        errors: list[PrivateFileError] = []
        for job_id in self._ids():
            try:
                jobs.append(read_job(self.path(job_id)))
            except PrivateFileError as error:
                errors.append(error)
        return sorted(jobs, key=lambda job: job.accepted_at), errors

    def find(self, name: str) -> SavedJob:
        """The job of this id, of the only id that begins so, or in the file of this name.

        Raises `InvalidInput` with the nearest id where there is none.
        """
        is_file = "/" in name or name.endswith(".json")
        return read_job(Path(name) if is_file else self.path(self.identify(name)))

    def identify(self, name: str) -> str:
        """The id that this is, or the only one that begins so, whether or not its file can be read.

        Raises `InvalidInput` with the nearest one where there is none.
        """
        ids = self._ids()
        beginning = [job_id for job_id in ids if job_id.startswith(name)] if name else []
        return beginning[0] if len(beginning) == 1 else find_name(name, ids, "job")

    def path(self, job_id: str) -> Path:
        """The file of a job."""
        return self.directory / f"{job_id}.json"

    def _ids(self) -> Sequence[str]:
        return sorted(path.stem for path in self.directory.glob("*.json")) if self.directory.is_dir() else []


def read_job(path: Path) -> SavedJob:
    """The job in a file. Raises `PrivateFileError` where there is none, or none that this release reads."""
    data = read_private(path)
    if data is None:
        raise PrivateFileError(f"there is no job in {path}: see 'modelwire jobs'")
    try:
        if msgspec.json.decode(data, type=_Versioned).version == FORMAT_VERSION:
            return msgspec.json.decode(data, type=SavedJob)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PrivateFileError(f"the job in {path} is damaged: {error}; copy it anew, or delete it") from None
    raise PrivateFileError(f"the job in {path} was kept by another release of modelwire: resume it with that one")


def saved_job_id(provider: str, job_id: str) -> str:
    """What a provider's job is called here: a file name, and short enough to be typed."""
    bare = re.sub(r"[^A-Za-z0-9]+", "", job_id)[:_ID_LENGTH]
    if not bare:
        raise InvalidInput("the provider's name for the job has neither letters nor digits")
    return f"{provider}-{bare}"


def jobs_directory() -> Path:
    """Where the command line keeps jobs."""
    return platformdirs.user_state_path("modelwire") / "jobs"
