"""Image jobs: showing their progress, saving their pictures, and remembering them until that is done."""

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
from .terminal import has_colours, note, write_line


class JobDisplay(Protocol):
    """Shows the progress of a job."""

    def show_status(self, text: str) -> None:
        """Show the job's new status."""
        ...

    def show_saved(self, path: Path) -> None:
        """Show that one more picture is saved, and write its path to stdout."""
        ...


class JobKeeper:
    """Saves a job on the disk when the provider accepts it, and forgets it when its pictures are saved."""

    def __init__(self, provider: str, base_url: str | None, prompt: str) -> None:
        self._folder = JobFolder(jobs_directory())
        self._provider = provider
        self._base_url = base_url
        self._prompt = prompt
        self._id: str | None = None
        self._name = ""  # the argument of `modelwire resume` that finds the job

    @classmethod
    def of(cls, job: SavedJob, name: str) -> JobKeeper:
        """The keeper of a job that is saved already; `name` is its id, or the path of its file."""
        keeper = cls(job.provider, job.base_url, job.prompt)
        keeper._id, keeper._name = job.id, name
        return keeper

    def save(self, job: ImageJob) -> None:
        """Save a job that the provider has accepted."""
        self._id = self._name = saved_job_id(self._provider, job.job_id or "")
        saved = SavedJob(
            id=self._id,
            provider=self._provider,
            base_url=self._base_url,
            prompt=self._prompt,
            accepted_at=time.time(),
            snapshot=job.snapshot(),
        )
        self._folder.save(saved)

    @contextmanager
    def forget_when_done(self) -> Iterator[None]:
        """Forget the job when the block succeeds or the provider gives the job up; otherwise note how to resume it."""
        try:
            yield
        except JobFailed:
            self._forget()
            raise
        except BaseException:
            if self._id is not None:
                note(f"the provider continues the job; to get its pictures: modelwire resume {self._name}")
            raise
        self._forget()

    def _forget(self) -> None:
        if self._id is not None:
            self._folder.forget(self._id)


def follow(job: ImageJob, directory: Path, as_json: bool, number: int, keeper: JobKeeper | None) -> None:
    """Run a job of `number` pictures to its end: show its progress, and save its pictures and, meanwhile, the job."""
    with job_display(as_json, number) as display, keeper.forget_when_done() if keeper else nullcontext():
        save_all(job, directory, display, as_json=as_json, keeper=keeper)


def save_all(
    job: ImageJob, directory: Path, display: JobDisplay, *, as_json: bool, keeper: JobKeeper | None = None
) -> list[Path]:
    """Run a job to its end, and save each picture when it is ready. Returns their paths."""
    paths: list[Path] = []
    for output in job:
        if as_json:
            write_json(output)
        if keeper is not None and isinstance(output, JobAccepted):
            keeper.save(job)
        if isinstance(output, StatusChanged):
            display.show_status(output.text)
        if isinstance(output, ImageReady):
            image = job.fetch(output)
            paths.append(image.save(directory))
            if as_json:
                write_json(ImageSaved(str(paths[-1]), image.media_type))
            display.show_saved(paths[-1])
    return paths


@contextmanager
def job_display(as_json: bool, number: int) -> Iterator[JobDisplay]:
    """A moving bar on a terminal, else plain lines; nothing if the outputs are written as JSON."""
    if as_json:
        yield _NoDisplay()
    elif has_colours(sys.stderr):
        from .progress_bar import progress_bar

        with progress_bar(number) as bar:
            yield bar
    else:
        yield _PlainDisplay()


class _NoDisplay:
    """Shows nothing: the JSON lines hold it all."""

    def show_status(self, text: str) -> None:
        pass

    def show_saved(self, path: Path) -> None:
        pass


class _PlainDisplay:
    """Writes the status to stderr, and paths to stdout."""

    def show_status(self, text: str) -> None:
        note(text)

    def show_saved(self, path: Path) -> None:
        write_line(str(path))
