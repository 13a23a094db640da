"""`modelwire image`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from modelwire.errors import FlowFailed
from modelwire.outputs import ImageReady, StatusChanged
from modelwire_io.work import ImageJob

from .prompts import read_prompt
from .reporting import hint, write_end, write_json
from .settings import Settings, provider_options
from .terminal import is_colourful, note, write_line

DEFAULT_MODEL = "arta"


class Progress(Protocol):
    """Shows how far a job is."""

    def status(self, text: str) -> None:
        """The job moved on."""
        ...

    def saved(self, done: int) -> None:
        """So many pictures are on the disk."""
        ...


@click.command(name="image")
@click.option("-m", "model", default=DEFAULT_MODEL, show_default=True, metavar="PROVIDER[/MODEL]", help="Who draws.")
@click.option("-O", "directory", default=".", show_default=True, metavar="DIR", help="Where pictures are saved.")
@click.option("-n", "number", type=click.IntRange(1), default=1, show_default=True, help="How many pictures.")
@provider_options
@click.argument("prompt", nargs=-1)
def command(settings: Settings, model: str, directory: str, number: int, prompt: tuple[str, ...]) -> None:
    """Have a provider draw pictures, and print the names of the files to stdout.

    PROMPT is read from stdin when that is not a terminal and no PROMPT is given.
    """
    text = read_prompt(prompt)
    with settings.open_client() as client:
        options = {"n": number, **settings.options_for(client.locate(model)[0])}
        try:
            with client.image(model, text, **options) as job, _progress(settings, number) as progress:
                save_all(job, Path(directory), progress, as_json=settings.as_json)
        except FlowFailed as error:
            if settings.as_json:
                write_end(error.failure)
            hint(error, model)
            raise
    if settings.as_json:
        write_end(None)


def save_all(job: ImageJob, directory: Path, progress: Progress, *, as_json: bool) -> list[Path]:
    """Follow a job to its end, saving each picture when it is ready, and say where."""
    paths: list[Path] = []
    for output in job:
        if as_json:
            write_json(output)
        if isinstance(output, StatusChanged):
            progress.status(output.text)
        if isinstance(output, ImageReady):
            paths.append(job.fetch(output).save(directory))
            progress.saved(len(paths))
            if not as_json:
                write_line(str(paths[-1]))
    return paths


@contextmanager
def _progress(settings: Settings, number: int) -> Iterator[Progress]:
    """A moving bar on a terminal, plain lines elsewhere, nothing beside JSON."""
    if settings.as_json:
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

    def saved(self, done: int) -> None:
        """The JSON says it."""


class _Lines:
    def status(self, text: str) -> None:
        """A line to stderr."""
        note(text)

    def saved(self, done: int) -> None:
        """The name of the file says it."""
