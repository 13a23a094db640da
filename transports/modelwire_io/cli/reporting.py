"""Outputs as JSON lines, and what can be done about a failure of a provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from modelwire.commands import Finished
from modelwire.errors import ConnectError, Failure, FlowFailed, LoginRequiredError
from modelwire.outputs import ConversationChanged, CredentialsChanged, Output
from modelwire.provider import Provider

from .terminal import write_line


class ImageSaved(msgspec.Struct, frozen=True, tag=True):
    """A picture is on the disk."""

    path: str
    media_type: str


def write_json(output: Output | Finished | ImageSaved) -> None:
    """One output as a line of JSON. Secrets stay out of it."""
    fields = msgspec.to_builtins(output)
    for secret in ("credentials", "conversation"):
        if isinstance(output, CredentialsChanged | ConversationChanged) and fields.get(secret):
            fields[secret] = dict.fromkeys(fields[secret], "[secret]")
    write_line(msgspec.json.encode(fields).decode())


def write_end(failure: Failure | None) -> None:
    """The last line: how it ended."""
    write_json(Finished(failure))


@contextmanager
def reported_end(as_json: bool, provider: Provider, origin: str) -> Iterator[None]:
    """End JSON lines with how it ended, and give a failure the advice that helps."""
    try:
        yield
    except FlowFailed as error:
        if as_json:
            write_end(error.failure)
        advice = _advice(error, provider, origin)
        if advice:
            error.add_note(advice)
        raise
    if as_json:
        write_end(None)


def login_command(provider: Provider, origin: str) -> str:
    """What to type to log in at this address."""
    elsewhere = "" if origin == provider.website else f" --base-url {origin}"
    return f"modelwire login {provider.name}{elsewhere}"


def _advice(error: FlowFailed, provider: Provider, origin: str) -> str | None:
    """What could be done about a failure, where that is known."""
    if isinstance(error, LoginRequiredError) and (provider.login or provider.secret_field):
        what = "log in" if provider.login else f"store the {provider.secret_field.replace('_', ' ')}"
        return f"To {what}: {login_command(provider, origin)}. To try it without: --emulate"
    if origin != provider.website:
        is_silent = isinstance(error, ConnectError)
        return f"Nothing listens at {origin}? To try it without: --emulate" if is_silent else None
    if provider.answers == "no":
        return f"{provider.label}: {provider.note} To try it: --emulate"
    if isinstance(error, ConnectError):
        return f"It is not known whether {provider.label} answers today. To try it without: --emulate"
    return None
