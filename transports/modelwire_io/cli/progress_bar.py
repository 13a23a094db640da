"""A progress bar on stderr. It has a file of its own because importing rich takes longer than most commands run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .terminal import one_line, write_line


@contextmanager
def progress_bar(number: int) -> Iterator[ProgressBar]:
    """A bar for `number` pictures. It pulses while the provider draws, and fills as pictures are saved."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    # `redirect_stdout` would send what is written to stdout to the bar's console, which is stderr.
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        yield ProgressBar(progress, progress.add_task("Starting", total=None), number)


class ProgressBar:
    """A `JobDisplay` with a bar. It shows the state of one job of `number` pictures."""

    def __init__(self, progress: Progress, task: TaskID, number: int) -> None:
        self._progress = progress
        self._task = task
        self._number = number
        self._saved = 0

    def show_status(self, text: str) -> None:
        self._progress.update(self._task, description=one_line(text))

    def show_saved(self, path: Path) -> None:
        self._saved += 1
        # stdout may be the same terminal: the bar must be off it while the name is written.
        self._progress.stop()
        write_line(str(path))
        total = max(self._number, self._saved)
        self._progress.update(self._task, total=total, completed=self._saved, description="Saving")
        if self._saved < total:
            self._progress.start()
