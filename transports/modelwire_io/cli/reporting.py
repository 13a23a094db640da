"""Outputs as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from modelwire.commands import Finished
from modelwire.errors import FlowFailed
from modelwire.outputs import ConversationChanged, CredentialsChanged, Output
from modelwire.provider import Provider

from .advice import advised
from .terminal import write_line


class ImageSaved(msgspec.Struct, frozen=True, tag=True):
    """A picture has been saved in the file `path`."""

    path: str
    media_type: str


def write_json(output: Output | Finished | ImageSaved) -> None:
    """Write an output as a line of JSON, with each secret replaced."""
    fields = msgspec.to_builtins(output)
    for secret in ("credentials", "conversation"):
        if isinstance(output, CredentialsChanged | ConversationChanged) and fields.get(secret):
            fields[secret] = dict.fromkeys(fields[secret], "[secret]")
    write_line(msgspec.json.encode(fields).decode())


@contextmanager
def reported_end(as_json: bool, provider: Provider, origin: str) -> Iterator[None]:
    """End the JSON lines with the end of the flow, and add advice to its failure."""
    with advised("ask", provider, origin):
        try:
            yield
        except FlowFailed as error:
            if as_json:
                write_json(Finished(error.failure))
            raise
    if as_json:
        write_json(Finished(None))
