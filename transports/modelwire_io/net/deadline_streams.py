"""Byte streams with an absolute deadline, for async code. For blocking code, see `deadline_sockets`."""

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
UNLIMITED = sys.maxsize  # bytes

# Called with the data read, `b""` at the end. Returns True if it wants no more. It must not raise.
DataCallback = Callable[[bytes], bool]


class DeadlineStream(Protocol):
    """A connection. `deadline` is monotonic time, `silence` the seconds that one operation may take.

    Every operation raises `TimeoutError` if it exceeds either, and `OSError` (or `anyio.BrokenResourceError`) if the
    connection is broken.
    """

    deadline: float
    silence: float

    async def receive(self, max_bytes: int = UNLIMITED) -> bytes:
        """Return some bytes, or `b""` at the end of the connection."""
        ...

    async def deliver_to(self, on_data: DataCallback) -> None:
        """Call `on_data` with all data that arrives, and with `b""` at the end, until it returns True.

        `silence` is counted from the last data that arrived; `on_data` may move `deadline`.
        """
        ...

    async def send(self, item: bytes) -> None:
        """Send all of it. `silence` is counted from the last part that was sent."""
        ...

    async def start_tls(self, context: ssl.SSLContext, host: str) -> DeadlineStream:
        """Begin TLS, and check the host's certificate. Returns the stream to use from now on, instead of this one."""
        ...

    async def aclose(self) -> None:
        """Close the connection at once, without a TLS close_notify, even if the task is being cancelled."""
        ...

    def has_unread(self) -> bool:
        """True if data or the end of the connection is waiting: an idle connection must not be reused then."""
        ...


class AnyioStream:
    """A `DeadlineStream` over an anyio stream, on any event loop."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.deadline = math.inf
        self.silence = math.inf
        self._stream = stream

    async def receive(self, max_bytes: int = UNLIMITED) -> bytes:
        with self._time_limit():
            try:
                return await self._stream.receive(min(max_bytes, READ_SIZE))
            except anyio.EndOfStream:
                return b""
        raise TimeoutError("timed out")

    async def deliver_to(self, on_data: DataCallback) -> None:
        while not on_data(await self.receive()):
            pass

    async def send(self, item: bytes) -> None:
        for start in range(0, len(item), WRITE_SIZE):
            with self._time_limit() as scope:
                await self._stream.send(item[start : start + WRITE_SIZE])
            if scope.cancelled_caught:
                raise TimeoutError("timed out")

    async def start_tls(self, context: ssl.SSLContext, host: str) -> AnyioStream:
        # standard_compatible=True would require a TLS close_notify, which hardly any server sends.
        secured = TLSStream.wrap(self._stream, hostname=host, ssl_context=context, standard_compatible=False)
        return AnyioStream(await secured)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()

    def has_unread(self) -> bool:
        # Data may wait in the socket, or decrypted in a layer of TLS.
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

    def _time_limit(self) -> anyio.CancelScope:
        # Not `anyio.fail_after`: it takes twice as long, and this runs for each read.
        return anyio.CancelScope(deadline=anyio.current_time() + min(self.silence, self.deadline - time.monotonic()))


def _has_decrypted(tls: ssl.SSLObject) -> bool:
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True
