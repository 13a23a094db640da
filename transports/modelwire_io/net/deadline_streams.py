"""Byte streams that keep an absolute deadline: what `punctual_sockets` is for blocking code, for async code."""

from __future__ import annotations

import math
import ssl
import sys
import time
from collections.abc import Callable
from typing import Protocol

import anyio
import anyio.abc
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

from .connect import is_readable

READ_SIZE = WRITE_SIZE = 64 * 1024  # bytes
ALL = sys.maxsize

# Takes what was read, `b""` at the end, and says True once nothing more is wanted. It must not raise.
Take = Callable[[bytes], bool]


class DeadlineStream(Protocol):
    """A connection. `deadline` is monotonic time, `silence` the seconds that one operation may take.

    Every operation raises `TimeoutError` when it takes longer than either, and `OSError` (or what anyio has for it)
    for a connection that broke.
    """

    deadline: float
    silence: float

    async def receive(self, max_bytes: int = ALL) -> bytes:
        """What came, or `b""` at the end of the connection."""
        ...

    async def deliver_to(self, take: Take) -> None:
        """Hand everything that comes to `take`, and the end as `b""`, until it says True.

        `silence` begins anew with whatever comes; `take` may move `deadline`.
        """
        ...

    async def send(self, item: bytes) -> None:
        """Send all of it. Each part of it that goes out is a sign of life."""
        ...

    async def start_tls(self, context: ssl.SSLContext, host: str) -> DeadlineStream:
        """The same connection under TLS, the host's certificate checked. This stream is not to be used any more."""
        ...

    async def aclose(self) -> None:
        """Close it without any farewell, also while a cancellation is under way."""
        ...

    def has_unread(self) -> bool:
        """Whether something came, or the end, that nobody has read; of a connection that should be silent."""
        ...


class AnyioStream:
    """A stream of anyio's, on whatever event loop."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.deadline = math.inf
        self.silence = math.inf
        self._stream = stream

    async def receive(self, max_bytes: int = ALL) -> bytes:
        """What came, or `b""` at the end of the connection."""
        with self._in_time():
            try:
                return await self._stream.receive(min(max_bytes, READ_SIZE))
            except anyio.EndOfStream:
                return b""
        raise TimeoutError("timed out")

    async def deliver_to(self, take: Take) -> None:
        """Hand everything that comes to `take` until it says True."""
        while not take(await self.receive()):
            pass

    async def send(self, item: bytes) -> None:
        """Send all of it."""
        for start in range(0, len(item), WRITE_SIZE):
            with self._in_time() as scope:
                await self._stream.send(item[start : start + WRITE_SIZE])
            if scope.cancelled_caught:
                raise TimeoutError("timed out")

    async def start_tls(self, context: ssl.SSLContext, host: str) -> AnyioStream:
        """The same connection under TLS."""
        # Hardly any server says goodbye in TLS, and hardly any client asks for it.
        secured = TLSStream.wrap(self._stream, hostname=host, ssl_context=context, standard_compatible=False)
        return AnyioStream(await secured)

    async def aclose(self) -> None:
        """Close it at once."""
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()

    def has_unread(self) -> bool:
        """Whether something came, or the end, that nobody has read: in the system, or in TLS."""
        stream = self._stream
        if is_readable(stream.extra(SocketAttribute.raw_socket)):
            return True
        while isinstance(stream, TLSStream):
            if _has_decrypted(stream.extra(TLSAttribute.ssl_object)):
                return True
            inner = stream.transport_stream
            assert isinstance(inner, anyio.abc.ByteStream)
            stream = inner
        return False

    def _in_time(self) -> anyio.CancelScope:
        # `anyio.fail_after` would take twice as long, and this is done for each read.
        return anyio.CancelScope(deadline=anyio.current_time() + min(self.silence, self.deadline - time.monotonic()))


def _has_decrypted(tls: ssl.SSLObject) -> bool:
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True
