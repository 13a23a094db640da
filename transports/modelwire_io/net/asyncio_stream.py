"""A punctual stream over asyncio's own transports.

anyio's stream pauses and resumes the reading around each `receive`, which costs two system calls, and a deadline by
cancellation costs a timer a read. Here the transport reads all the time, within bounds; there is one timer, which is
moved only when it fires; and what came can go to a function from the event loop's own callback, with no task woken.

It reads into a buffer of ours: left to itself, asyncio makes 256 KiB of memory for each read and gives it back, which
may cost more than the reading.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import threading
import time
from typing import cast

from .connect import is_readable
from .deadline_streams import ALL, READ_SIZE, WRITE_SIZE, Take

# Bytes that may wait for a slow reader before the reading stops.
MOST_UNREAD = 256 * 1024

# Seconds; the caller keeps the deadline, and asyncio shall not have one of its own.
_HANDSHAKE_TIMEOUT = 86_400.0


class _Buffer(threading.local):
    """Where the reads of one thread's event loop go; each is copied out before the next begins."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_SIZE))


_buffer = _Buffer()


class AsyncioStream(asyncio.BufferedProtocol):
    """A stream over one of asyncio's transports. Made in the event loop that it belongs to."""

    def __init__(self) -> None:
        self.deadline = math.inf
        self.silence = math.inf
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        # What came, and what is to become of it.
        self._received: list[bytes] = []
        self._unread = 0  # bytes
        self._take: Take | None = None
        self._is_reading = False
        self._is_paused = False  # the reading, because too much is unread
        self._may_hold_more = False  # it was paused, and nothing came since: TLS may have kept something
        self._is_full = False  # what was written waits to be sent
        self._is_over = False  # nothing more will come
        self._error: Exception | None = None
        # The operation under way, and its time.
        self._waiter: asyncio.Future[None] | None = None
        self._heard = 0.0  # when it began, or something last came
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf

    async def receive(self, max_bytes: int = ALL) -> bytes:
        """What came, or `b""` at the end of the connection."""
        if self._received or self._is_over:
            # However much waits here, other tasks get their turn, and a cancellation gets through.
            await asyncio.sleep(0)
        else:
            self._is_reading = True
            try:
                await self._wait()
            finally:
                self._is_reading = False
        # The timer finds nobody waiting while there is always something to be read.
        if self.deadline <= time.monotonic():
            raise TimeoutError("timed out")
        return self._pop(max_bytes)

    async def deliver_to(self, take: Take) -> None:
        """Hand everything that comes to `take`, from the event loop's own callback, until it says True."""
        if self._received and take(self._pop()):
            return
        if not self._is_over:
            self._take = take
            try:
                await self._wait()
            finally:
                self._take = None
        elif not take(self._pop()):
            raise OSError("the connection is over")

    async def send(self, item: bytes) -> None:
        """Send all of it."""
        for start in range(0, len(item), WRITE_SIZE):
            # asyncio only logs what is written to a connection that broke a moment ago.
            if self._is_over or self._transport.is_closing():
                raise self._error or BrokenPipeError("the other side has closed the connection")
            self._transport.write(item[start : start + WRITE_SIZE])
            if self._is_full:
                await self._wait()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> AsyncioStream:
        """The same connection under TLS."""
        if self._received or self._is_over:
            raise OSError("something came before TLS had begun")
        try:
            secured = await self._loop.start_tls(
                self._transport,
                _Decrypted(self),
                context,
                server_hostname=host,
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT,
            )
        except BaseException:
            # Where TLS did not begin, nobody is told of the end.
            self._transport.abort()
            self.connection_lost(None)
            raise
        assert secured is not None
        self._adopt(secured)
        return self

    async def aclose(self) -> None:
        """Close it at once."""
        # asyncio closes the socket in the loop's next round, whether anybody waits for that or not.
        self._transport.abort()
        self._end(None)

    def has_unread(self) -> bool:
        """Whether something came, or the end, that nobody has read."""
        if self._received or self._is_over or self._may_hold_more:
            return True
        return is_readable(self._transport.get_extra_info("socket"))

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        # uvloop's are not of asyncio's class.
        self._adopt(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next read goes."""
        return _buffer.view

    def buffer_updated(self, nbytes: int) -> None:
        """Something came into the buffer."""
        self.data_received(_buffer.view[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._may_hold_more = False
        if self._take is not None:
            self._heard = time.monotonic()
            if self._take(data):
                self._take = None
                self._wake()
            return
        self._received.append(data)
        self._unread += len(data)
        if self._is_reading:
            self._wake()
        elif self._unread > MOST_UNREAD and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """The other side has nothing more to say."""
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whomever."""
        self._end(exc)

    def pause_writing(self) -> None:
        """What was written cannot be sent yet."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It was sent."""
        self._is_full = False
        if not self._is_reading and self._take is None:
            self._wake()

    def _adopt(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # Not 0: that many bytes are too many for asyncio's TLS, even when there are none.
        transport.set_write_buffer_limits(high=1, low=0)

    def _pop(self, max_bytes: int = ALL) -> bytes:
        """What came, `b""` at the end. Raises what ended it, if that was an error."""
        received = self._received
        data = received[0] if len(received) == 1 else b"".join(received)
        received.clear()
        if len(data) > max_bytes:
            received.append(data[max_bytes:])
            data = data[:max_bytes]
        elif not data and self._error is not None:
            raise self._error
        self._unread -= len(data)
        if self._is_paused and not received:
            self._is_paused = False
            self._may_hold_more = True
            self._transport.resume_reading()
        return data

    def _end(self, error: Exception | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        if error is None and (self._is_paused or self._may_hold_more):
            # uvloop's TLS forgets what it held while the reading was paused: the end must not look like one.
            error = OSError("the connection ended while the reading was paused")
        self._error = error
        if self._timer is not None:
            self._timer.cancel()
        take, self._take = self._take, None
        if take is None or (error is None and take(b"")):
            self._wake()
        else:
            self._wake(error or OSError("the connection is over"))

    async def _wait(self) -> None:
        """Until there is something to do, or time is over."""
        self._waiter = self._loop.create_future()
        self._heard = time.monotonic()
        self._set_timer()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self, error: BaseException | None = None) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    def _set_timer(self) -> None:
        """See that the timer fires no later than the operation must end; too early does no harm."""
        due = min(self.deadline, self._heard + self.silence)
        if due >= self._timer_due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._expire)

    def _expire(self) -> None:
        self._timer, self._timer_due = None, math.inf
        if self._waiter is None:
            return
        if min(self.deadline, self._heard + self.silence) <= time.monotonic():
            self._wake(TimeoutError("timed out"))
        else:
            self._set_timer()


class _Decrypted(asyncio.Protocol):
    """What TLS brings to a stream. Into a buffer, asyncio would not bring all that is left when the connection ends."""

    def __init__(self, stream: AsyncioStream) -> None:
        self._stream = stream

    def data_received(self, data: bytes) -> None:
        self._stream.data_received(data)

    def eof_received(self) -> None:
        self._stream.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stream.connection_lost(exc)

    def pause_writing(self) -> None:
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        self._stream.resume_writing()
