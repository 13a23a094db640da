"""A `DeadlineStream` over asyncio's own transports, faster than `AnyioStream`.

anyio's stream pauses and resumes reading around each `receive`, which costs two system calls, and a deadline enforced
by cancellation costs one timer a read. This stream reads all the time, up to `MAX_UNREAD_BYTES`; it has one timer,
which is set again only when it has fired, or for an earlier deadline; and `deliver_to` passes data on from the event
loop's own callback, without waking a task.

It reads into a buffer of its own: by default asyncio allocates and frees 256 KiB for each read, which may cost more
than the read itself.

The state of a stream. At most one operation waits at a time, on `_waiter`:

    operation   recognized by   woken when
    receive     _is_reading     data arrives
    deliver_to  _on_data        the callback has returned True
    send        neither         `_is_write_paused` is cleared

The end of the connection and the timer wake every operation. Data that arrives goes to `_on_data` if it is set, else
into `_received` (`_unread` bytes). Reading is in one of three states:

    state    _is_read_paused  _may_hold_more  next
    flowing  False            False           paused, if no task waits for data and over MAX_UNREAD_BYTES are unread
    paused   True             False           resumed, once `_pop` has emptied `_received`
    resumed  False            True            flowing, once data arrives

While paused or resumed, TLS may hold decrypted data that it has not passed on yet. uvloop's TLS drops that data if the
connection ends then, so an end in these two states is reported as an error, and `has_unread` is True.
`_is_write_paused` is True between `pause_writing` and `resume_writing`: the last `send` has not reached the system yet.

`_has_ended` is set once, by whichever comes first: end of file, a lost connection, `aclose`. `_received` can still be
read afterwards; then `receive` returns `b""`, or raises `_error` if that is set.

An operation ends by `deadline`, or `silence` seconds after `_last_activity` (its start, or the last data delivered to
`_on_data`). The timer is due at `_timer_due`, never later than that; if it fires too early, it is set again.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import threading
import time
from typing import cast

from .connect import is_readable
from .deadline_streams import READ_SIZE, UNLIMITED, WRITE_SIZE, DataCallback

# Bytes: data that may wait for a slow reader before reading is paused.
MAX_UNREAD_BYTES = 256 * 1024

# Seconds: a day, in effect no limit. The caller enforces the deadline; asyncio's default of 60 s must not.
_HANDSHAKE_TIMEOUT_S = 86_400.0


class _ReadBuffer(threading.local):
    """The buffer that one thread's event loop reads into; each read is copied out before the next begins."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_SIZE))


_buffer = _ReadBuffer()


