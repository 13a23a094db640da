"""The limits of a flow: one record of numbers, each with its default."""

from __future__ import annotations

import msgspec

KIB = 1024
MIB = 1024 * KIB

# Unix time, seconds: the year 5138. A later time is in another unit by mistake.
LATEST_TIME = 1e11


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on time, tries and sizes. How the network cuts the bytes makes no difference to any of them.

    Seconds: `total` for the whole flow from `Start` (None: the flow's own default, 600 for a chat and 300 for a
    job), `idle` without a piece of content (keep-alive comments are not content), `silence` without a single byte,
    `retry_after` for the longest pause that a flow grants a server.

    Bytes: `body` of one response, `stream` of an event stream that repeats the whole answer in each event (it is many
    times as long as the answer, and none of it is stored), `line` and `event` of an event stream, `error_body` read of
    an error response, `head` for the names and values of a response's headers. `headers` is their number.

    `tries` is the number of attempts of one request, the first included.
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
