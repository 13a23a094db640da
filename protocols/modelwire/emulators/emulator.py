"""The other side of the wire: what an emulator takes and gives, and what all of them share.

An emulator is as pure as a flow: `handle(request, now)` answers one request, from state of its own, without I/O and
without a clock. It shares no code with the provider that it is the other side of: a signature is checked by other
lines than those that made it, or checking it would prove nothing.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from modelwire.http import Headers

# Seconds that a client's clock may be off by, and for which a nonce is remembered.
CLOCK_SKEW = 300.0
NONCE_LIFE = 600.0


class EmulatorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, whole. `target` is path and query as on the real host; `base_url` is what stands before it."""

    method: str
    target: str
    headers: Headers
    body: bytes
    base_url: str


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Some bytes of a response's body, and the seconds to let pass before they are sent."""

    data: bytes
    pause: float = 0.0


class EmulatorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request. With `stays_open` the body has no end: the client has to know when it has enough."""

    status: int = 200
    headers: Headers = ()
    chunks: tuple[Chunk, ...] = ()
    stays_open: bool = False


class Emulator(Protocol):
    """The other side of one provider's wire."""

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        """Answer one request at `now` (Unix time, seconds). Never raises, whatever comes."""
        ...


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How an emulated service takes its time.

    Seconds: `pause` before each chunk of a streamed answer, `queue` and `work` for the two stages of a job,
    `sign_in` until a page has kept the token of a login, `token_life` until a token expires. Bytes: `chunk_size` of a
    streamed answer; an odd number, so that characters are split.
    """

    pause: float = 0.01
    queue: float = 1.5
    work: float = 3.0
    sign_in: float = 1.0
    token_life: float = 3600.0
    chunk_size: int = 7


DEFAULT_BEHAVIOUR = Behaviour()
