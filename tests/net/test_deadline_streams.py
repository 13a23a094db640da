"""Streams with a deadline, on every event loop: asyncio's own, uvloop's, and trio's."""

from __future__ import annotations

import asyncio
import math
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
import trustme

from contract.scripts import saw_end, silent, tls_for
from modelwire_io.net.asyncio_stream import AsyncioStream
from modelwire_io.net.connect import Dialer
from modelwire_io.net.connect_async import dial
from modelwire_io.net.deadline_streams import DeadlineStream
from modelwire_io.net.routes import Route
from raw_server import PATIENCE, Connection, RawServer, Script

pytestmark = pytest.mark.anyio

# Seconds: a time limit that a test waits for, and how late it may end on a busy machine.
SHORT_S = 0.1
LATENESS_S = 1.0


@pytest.fixture(params=["asyncio", "trio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "trio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@asynccontextmanager
async def connected(*scripts: Script) -> AsyncIterator[tuple[DeadlineStream, RawServer]]:
    """A stream to a server that runs these scripts."""
    with RawServer(*scripts) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        try:
            yield stream, server
        finally:
            await stream.aclose()
            assert await saw_end(server.connection())


def resetting(connection: Connection) -> None:
    """Reset the connection as soon as a byte has come."""
    connection.read(1)
    connection.reset()


def sending(*pieces: bytes) -> Script:
    """A script that sends each piece once the client has sent a byte."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.read(1)
            connection.send(piece)
        connection.wait_for_end()

    return script


async def until_unread(stream: DeadlineStream) -> None:
    with anyio.fail_after(PATIENCE):
        while not stream.has_unread():
            await anyio.sleep(0.001)


async def read_until_error(stream: DeadlineStream) -> None:
    while True:
        await stream.receive()


async def write_until_error(stream: DeadlineStream) -> None:
    while True:
        await stream.send(b"x")
        await anyio.sleep(0)


async def test_receive_returns_at_most_max_bytes_and_the_rest_later() -> None:
    async with connected(sending(b"one two")) as (stream, _):
        await stream.send(b".")
        assert await stream.receive(3) == b"one"
        assert stream.has_unread() or await stream.receive(1) == b" "
        rest = await stream.receive()
        assert rest.endswith(b"two")


async def test_data_before_the_end_is_returned_before_it() -> None:
    def script(connection: Connection) -> None:
        connection.send(b"last words")
        connection.close()

    async with connected(script) as (stream, server):
        server.connection().saw_end.set()
        received = b""
        while data := await stream.receive():
            received += data
        assert received == b"last words"
        assert await stream.receive() == b""


@pytest.mark.parametrize("drips", [False, True])
async def test_reading_ends_by_the_deadline_even_if_data_drips(drips: bool) -> None:
    def script(connection: Connection) -> None:
        connection.drip(b"x", every=SHORT_S / 10) if drips else connection.wait_for_end()

    async with connected(script) as (stream, _):
        stream.deadline = deadline = time.monotonic() + SHORT_S
        with pytest.raises(TimeoutError):
            await read_until_error(stream)
        assert deadline - 0.01 <= time.monotonic() < deadline + LATENESS_S


async def test_reading_ends_after_silence() -> None:
    async with connected(silent) as (stream, _):
        stream.silence = SHORT_S
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await stream.receive()
        assert SHORT_S - 0.01 <= time.monotonic() - begun < SHORT_S + LATENESS_S


async def test_silence_is_counted_from_the_start_of_each_read() -> None:
    def script(connection: Connection) -> None:
        for _ in range(6):
            connection.read(1)
            connection.send(b"x")
        connection.wait_for_end()

    async with connected(script) as (stream, _):
        stream.silence = 0.3
        for _ in range(6):
            await anyio.sleep(0.08)
            await stream.send(b".")
            assert await stream.receive() == b"x"


async def test_a_deadline_may_be_moved_closer() -> None:
    async with connected(sending(b"x")) as (stream, _):
        stream.deadline = time.monotonic() + PATIENCE
        await stream.send(b".")
        assert await stream.receive() == b"x"
        stream.deadline = deadline = time.monotonic() + SHORT_S
        with pytest.raises(TimeoutError):
            await stream.receive()
        assert time.monotonic() < deadline + LATENESS_S


async def test_a_slow_reader_pauses_reading() -> None:
    sent = 0

    def script(connection: Connection) -> None:
        nonlocal sent
        connection.limit(SHORT_S * 3)
        try:
            while sent < 64 * 1024 * 1024:
                connection.send(bytes(64 * 1024))
                sent += 64 * 1024
        except TimeoutError:
            pass
        connection.limit(PATIENCE)
        connection.send(b"end")
        connection.wait_for_end()

    async with connected(script) as (stream, _):
        await anyio.sleep(SHORT_S * 6)
        # The system buffers some on both sides, and so does the stream.
        assert sent < 16 * 1024 * 1024
        stream.deadline = time.monotonic() + PATIENCE
        received = b""
        while not received.endswith(b"end"):
            received = received[-2:] + await stream.receive()


async def test_writing_ends_by_the_deadline_if_the_server_does_not_read() -> None:
    def script(connection: Connection) -> None:
        connection.saw_end.wait(PATIENCE)

    with RawServer(script) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        stream.deadline = deadline = time.monotonic() + SHORT_S
        with pytest.raises(TimeoutError):
            await stream.send(bytes(64 * 1024 * 1024))
        assert time.monotonic() < deadline + LATENESS_S
        await stream.aclose()
        server.connection().saw_end.set()


async def test_everything_is_written() -> None:
    body = bytes(range(256)) * 8192
    received = b""

    def script(connection: Connection) -> None:
        nonlocal received
        received = connection.read(len(body))
        connection.send(b"got it")
        connection.wait_for_end()

    async with connected(script) as (stream, _):
        await stream.send(body)
        assert await stream.receive() == b"got it"
        assert received == body


async def test_writing_to_a_closed_connection_fails() -> None:
    async with connected(resetting) as (stream, server):
        server.connection().saw_end.set()
        await stream.send(b".")
        await until_unread(stream)
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await write_until_error(stream)


async def test_a_reset_is_an_error_not_an_end() -> None:
    async with connected(resetting) as (stream, server):
        server.connection().saw_end.set()
        await stream.send(b".")
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await stream.receive()


async def test_delivers_all_data_until_the_callback_returns_true() -> None:
    async with connected(sending(b"one", b"two", b"three", b"four")) as (stream, _):
        delivered: list[bytes] = []

        def on_data(data: bytes) -> bool:
            delivered.append(data)
            return b"".join(delivered) == b"onetwothree"

        await stream.send(b".")
        await until_unread(stream)  # some data arrives before
        await stream.send(b"..")
        await stream.deliver_to(on_data)
        assert b"".join(delivered) == b"onetwothree"
        # Data that arrives now is for the next operation.
        await stream.send(b".")
        assert await stream.receive() == b"four"


async def test_delivers_the_end() -> None:
    def script(connection: Connection) -> None:
        connection.read(1)
        connection.close()

    async with connected(script) as (stream, server):
        server.connection().saw_end.set()
        delivered: list[bytes] = []
        await stream.send(b".")
        await stream.deliver_to(lambda data: delivered.append(data) or not data)  # type: ignore[func-returns-value]
        assert delivered == [b""]
        # The same for a later call.
        await stream.deliver_to(lambda data: delivered.append(data) or not data)  # type: ignore[func-returns-value]
        assert delivered == [b"", b""]


async def test_delivering_ends_with_the_error_of_the_connection() -> None:
    async with connected(resetting) as (stream, server):
        server.connection().saw_end.set()
        await stream.send(b".")
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await stream.deliver_to(lambda _: False)


async def test_delivering_ends_by_a_deadline_that_moves() -> None:
    def script(connection: Connection) -> None:
        connection.drip(b"x", every=SHORT_S / 10)

    async with connected(script) as (stream, _):
        moved = 0

        def on_data(data: bytes) -> bool:
            nonlocal moved
            if moved < 5:
                moved += 1
                stream.deadline = time.monotonic() + SHORT_S
            return False

        stream.deadline = time.monotonic() + SHORT_S
        with pytest.raises(TimeoutError):
            await stream.deliver_to(on_data)
        assert moved == 5
        assert stream.deadline - 0.01 <= time.monotonic() < stream.deadline + LATENESS_S


async def test_delivering_ends_after_silence() -> None:
    async with connected(sending(b"x")) as (stream, _):
        stream.silence = SHORT_S
        last_data = math.inf

        def on_data(data: bytes) -> bool:
            nonlocal last_data
            last_data = time.monotonic()
            return False

        await stream.send(b".")
        with pytest.raises(TimeoutError):
            await stream.deliver_to(on_data)
        assert last_data + SHORT_S - 0.01 <= time.monotonic() < last_data + SHORT_S + LATENESS_S


@pytest.mark.parametrize("delivers", [False, True])
async def test_a_stream_can_be_used_after_a_cancelled_operation(delivers: bool) -> None:
    async with connected(sending(b"x")) as (stream, _):
        with anyio.move_on_after(SHORT_S) as scope:
            await (stream.deliver_to(lambda _: False) if delivers else stream.receive())
        assert scope.cancelled_caught
        await stream.send(b".")
        assert await stream.receive() == b"x"


async def test_no_timer_is_left_in_the_event_loop(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("AnyioStream sets no timers")
    async with connected(sending(b"x")) as (stream, _):
        stream.deadline = time.monotonic() + 1000
        await stream.send(b".")
        await stream.receive()
        await stream.aclose()
        scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert [timer for timer in scheduled if not timer.cancelled() and timer.when() > time.monotonic() + 500] == []


async def test_data_before_tls_is_refused() -> None:
    authority = trustme.CA()
    with RawServer(sending(b"a proxy says more than it should")) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        await stream.send(b".")
        await until_unread(stream)
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await stream.start_tls(tls_for(authority, "127.0.0.1"), "127.0.0.1")
        await stream.aclose()


async def test_all_data_over_tls_is_read_however_late(anyio_backend: object) -> None:
    """uvloop drops the data that TLS holds while reading is paused: it must be an error there, not a regular end."""
    authority, trust, size = trustme.CA(), ssl.create_default_context(), 500_000
    authority.configure_trust(trust)
    is_sent = threading.Event()

    def script(connection: Connection) -> None:
        connection.secure(tls_for(authority, "127.0.0.1"))
        connection.read(1)
        connection.send(b"x" * size)
        connection.close()
        is_sent.set()

    received, error = 0, None
    with RawServer(script) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        stream = await stream.start_tls(trust, "127.0.0.1")
        await stream.send(b".")
        with anyio.fail_after(PATIENCE):
            while not (is_sent.is_set() and stream.has_unread()):
                await anyio.sleep(0.001)
        try:
            while data := await stream.receive():
                received += len(data)
        except OSError as failed:
            error = failed
        await stream.aclose()
    assert error is None or isinstance(anyio_backend, tuple)
    assert (error is not None) or received == size


async def test_data_that_tls_may_hold_after_a_pause_counts_as_unread(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("trio reads nothing before receive is called")
    async with connected(sending(b"x" * 2_000_000)) as (stream, _):
        await stream.send(b".")
        await until_unread(stream)
        assert isinstance(stream, AsyncioStream)
        with anyio.fail_after(PATIENCE):
            while not vars(stream)["_is_read_paused"]:
                await anyio.sleep(0.001)
        await stream.receive()
        assert stream.has_unread()
