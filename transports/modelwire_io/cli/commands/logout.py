"""`modelwire logout`."""

from __future__ import annotations

import click
import msgspec

from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.terminal import note
from modelwire_io.client.client import Client
from modelwire_io.store.credentials import FileStore, credentials_directory
from modelwire_io.store.history import HistoryFile, open_history


@click.command(name="logout")
@click.option("--base-url", metavar="URL", help="The address that the login is for, if not the provider's own.")
@debug_option
@click.argument("provider")
def command(provider: str, base_url: str | None) -> None:
    """Forget the stored login or key of PROVIDER. The provider itself is not contacted."""
    with Client(base_url=base_url) as client:
        found, origin = client.locate(provider)
        was_there = client.log_out(found.name)
    _forget_conversation(open_history(found.name, origin, is_saved=True))
    if was_there:
        note(f"forgot the login to {found.label} at {origin}")
        return
    note(f"nothing is stored for {found.label} at {origin}")
    for entry in FileStore(credentials_directory()).entries():
        if entry.provider == found.name:
            note(f"there is a login for another address: modelwire logout {found.name} --base-url {entry.origin}")


def _forget_conversation(history: HistoryFile) -> None:
    """Remove the provider's part of the last conversation, which may hold credentials. The messages remain."""
    past = history.load()
    if past is not None and past.conversation is not None:
        history.save(msgspec.structs.replace(past, conversation=None))
