"""`modelwire login`."""

from __future__ import annotations

import getpass
import re
import sys

import click
import msgspec

from modelwire.errors import InvalidInput
from modelwire.provider import Provider
from modelwire_io.client import Client
from modelwire_io.plugins import load_provider

from .debugging import debug_option
from .terminal import note


@click.command(name="login")
@click.option("--token-stdin", is_flag=True, help="Read the token or key from stdin instead of asking for it.")
@click.option("--base-url", metavar="URL", help="The address that the token is for, if not the provider's own.")
@debug_option
@click.argument("provider")
def command(provider: str, token_stdin: bool, base_url: str | None) -> None:
    """Store the token or key that PROVIDER asks for, in a file that is yours alone.

    What is read may also be a JSON object with all the provider's credentials, as a browser's values.
    """
    found = load_provider(provider)
    if found.credentials is None or not found.login_field:
        raise InvalidInput(f"{found.label} needs no login: modelwire chat -m {found.name} PROMPT")
    with Client(base_url=base_url) as client:
        _, origin = client.locate(found.name)
        secret = _read(found, from_stdin=token_stdin)
        client.log_in(found.name, _credentials(found, secret))
    note(f"stored the {found.login_field.replace('_', ' ')} for {found.label} at {origin}")


def _read(provider: Provider, *, from_stdin: bool) -> str:
    what = provider.login_field.replace("_", " ")
    if from_stdin:
        text = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    elif sys.stdin.isatty():
        note(f"{provider.label}: {provider.note} {provider.website}")
        text = getpass.getpass(f"{provider.label} {what} (not shown): ").strip()
    else:
        raise click.UsageError(f"there is no terminal to ask on: pipe the {what} in, with --token-stdin")
    if not text:
        raise click.UsageError(f"the {what} is empty")
    return text


def _credentials(provider: Provider, secret: str) -> dict[str, object]:
    if not secret.startswith("{"):
        if not re.fullmatch(r"[!-~]+", secret):
            what = provider.login_field.replace("_", " ")
            raise InvalidInput(f"the {what} holds a blank or a character that it cannot hold: copy it again")
        return {provider.login_field: secret}
    try:
        values: dict[str, object] = msgspec.json.decode(secret, type=dict)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"what was read begins like JSON, and is none: {error}") from None
    if not values.get(provider.login_field):
        raise InvalidInput(f"the JSON that was read has no {provider.login_field}")
    return values
