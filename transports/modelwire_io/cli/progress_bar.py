"""A progress bar on stderr. In a file of its own: rich takes longer to import than most commands take to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(number: int) -> Iterator[Bar]:
    """A bar for `number` pictures: it swings while the provider draws, and fills as they are saved."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, progress.add_task("Starting", total=None), number)


class Bar:
    """One bar."""

    def __init__(self, progress: Progress, task: TaskID, number: int) -> None:
        self._progress = progress
        self._task = task
        self._number = number

    def status(self, text: str) -> None:
        """The job moved on."""
        self._progress.update(self._task, description=text)

    def saved(self, done: int) -> None:
        """So many pictures are on the disk."""
        self._progress.update(self._task, total=max(self._number, done), completed=done, description="Saving")
