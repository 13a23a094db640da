"""`modelwire jobs`."""

from __future__ import annotations

import click
import msgspec

from modelwire.http import without_query
from modelwire.redaction import printable
from modelwire_io.cli.advice import advised
from modelwire_io.cli.ages import age
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.terminal import note, write_line
from modelwire_io.store.jobs import JobFolder, SavedJob, jobs_directory


@click.command(name="jobs")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines.")
@click.option("--forget", metavar="ID", help="Forget a job, without getting its pictures.")
@debug_option
def command(as_json: bool, forget: str | None) -> None:
    """List the image jobs that were interrupted after the provider had accepted them.

    Each is in a file of its own, which `modelwire resume` reads on other machines as well.
    """
    folder = JobFolder(jobs_directory())
    if forget is not None:
        with advised("find job"):
            job_id = folder.identify(forget)
        folder.forget(job_id)
        note(f"forgot {job_id}")
        return
    jobs, errors = folder.list()
    for job in jobs:
        write_line(_as_json(job, folder) if as_json else _as_text(job))
    for error in errors:
        note(f"modelwire: {error}")
    if not as_json:
        note(f"To get the pictures: modelwire resume ID. The files are in {folder.directory}" if jobs else "no jobs")


def _as_json(job: SavedJob, folder: JobFolder) -> str:
    fields = msgspec.to_builtins(job) | {"path": str(folder.path(job.id))}
    # A query of the base URL may hold a key.
    fields["base_url"] = job.base_url and without_query(job.base_url)
    del fields["snapshot"]
    return msgspec.json.encode(fields).decode()


def _as_text(job: SavedJob) -> str:
    return f"{job.id}  {age(job.accepted_at):>7}  {printable(job.prompt, 60)}"
