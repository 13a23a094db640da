"""Outputs as JSON lines, and what a failure of a provider means to a person."""

from __future__ import annotations

import msgspec

from modelwire.commands import Finished
from modelwire.errors import ConnectError, Failure, FlowFailed
from modelwire.outputs import ConversationChanged, CredentialsChanged, ImageReceived, Output
from modelwire_io.plugins import load_provider

from .terminal import note, write_line


def write_json(output: Output | Finished) -> None:
    """One output as a line of JSON. Secrets and pictures stay out of it."""
    fields = msgspec.to_builtins(output)
    for secret in ("credentials", "conversation"):
        if isinstance(output, CredentialsChanged | ConversationChanged) and fields.get(secret):
            fields[secret] = dict.fromkeys(fields[secret], "[secret]")
    if isinstance(output, ImageReceived):
        fields["data"] = len(output.data)
    write_line(msgspec.json.encode(fields).decode())


def write_end(failure: Failure | None) -> None:
    """The last line: how it ended."""
    write_json(Finished(failure))


def hint(error: FlowFailed, model: str) -> None:
    """Say what could be done about a failure, where that is known."""
    provider = load_provider(model.partition("/")[0])
    if isinstance(error, ConnectError) and provider.answers != "yes":
        note(f"modelwire: {provider.label} is not known to answer: {provider.note} Try: --emulate")
