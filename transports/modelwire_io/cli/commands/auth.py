"""`modelwire auth`."""

from __future__ import annotations

import click
import msgspec

from modelwire_io.cli.ages import age
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.terminal import note, write_line
from modelwire_io.store.credentials import FileStore, StoredEntry, credentials_directory


@click.command(name="auth")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines.")
@debug_option
def command(as_json: bool) -> None:
    """List the logins and keys that are stored: for which provider, for which address, since when. None is shown."""
    store = FileStore(credentials_directory())
    entries = list(store.entries())
    for entry in entries:
        write_line(_as_json(entry) if as_json else _as_text(entry))
    if not as_json:
        note(
            f"To forget one: modelwire logout PROVIDER. The files are in {store.directory}" if entries else "no logins"
        )


def _as_json(entry: StoredEntry) -> str:
    return msgspec.json.encode({"provider": entry.provider, "address": entry.origin, "since": entry.since}).decode()


def _as_text(entry: StoredEntry) -> str:
    since = "?" if entry.since is None else age(entry.since)
    return f"{entry.provider:<10}  {since:>7}  {entry.origin}"
