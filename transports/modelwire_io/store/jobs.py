"""Unfinished image jobs in private files, so that a crash does not lose them."""

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

FILE_VERSION = 1
# Characters: long enough to tell jobs apart, short enough to type.
_ID_LENGTH = 12


class _Versioned(msgspec.Struct, frozen=True):
    """The part of a file that every release can read."""

    version: int


class SavedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a provider has accepted, with everything that is needed to get its images, also on another machine.

    `base_url` is None for the provider's own hosts. `accepted_at` is Unix time in seconds. It holds no credentials.
    """

    version: int = FILE_VERSION
    # The id becomes a file name, and may come from a file of another machine. So it must not contain a path.
    id: Annotated[str, Meta(pattern=r"^[^/\\:\x00]+$")]
    provider: str
    base_url: str | None
    prompt: str
    accepted_at: float
    snapshot: str


class JobFolder:
    """The jobs in `directory`, one private file each.

    Raises `PrivateFileError` if a file is damaged, written by another release, or not safe to use.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def save(self, job: SavedJob) -> Path:
        """Save a job, or its newer state. Returns the path of its file."""
        path = self.path(job.id)
        write_private(path, msgspec.json.format(msgspec.json.encode(job), indent=2) + b"\n")
        return path

    def forget(self, job_id: str) -> None:
        """Delete a job's file, if there is one: its images are saved, or it has failed."""
        self.path(job_id).unlink(missing_ok=True)

    def list(self) -> tuple[list[SavedJob], list[PrivateFileError]]:
        """Return every job, the oldest first, and an error for each file that cannot be read."""
        jobs: list[SavedJob] = []
        errors: list[PrivateFileError] = []
        for job_id in self._ids():
            try:
                jobs.append(read_job(self.path(job_id)))
            except PrivateFileError as error:
                errors.append(error)
        return sorted(jobs, key=lambda job: job.accepted_at), errors

    def find(self, name: str) -> SavedJob:
        """Return the job with this id, the only job whose id begins like this, or the job in the file of this name.

        A name that contains a slash or ends with `.json` is a path. Raises `InvalidInput` with the nearest id if there
        is none.
        """
        is_file = "/" in name or name.endswith(".json")
        return read_job(Path(name) if is_file else self.path(self.identify(name)))

    def identify(self, name: str) -> str:
        """Return this id, or the only id that begins like this. The job's file need not be readable.

        Raises `InvalidInput` with the nearest id if there is no such id.
        """
        ids = self._ids()
        matches = [job_id for job_id in ids if job_id.startswith(name)] if name else []
        return matches[0] if len(matches) == 1 else find_name(name, ids, "job")

    def path(self, job_id: str) -> Path:
        """The path of a job's file."""
        return self.directory / f"{job_id}.json"

    def _ids(self) -> Sequence[str]:
        return sorted(path.stem for path in self.directory.glob("*.json")) if self.directory.is_dir() else []


def read_job(path: Path) -> SavedJob:
    """Read the job in a file. Raises `PrivateFileError` if there is none, or if this release cannot read it."""
    data = read_private(path)
    if data is None:
        raise PrivateFileError(f"there is no job in {path}")
    try:
        if msgspec.json.decode(data, type=_Versioned).version == FILE_VERSION:
            return msgspec.json.decode(data, type=SavedJob)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PrivateFileError(f"the job in {path} is damaged: {error}; copy it again, or delete it") from None
    raise PrivateFileError(f"the job in {path} was saved by another release of modelwire: resume it with that release")


def saved_job_id(provider: str, job_id: str) -> str:
    """Derive a local id from the provider's job id. It is a valid file name, and short enough to type.

    Raises `InvalidInput` if the provider's id has neither letters nor digits.
    """
    characters = re.sub(r"[^A-Za-z0-9]+", "", job_id)[:_ID_LENGTH]
    if not characters:
        raise InvalidInput("the provider's id for the job has neither letters nor digits")
    return f"{provider}-{characters}"


def jobs_directory() -> Path:
    """The directory of the command line's jobs."""
    return platformdirs.user_state_path("modelwire") / "jobs"
