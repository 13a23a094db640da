"""Streams that keep a deadline, on every event loop: asyncio's own, uvloop's, and trio's."""

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

# Seconds: what a test lets pass on purpose, and how late things may be on a busy machine.
SOON = 0.1
LATENESS = 1.0


@pytest.fixture(params=["asyncio", "trio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "trio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@asynccontextmanager
async def connected(*scripts: Script) -> AsyncIterator[tuple[DeadlineStream, RawServer]]:
    """A stream to a server that follows a script."""
    with RawServer(*scripts) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        try:
            yield stream, server
        finally:
            await stream.aclose()
            assert await saw_end(server.connection())


def sending(*pieces: bytes) -> Script:
    """Send each piece as soon as the client has sent a byte."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.read(1)
            connection.send(piece)
        connection.wait_for_end()

    return script


async def unread(stream: DeadlineStream) -> None:
    """Wait until something has come that nobody has read."""
    with anyio.fail_after(PATIENCE):
        while not stream.has_unread():
            await anyio.sleep(0.001)


async def read_for_ever(stream: DeadlineStream) -> None:
    """Until it fails."""
    while True:
        await stream.receive()


async def write_for_ever(stream: DeadlineStream) -> None:
    """Until it fails."""
    while True:
        await stream.send(b"x")
        await anyio.sleep(0)


async def test_gives_no_more_than_is_wanted_and_keeps_the_rest() -> None:
    async with connected(sending(b"one two")) as (stream, _):
        await stream.send(b".")
        assert await stream.receive(3) == b"one"
        assert stream.has_unread() or await stream.receive(1) == b" "
        rest = await stream.receive()
        assert rest.endswith(b"two")


async def test_what_came_before_the_end_is_given_before_it() -> None:
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
async def test_reading_ends_by_the_deadline_whatever_drips(drips: bool) -> None:
    def script(connection: Connection) -> None:
        connection.drip(b"x", every=SOON / 10) if drips else connection.wait_for_end()

    async with connected(script) as (stream, _):
        stream.deadline = deadline = time.monotonic() + SOON
        with pytest.raises(TimeoutError):
            await read_for_ever(stream)
        assert deadline - 0.01 <= time.monotonic() < deadline + LATENESS


async def test_reading_ends_after_so_much_silence() -> None:
    async with connected(silent) as (stream, _):
        stream.silence = SOON
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await stream.receive()
        assert SOON - 0.01 <= time.monotonic() - begun < SOON + LATENESS


async def test_silence_is_counted_anew_for_each_read() -> None:
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
        stream.deadline = deadline = time.monotonic() + SOON
        with pytest.raises(TimeoutError):
            await stream.receive()
        assert time.monotonic() < deadline + LATENESS


async def test_a_slow_reader_stops_the_reading() -> None:
    sent = 0

    def script(connection: Connection) -> None:
        nonlocal sent
        connection.limit(SOON * 3)
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
        await anyio.sleep(SOON * 6)
        # What the system keeps on both sides, and what the stream does.
        assert sent < 16 * 1024 * 1024
        stream.deadline = time.monotonic() + PATIENCE
        received = b""
        while not received.endswith(b"end"):
            received = received[-2:] + await stream.receive()


async def test_writing_ends_by_the_deadline_where_nobody_reads() -> None:
    def script(connection: Connection) -> None:
        connection.saw_end.wait(PATIENCE)

    with RawServer(script) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        stream.deadline = deadline = time.monotonic() + SOON
        with pytest.raises(TimeoutError):
            await stream.send(bytes(64 * 1024 * 1024))
        assert time.monotonic() < deadline + LATENESS
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
    def script(connection: Connection) -> None:
        connection.read(1)
        connection.reset()

    async with connected(script) as (stream, server):
        server.connection().saw_end.set()
        await stream.send(b".")
        await unread(stream)
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await write_for_ever(stream)


async def test_a_reset_is_an_error_and_no_end() -> None:
    def script(connection: Connection) -> None:
        connection.read(1)
        connection.reset()

    async with connected(script) as (stream, server):
        server.connection().saw_end.set()
        await stream.send(b".")
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await stream.receive()


async def test_pours_everything_until_it_is_enough() -> None:
    async with connected(sending(b"one", b"two", b"three", b"four")) as (stream, _):
        poured: list[bytes] = []

        def take(data: bytes) -> bool:
            poured.append(data)
            return b"".join(poured) == b"onetwothree"

        await stream.send(b".")
        await unread(stream)  # some of it is there before
        await stream.send(b"..")
        await stream.deliver_to(take)
        assert b"".join(poured) == b"onetwothree"
        # What comes now is for the next one who reads.
        await stream.send(b".")
        assert await stream.receive() == b"four"


async def test_pours_the_end() -> None:
    def script(connection: Connection) -> None:
        connection.read(1)
        connection.close()

    async with connected(script) as (stream, server):
        server.connection().saw_end.set()
        poured: list[bytes] = []
        await stream.send(b".")
        await stream.deliver_to(lambda data: poured.append(data) or not data)  # type: ignore[func-returns-value]
        assert poured == [b""]
        # And again for who comes later.
        await stream.deliver_to(lambda data: poured.append(data) or not data)  # type: ignore[func-returns-value]
        assert poured == [b"", b""]


async def test_pouring_ends_with_what_broke_the_connection() -> None:
    def script(connection: Connection) -> None:
        connection.read(1)
        connection.reset()

    async with connected(script) as (stream, server):
        server.connection().saw_end.set()
        await stream.send(b".")
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await stream.deliver_to(lambda _: False)


async def test_pouring_ends_by_a_deadline_that_moves() -> None:
    def script(connection: Connection) -> None:
        connection.drip(b"x", every=SOON / 10)

    async with connected(script) as (stream, _):
        moved = 0

        def take(data: bytes) -> bool:
            nonlocal moved
            if moved < 5:
                moved += 1
                stream.deadline = time.monotonic() + SOON
            return False

        stream.deadline = time.monotonic() + SOON
        with pytest.raises(TimeoutError):
            await stream.deliver_to(take)
        assert moved == 5
        assert stream.deadline - 0.01 <= time.monotonic() < stream.deadline + LATENESS


async def test_pouring_ends_after_so_much_silence() -> None:
    async with connected(sending(b"x")) as (stream, _):
        stream.silence = SOON
        heard = math.inf

        def take(data: bytes) -> bool:
            nonlocal heard
            heard = time.monotonic()
            return False

        await stream.send(b".")
        with pytest.raises(TimeoutError):
            await stream.deliver_to(take)
        assert heard + SOON - 0.01 <= time.monotonic() < heard + SOON + LATENESS


@pytest.mark.parametrize("pours", [False, True])
async def test_a_task_that_is_cancelled_leaves_the_stream_in_order(pours: bool) -> None:
    async with connected(sending(b"x")) as (stream, _):
        with anyio.move_on_after(SOON) as scope:
            await (stream.deliver_to(lambda _: False) if pours else stream.receive())
        assert scope.cancelled_caught
        await stream.send(b".")
        assert await stream.receive() == b"x"


async def test_nothing_is_left_in_the_event_loop(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("trio has no timers of ours")
    async with connected(sending(b"x")) as (stream, _):
        stream.deadline = time.monotonic() + 1000
        await stream.send(b".")
        await stream.receive()
        await stream.aclose()
        scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert [timer for timer in scheduled if not timer.cancelled() and timer.when() > time.monotonic() + 500] == []


async def test_tls_refuses_what_came_before_it() -> None:
    authority = trustme.CA()
    with RawServer(sending(b"a proxy says more than it should")) as server:
        stream = await dial(Dialer(), Route("http", "127.0.0.1", server.port, None, False))
        await stream.send(b".")
        await unread(stream)
        with pytest.raises((OSError, anyio.BrokenResourceError)):
            await stream.start_tls(tls_for(authority, "127.0.0.1"), "127.0.0.1")
        await stream.aclose()


async def test_all_that_came_over_tls_is_read_however_late(anyio_backend: object) -> None:
    """uvloop forgets what TLS held while the reading was paused: that must be an error there, and no end."""
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


async def test_what_may_still_come_after_a_pause_counts_as_unread(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("nothing is read before somebody asks")
    async with connected(sending(b"x" * 2_000_000)) as (stream, _):
        await stream.send(b".")
        await unread(stream)
        assert isinstance(stream, AsyncioStream)
        with anyio.fail_after(PATIENCE):
            while not vars(stream)["_is_paused"]:
                await anyio.sleep(0.001)
        await stream.receive()
        assert stream.has_unread()
