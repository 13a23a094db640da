"""`modelwire image`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from modelwire.outputs import ImageReady, StatusChanged
from modelwire_io.images import make_folder
from modelwire_io.work import ImageJob

from .prompts import read_prompt
from .reporting import ImageSaved, reported_end, write_json
from .settings import Settings, provider_options
from .terminal import is_colourful, note, write_line

DEFAULT_MODEL = "arta"


class Progress(Protocol):
    """Shows how far a job is."""

    def status(self, text: str) -> None:
        """The job moved on."""
        ...

    def saved(self, path: Path) -> None:
        """One more picture is on the disk, and its name goes to stdout."""
        ...


@click.command(name="image")
@click.option("-m", "model", default=DEFAULT_MODEL, show_default=True, metavar="PROVIDER[/MODEL]", help="Who draws.")
@click.option("-O", "directory", default=".", show_default=True, metavar="DIR", help="Where pictures are saved.")
@click.option("-n", "number", type=click.IntRange(1), metavar="N", help="How many pictures.  [default: 1]")
@provider_options
@click.argument("prompt", nargs=-1)
def command(settings: Settings, model: str, directory: str, number: int | None, prompt: tuple[str, ...]) -> None:
    """Have a provider draw pictures, and print the names of the files to stdout.

    PROMPT is read from stdin when that is not a terminal and no PROMPT is given.
    """
    text = read_prompt(prompt)
    with settings.open_client() as client:
        provider, origin = client.locate(model)
        options = settings.options_for(provider)
        if number is not None:
            options["n"] = number
        job = client.image(model, text, record=settings.record, **options)
        with job, reported_end(settings, provider, origin):
            # Before the job is begun: it may cost something.
            make_folder(Path(directory))
            with _progress(settings, number or 1) as progress:
                save_all(job, Path(directory), progress, as_json=settings.as_json)


def save_all(job: ImageJob, directory: Path, progress: Progress, *, as_json: bool) -> list[Path]:
    """Follow a job to its end, saving each picture when it is ready, and say where."""
    paths: list[Path] = []
    for output in job:
        if as_json:
            write_json(output)
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

    def saved(self, path: Path) -> None:
        """The JSON says it."""


class _Lines:
    def status(self, text: str) -> None:
        """A line to stderr."""
        note(text)

    def saved(self, path: Path) -> None:
        """Its name."""
        write_line(str(path))