class AsyncioStream(asyncio.BufferedProtocol):
    """A stream over one of asyncio's transports. Create it in the event loop that it belongs to."""

    def __init__(self) -> None:
        self.deadline = math.inf
        self.silence = math.inf
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        # Incoming data.
        self._received: list[bytes] = []
        self._unread = 0  # bytes
        self._on_data: DataCallback | None = None
        self._is_reading = False
        self._is_read_paused = False  # too much is unread
        self._may_hold_more = False  # reading was resumed, and nothing has arrived since
        self._is_write_paused = False  # data that was written waits to be sent
        self._has_ended = False  # no more data will arrive
        self._error: Exception | None = None
        # The operation that waits, and its time limit.
        self._waiter: asyncio.Future[None] | None = None
        self._last_activity = 0.0  # monotonic time
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf

    async def receive(self, max_bytes: int = UNLIMITED) -> bytes:
        if self._received or self._has_ended:
            # Yield to the event loop: other tasks must run, and a cancellation must arrive, however much is unread.
            await asyncio.sleep(0)
        else:
            self._is_reading = True
            try:
                await self._wait()
            finally:
                self._is_reading = False
        # The timer cannot enforce the deadline if data is always there and nothing ever waits.
        if self.deadline <= time.monotonic():
            raise TimeoutError("timed out")
        return self._pop(max_bytes)

    async def deliver_to(self, on_data: DataCallback) -> None:
        if self._received and on_data(self._pop()):
            return
        if not self._has_ended:
            self._on_data = on_data
            try:
                await self._wait()
            finally:
                self._on_data = None
        elif not on_data(self._pop()):
            raise OSError("the connection has ended")

    async def send(self, item: bytes) -> None:
        for start in range(0, len(item), WRITE_SIZE):
            # If the connection broke a moment ago, asyncio would accept the data and only log a warning.
            if self._has_ended or self._transport.is_closing():
                raise self._error or BrokenPipeError("the other side has closed the connection")
            self._transport.write(item[start : start + WRITE_SIZE])
            if self._is_write_paused:
                await self._wait()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> AsyncioStream:
        if self._received or self._has_ended:
            raise OSError("the other side sent data or closed the connection before TLS began")
        try:
            secured = await self._loop.start_tls(
                self._transport,
                _PlaintextReceiver(self),
                context,
                server_hostname=host,
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT_S,
            )
        except BaseException:
            # If the handshake fails, asyncio calls neither protocol's `connection_lost`.
            self._transport.abort()
            self.connection_lost(None)
            raise
        assert secured is not None
        self._use_transport(secured)
        return self

    async def aclose(self) -> None:
        # asyncio closes the socket on the next loop iteration; there is nothing to await.
        self._transport.abort()
        self._finish(None)

    def has_unread(self) -> bool:
        if self._received or self._has_ended or self._may_hold_more:
            return True
        return is_readable(self._transport.get_extra_info("socket"))

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio.Transport.
        self._use_transport(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffer.view

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(_buffer.view[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        self._may_hold_more = False
        if self._on_data is not None:
            self._last_activity = time.monotonic()
            if self._on_data(data):
                self._on_data = None
                self._wake()
            return
        self._received.append(data)
        self._unread += len(data)
        if self._is_reading:
            self._wake()
        elif self._unread > MAX_UNREAD_BYTES and not self._is_read_paused:
            self._is_read_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc)

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if not self._is_reading and self._on_data is None:
            self._wake()

    def _use_transport(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # Not high=0: asyncio's TLS would then pause writing even with an empty buffer.
        transport.set_write_buffer_limits(high=1, low=0)

    def _pop(self, max_bytes: int = UNLIMITED) -> bytes:
        """Return the data received, `b""` at the end. Raises the error that ended the connection, if there was one."""
        received = self._received
        data = received[0] if len(received) == 1 else b"".join(received)
        received.clear()
        if len(data) > max_bytes:
            received.append(data[max_bytes:])
            data = data[:max_bytes]
        elif not data and self._error is not None:
            raise self._error
        self._unread -= len(data)
        if self._is_read_paused and not received:
            self._is_read_paused = False
            self._may_hold_more = True
            self._transport.resume_reading()
        return data

    def _finish(self, error: Exception | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if error is None and (self._is_read_paused or self._may_hold_more):
            # uvloop's TLS drops the data that it held: this must not look like a regular end.
            error = OSError("the connection ended while reading was paused")
        self._error = error
        if self._timer is not None:
            self._timer.cancel()
        on_data, self._on_data = self._on_data, None
        if on_data is None or (error is None and on_data(b"")):
            self._wake()
        else:
            self._wake(error or OSError("the connection has ended"))

    async def _wait(self) -> None:
        """Wait until `_wake`. Raises `TimeoutError` after the deadline or too much silence."""
        self._waiter = self._loop.create_future()
        self._last_activity = time.monotonic()
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
        """Let the timer fire no later than the operation must end. Firing too early does no harm."""
        due = min(self.deadline, self._last_activity + self.silence)
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
        if min(self.deadline, self._last_activity + self.silence) <= time.monotonic():
            self._wake(TimeoutError("timed out"))
        else:
            self._set_timer()


class _PlaintextReceiver(asyncio.Protocol):
    """Passes decrypted data to a stream.

    It is a `Protocol`, not a `BufferedProtocol`: to the latter, asyncio's TLS does not deliver all remaining data when
    the connection ends.
    """

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
