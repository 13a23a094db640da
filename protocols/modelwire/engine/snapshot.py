"""A flow's state as JSON: what `Flow.snapshot` writes and `Flow.restore` reads."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from modelwire.errors import SnapshotError


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Begin `phase` of `flow` again, with these fields.

    `version` is that of the flow's fields. `phase` is None where the flow had finished. `request_id` is the last
    that was given out. `text_delivered`: the user has seen text that the phase will send again. `in_doubt`: a
    request that must not be repeated was on the wire. `job_id`: what the provider calls a job that it has taken, and
    that goes on by itself.
    """

    flow: str
    version: Annotated[int, Meta(ge=0, le=2**31)]
    phase: str | None
    fields: msgspec.Raw
    request_id: Annotated[int, Meta(ge=0, le=2**53)]
    text_delivered: bool = False
    in_doubt: bool = False
    job_id: str = ""


_decoder = msgspec.json.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> str:
    """The snapshot as one line of JSON."""
    return msgspec.json.encode(snapshot).decode()


def decode_snapshot(data: str | bytes) -> Snapshot:
    """Read a snapshot. Raises `SnapshotError` for anything that is not one."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SnapshotError(f"this is not a snapshot, or it is damaged: {error}") from None
