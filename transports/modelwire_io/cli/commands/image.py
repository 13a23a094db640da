"""`modelwire image`."""

from __future__ import annotations

from pathlib import Path

import click

from modelwire_io.cli.prompts import read_prompt
from modelwire_io.cli.reporting import reported_end
from modelwire_io.cli.saving import JobKeeper, follow
from modelwire_io.cli.settings import Settings, provider_options
from modelwire_io.client.images import make_folder

DEFAULT_MODEL = "arta"


@click.command(name="image")
@click.option(
    "-m", "model", default=DEFAULT_MODEL, show_default=True, metavar="PROVIDER[/MODEL]", help="Provider that draws."
)
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
        options = settings.options_for(provider, "image")
        if number is not None:
            options["n"] = number
        job = client.image(model, text, record=settings.record, **options)
        with job, reported_end(settings.as_json, provider, origin):
            # Before the job is submitted, which may cost money.
            make_folder(Path(directory))
            # The jobs of an emulator end with this process.
            keeper = None if settings.emulate else JobKeeper(provider.name, client.base_url(provider.name), text)
            follow(job, Path(directory), settings.as_json, number or 1, keeper)
