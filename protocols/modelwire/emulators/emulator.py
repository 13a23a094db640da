"""The protocol of an emulator, its requests and responses, and the settings that all emulators share.

An emulator is as pure as a flow: `handle(request, now)` returns the response to one request. It keeps its own state,
and uses neither I/O nor a clock. It shares no code with the provider that it emulates: if the same lines made and
checked a signature, the check would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from modelwire.http import Headers

# Seconds: how far a client's clock may be off.
CLOCK_SKEW = 300.0
# Seconds: how long a nonce is remembered. Twice the skew: after that, a request with its timestamp is too old anyway.
NONCE_LIFE = 600.0


class EmulatorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One complete request. `target` is path and query as on the real host; `base_url` is the URL in front of them."""

    method: str
    target: str
    headers: Headers
    body: bytes
    base_url: str


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Some bytes of a response's body. `pause`: seconds to wait before sending them."""

    data: bytes
    pause: float = 0.0


class EmulatorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response to one request. With `stays_open` its body never ends; the client must recognise the last event."""

    status: int = 200
    headers: Headers = ()
    chunks: tuple[Chunk, ...] = ()
    stays_open: bool = False


class Emulator(Protocol):
    """An emulated service: the other side of one provider's wire."""

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        """The response to a request at `now` (Unix time, seconds). Never raises, for any request."""
        ...


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """Timing and chunk size of an emulated service.

    Seconds: `pause` before each chunk or event of a streamed answer, `queue` and `work` for the two stages of a job,
    `sign_in` until the login page has stored its token, `token_life` until a token expires. Bytes: `chunk_size` of a
    streamed answer; the default is odd, so that chunks split characters.
    """

    pause: float = 0.01
    queue: float = 1.5
    work: float = 3.0
    sign_in: float = 1.0
    token_life: float = 3600.0
    chunk_size: int = 7


DEFAULT_BEHAVIOUR = Behaviour()

# Makes an emulator. The bytes are its entropy: credentials that it issues are derived from them.
MakeEmulator = Callable[[Behaviour, bytes], Emulator]
