"""Following an image job to its end: what is shown meanwhile, where the pictures go, and what a crash leaves."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from modelwire.errors import JobFailed
from modelwire.outputs import ImageReady, JobAccepted, StatusChanged
from modelwire_io.client.run import ImageJob
from modelwire_io.store.jobs import JobFolder, SavedJob, jobs_directory, saved_job_id

from .reporting import ImageSaved, write_json
from .terminal import is_colourful, note, write_line


class Progress(Protocol):
    """Shows how far a job is."""

    def status(self, text: str) -> None:
        """The job moved on."""
        ...

    def saved(self, path: Path) -> None:
        """One more picture is on the disk, and its name goes to stdout."""
        ...


class JobKeeper:
    """Keeps a job on the disk from when the provider takes it until its pictures are there."""

    def __init__(self, provider: str, base_url: str | None, prompt: str) -> None:
        self._folder = JobFolder(jobs_directory())
        self._provider = provider
        self._base_url = base_url
        self._prompt = prompt
        self._id: str | None = None
        self._name = ""  # what `modelwire resume` finds it by

    @classmethod
    def of(cls, kept: SavedJob, name: str) -> JobKeeper:
        """The keeping of a job that is on the disk already: here, by its id, or in the file of this name."""
        keeping = cls(kept.provider, kept.base_url, kept.prompt)
        keeping._id, keeping._name = kept.id, name
        return keeping

    def accepted(self, job: ImageJob) -> None:
        """The provider has taken the job."""
        self._id = self._name = saved_job_id(self._provider, job.job_id or "")
        kept = SavedJob(
            id=self._id,
            provider=self._provider,
            base_url=self._base_url,
            prompt=self._prompt,
            accepted_at=time.time(),
            snapshot=job.snapshot(),
        )
        self._folder.save(kept)

    @contextmanager
    def forget_when_done(self) -> Iterator[None]:
        """Forget the job once the pictures are there, or will never be; else say how to go on with it."""
        try:
            yield
        except JobFailed:
            self._forget()
            raise
        except BaseException:
            if self._id is not None:
                note(f"the job goes on without us; to get its pictures: modelwire resume {self._name}")
            raise
        self._forget()

    def _forget(self) -> None:
        if self._id is not None:
            self._folder.forget(self._id)


def follow(job: ImageJob, directory: Path, as_json: bool, number: int, keeping: JobKeeper | None) -> None:
    """Follow a job to its end on the screen, and lose nothing on the way."""
    with shown_progress(as_json, number) as progress, keeping.forget_when_done() if keeping else nullcontext():
        save_all(job, directory, progress, as_json=as_json, keeping=keeping)


def save_all(
    job: ImageJob, directory: Path, progress: Progress, *, as_json: bool, keeping: JobKeeper | None = None
) -> list[Path]:
    """Follow a job to its end, saving each picture when it is ready, and say where."""
    paths: list[Path] = []
    for output in job:
        if as_json:
            write_json(output)
        if keeping is not None and isinstance(output, JobAccepted):
            keeping.accepted(job)
        if isinstance(output, StatusChanged):
            progress.status(output.text)
        if isinstance(output, ImageReady):
            image = job.fetch(output)
            paths.append(image.save(directory))
            if as_json:
                write_json(ImageSaved(str(paths[-1]), image.media_type))
            progress.saved(paths[-1])
    return paths


@contextmanager
def shown_progress(as_json: bool, number: int) -> Iterator[Progress]:
    """A moving bar on a terminal, plain lines elsewhere, nothing beside JSON."""
    if as_json:
        yield _Silence()
    elif is_colourful(sys.stderr):
        from .progress_bar import progress_bar

        with progress_bar(number) as bar:
            yield bar
    else:
        yield _Lines()


class _Silence:
    def status(self, text: str) -> None:
        """The JSON says it."""

    def saved(self, path: Path) -> None:
        """The JSON says it."""


class _Lines:
    def status(self, text: str) -> None:
        """A line to stderr."""
        note(text)

    def saved(self, path: Path) -> None:
        """Its name."""
        write_line(str(path))
