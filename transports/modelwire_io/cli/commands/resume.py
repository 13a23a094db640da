"""`modelwire resume`."""

from __future__ import annotations

from pathlib import Path

import click

from modelwire_io.cli.advice import advised
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.reporting import reported_end
from modelwire_io.cli.saving import JobKeeper, follow
from modelwire_io.client.client import Client
from modelwire_io.client.images import make_folder
from modelwire_io.store.jobs import JobFolder, jobs_directory


@click.command(name="resume")
@click.option("-O", "directory", default=".", show_default=True, metavar="DIR", help="Where pictures are saved.")
@click.option("--base-url", metavar="URL", help="The provider's address, if it has moved since the job began.")
@click.option("--proxy", metavar="URL", help="Go through this proxy; '' for none. Default: the environment's.")
@click.option("--timeout", type=float, metavar="S", help="Seconds for all of it. Default: 300.")
@click.option("--json", "as_json", is_flag=True, help="Write the outputs as JSON lines.")
@debug_option
@click.argument("job")
def command(
    directory: str, base_url: str | None, proxy: str | None, timeout: float | None, as_json: bool, job: str
) -> None:
    """Get the pictures of JOB: its id or the beginning of it (see `modelwire jobs`), or the path of its file.

    The job is not submitted again, and nothing is paid twice.
    """
    with advised("find job"):
        saved = JobFolder(jobs_directory()).find(job)
    with Client(base_url=base_url or saved.base_url, proxy=proxy, timeout=timeout) as client:
        provider, origin = client.locate(saved.provider)
        resumed = client.resume(saved.provider, saved.snapshot)
        with resumed, reported_end(as_json, provider, origin):
            make_folder(Path(directory))
            follow(resumed, Path(directory), as_json, 1, JobKeeper.of(saved, job))
