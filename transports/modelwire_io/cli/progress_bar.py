"""A progress bar on stderr. In a file of its own: rich takes longer to import than most commands take to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .terminal import one_line, write_line


@contextmanager
def progress_bar(number: int) -> Iterator[Bar]:
    """A bar for `number` pictures: it swings while the provider draws, and fills as they are saved."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    # stdout stays what it is: rich would send it to the bar's console, that is, to stderr.
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        yield Bar(progress, progress.add_task("Starting", total=None), number)


class Bar:
    """One bar."""

    def __init__(self, progress: Progress, task: TaskID, number: int) -> None:
        self._progress = progress
        self._task = task
        self._number = number
        self._done = 0

    def status(self, text: str) -> None:
        """The job moved on."""
        self._progress.update(self._task, description=one_line(text))

    def saved(self, path: Path) -> None:
        """One more picture is on the disk; its name goes to stdout, where the bar may be in the way."""
        self._done += 1
        self._progress.stop()
        write_line(str(path))
        total = max(self._number, self._done)
        self._progress.update(self._task, total=total, completed=self._done, description="Saving")
        if self._done < total:
            self._progress.start()
