"""How much a flow puts up with: one record of numbers, each with its default."""

from __future__ import annotations

import msgspec

KIB = 1024
MIB = 1024 * KIB

# Unix time in seconds, in the year 5138. A later time was given in another unit by mistake.
LATEST_TIME = 1e11


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on time, tries and sizes. None of them depends on how the network cut the bytes.

    Seconds: `total` for the whole flow from `Start` (None: the flow's own default, 600 for a chat and 300 for a
    job), `idle` without a piece of content (keep-alive comments are not content), `silence` without a single byte,
    `retry_after` for the longest pause that a server may ask for and get.

    Bytes: `body` of one response, `stream` of an event stream that sends the whole answer again with each event (a
    long answer is many times its length there, and none of it is kept), `line` and `event` of an event stream,
    `error_body` of a response that says no, `head` for the names and values of a response's headers. `headers` is
    their number.

    `tries` counts every sending of one request, the first included.
    """

    total: float | None = None
    idle: float = 120.0
    silence: float = 60.0
    retry_after: float = 120.0
    tries: int = 3
    body: int = 16 * MIB
    stream: int = 1024 * MIB
    line: int = MIB
    event: int = MIB
    error_body: int = 64 * KIB
    head: int = 64 * KIB
    headers: int = 256


DEFAULT_LIMITS = Limits()
