"""One transport, or one client, in several event loops: in sequence, and in parallel threads."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
import trustme

from contract.base import Contract
from contract.scripts import Ask, begin, endless, get, responding, tls_for
from modelwire.emulators import Behaviour
from modelwire.errors import LocalProtocolError
from modelwire.outputs import TextDelta
from modelwire_io import AsyncClient, Client, transports
from modelwire_io.drive import AsyncTransport
from modelwire_io.emulation import EmulatorServer
from modelwire_io.net.loops import PerLoop
from raw_server import OK, PATIENCE, RawServer
from transport_calls import fetch, outputs_of
from transport_promises import TRIO
from transport_variants import TransportVariant, variants_of

Main = Callable[[], Coroutine[Any, Any, Any]]

ASYNC = [variant for variant in variants_of() if variant.style == "asyncio"]
WITHOUT_DELAYS = Behaviour(pause=0, queue=0, work=0)


def run_on_uvloop(main: Main) -> Any:
    return anyio.run(main, backend="asyncio", backend_options={"use_uvloop": True})


def run_on_trio(main: Main) -> Any:
    return anyio.run(main, backend="trio")


def run_on_asyncio(main: Main) -> Any:
    return asyncio.run(main())


RUNS = {"asyncio": run_on_asyncio, "uvloop": run_on_uvloop, "trio": run_on_trio}


@pytest.fixture(params=ASYNC, ids=lambda variant: variant.name)
def variant(request: pytest.FixtureRequest) -> TransportVariant:
    found: TransportVariant = request.param
    return found


@pytest.fixture
def runs(variant: TransportVariant) -> dict[str, Callable[[Main], Any]]:
    """The ways to run an event loop that this transport supports."""
    return {name: run for name, run in RUNS.items() if name != "trio" or variant.keeps(TRIO)}


@pytest.fixture
def transport(variant: TransportVariant) -> AsyncTransport:
    """A transport that no test closes: the end of each event loop does."""
    return variant.open()


def open_files() -> set[str]:
    """The open files of this process."""
    gc.collect()
    return {f"{entry.name} {os.readlink(entry)}" for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


class TestLoopsInSequence:
    """Event loops one after the other."""

    authority = Contract.authority

    def test_each_loop_has_its_own_connections_and_closes_them(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]
    ) -> None:
        async def ask_twice() -> None:
            for _ in range(2):
                assert (await fetch(transport, get(server.url))).body == b"ok"

        twice = [run for run in runs.values() for _ in range(2)]
        with RawServer(*[responding(OK, OK)] * len(twice)) as server:
            for number, run in enumerate(twice):
                run(ask_twice)
                assert len(server.connections) == number + 1, "each loop reuses its connection"
                assert server.connections[number].saw_end.wait(PATIENCE), "each loop closes its connection"

    def test_nothing_is_left_open(self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]) -> None:
        async def ask() -> None:
            assert (await fetch(transport, get(server.url))).body == b"ok"

        with RawServer(*[responding(OK)] * 2 * len(runs)) as server:
            for run in runs.values():
                run(ask)
            before = open_files()
            for run in runs.values():
                run(ask)
            # uvloop does not close its signal socket, and other loops may do the same.
            sockets = {each for each in open_files() - before if "socket:" in each}
            assert len(sockets) <= len(server.connections)
        assert {each for each in open_files() - before if "socket:" in each} == set()

    def test_under_tls_as_well(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]], authority: trustme.CA
    ) -> None:
        async def ask() -> None:
            assert (await fetch(transport, get(server.url))).body == b"ok"

        with RawServer(*[responding(OK)] * len(runs), tls=tls_for(authority, "127.0.0.1")) as server:
            for number, run in enumerate(runs.values()):
                run(ask)
                assert server.connections[number].saw_end.wait(PATIENCE)

    def test_an_unfinished_stream_is_closed_with_its_loop(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]
    ) -> None:
        unfinished: list[AsyncGenerator[Any, None]] = []

        async def start_and_stop() -> None:
            unfinished.append(outputs_of(Ask(urls=[server.url]), transport))
            assert await anext(unfinished[-1]) == TextDelta("text")

        async def ask() -> None:
            assert (await fetch(transport, get(server.url))).body == b"ok"

        ways = [run for name, run in runs.items() if name != "trio"]  # trio warns about unfinished generators
        with RawServer(*[endless, responding(OK)] * len(ways)) as server:
            for run in ways:
                run(start_and_stop)
                assert server.connections[-1].saw_end.wait(PATIENCE)
                run(ask)

    def test_a_stream_left_after_its_last_output_is_closed_with_its_loop(self, transport: AsyncTransport) -> None:
        async def start_and_stop() -> None:
            unfinished.append(outputs_of(Ask(urls=[server.url]), transport))
            assert await anext(unfinished[-1]) == TextDelta("ok")

        unfinished: list[AsyncGenerator[Any, None]] = []
        with RawServer(responding(OK)) as server:
            run_on_asyncio(start_and_stop)
            assert server.connections[0].saw_end.wait(PATIENCE)

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_loop_that_is_closed_without_shutdown_asyncgens_does_no_harm(self, transport: AsyncTransport) -> None:
        """The connections are not closed with the loop, but by the garbage collector, with a warning."""

        async def ask() -> None:
            assert (await fetch(transport, get(server.url))).body == b"ok"

        with RawServer(responding(OK), responding(OK)) as server:
            for number in range(2):
                run_and_close(ask())
                assert len(server.connections) == number + 1
            gc.collect()
            assert server.connections[0].saw_end.wait(PATIENCE), "the next loop drops the entry"
            run_on_asyncio(transport.close)
            gc.collect()
            assert server.connections[1].saw_end.wait(PATIENCE)

    def test_an_exchange_cannot_continue_in_another_loop(self, transport: AsyncTransport) -> None:
        with RawServer(endless) as server, anyio.from_thread.start_blocking_portal() as portal:
            exchange = portal.call(begin, transport, server.url)
            for act in (lambda: exchange.receive(transport.clock.now() + PATIENCE), exchange.close):
                with pytest.raises(LocalProtocolError, match="started in another event loop"):
                    asyncio.run(awaited(act))
            assert not server.connections[0].saw_end.is_set()
            portal.call(exchange.close)
            assert server.connections[0].saw_end.wait(PATIENCE)


class TestLoopsInParallel:
    """Event loops in parallel threads."""

    def test_parallel_streams_in_each_loop(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]
    ) -> None:
        all_connected = threading.Barrier(2 * len(runs), timeout=PATIENCE)

        async def read_stream() -> str:
            texts = []
            async with aclosing(outputs_of(Ask(urls=[server.url] * 3), transport)) as outputs:
                async for output in outputs:
                    assert isinstance(output, TextDelta)
                    texts.append(output.text)
                    # Each continues when all have an open connection.
                    all_connected.wait()
            return "".join(texts)

        with RawServer(*[responding(OK, OK, OK)] * 2 * len(runs)) as server, ThreadPoolExecutor(2 * len(runs)) as pool:
            texts = [pool.submit(run, read_stream) for run in runs.values() for _ in range(2)]
            assert [future.result() for future in texts] == ["okokok"] * 2 * len(runs)
            assert len(server.connections) == 2 * len(runs)
            assert all(connection.saw_end.wait(PATIENCE) for connection in server.connections)

    def test_closing_in_one_leaves_the_others_alone(self, transport: AsyncTransport) -> None:
        with (
            RawServer(responding(OK, OK), responding(OK)) as server,
            anyio.from_thread.start_blocking_portal() as first,
            anyio.from_thread.start_blocking_portal() as second,
        ):
            for portal in (first, second):
                assert portal.call(fetch, transport, get(server.url)).body == b"ok"
            second.call(transport.close)
            assert server.connections[1].saw_end.wait(PATIENCE)
            assert not server.connections[0].saw_end.is_set()
            assert first.call(fetch, transport, get(server.url)).body == b"ok"
            first.call(transport.close)
            assert server.connections[0].saw_end.wait(PATIENCE)


class TestClients:
    """`AsyncClient` and `Client`."""

    @pytest.fixture
    def server(self) -> Any:
        with EmulatorServer(behaviour=WITHOUT_DELAYS) as server:
            yield server

    def test_one_client_in_one_loop_after_the_other(
        self, variant: TransportVariant, runs: dict[str, Callable[[Main], Any]], server: EmulatorServer
    ) -> None:
        client = AsyncClient(transport=variant.open(), base_url=server.providers, environment={})

        async def ask() -> str:
            return await client.chat("cromicle", "Hello").read()

        for run in [*runs.values()] * 2:
            assert "“Hello”" in run(ask)

    def test_one_client_in_loops_at_once(
        self, variant: TransportVariant, runs: dict[str, Callable[[Main], Any]], server: EmulatorServer
    ) -> None:
        client = AsyncClient(transport=variant.open(), base_url=server.providers, environment={})

        async def ask() -> str:
            return "".join([await client.chat("cromicle", "Hello").read() for _ in range(5)])

        with ThreadPoolExecutor() as pool:
            answers = [pool.submit(run, ask) for run in [*runs.values()] * 2]
            assert all(future.result().count("“Hello”") == 5 for future in answers)

    @pytest.mark.parametrize("kind", [Client, AsyncClient])
    def test_threads_share_the_transport_that_a_client_creates(
        self, kind: type[Client] | type[AsyncClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def open_slowly(*_: object, **__: object) -> object:
            # Gives another thread time to enter, if it could.
            time.sleep(0.05)
            return object()

        monkeypatch.setattr(transports, "H11Transport", open_slowly)
        monkeypatch.setattr(transports, "AsyncH11Transport", open_slowly)
        client = kind(environment={})
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(lambda _: client.transport, range(4)))) == 1

    def test_a_chat_belongs_to_its_loop_and_continues_there(
        self, variant: TransportVariant, server: EmulatorServer
    ) -> None:
        client = AsyncClient(transport=variant.open(), base_url=server.providers, environment={})
        chat = client.chat("cromicle", "Hello")
        with anyio.from_thread.start_blocking_portal() as portal:
            first = portal.call(chat.__anext__)
            assert isinstance(first, TextDelta)
            with pytest.raises(LocalProtocolError, match="continue in that one, or start again in this one"):
                asyncio.run(chat.read())
            assert "“Hello”" in portal.call(chat.read)
            portal.call(client.close)

    def test_a_chat_is_not_reported_as_complete_in_the_next_loop(
        self, variant: TransportVariant, server: EmulatorServer
    ) -> None:
        client = AsyncClient(transport=variant.open(), base_url=server.providers, environment={})
        chat = client.chat("cromicle", "Hello")
        assert isinstance(asyncio.run(chat.__anext__()), TextDelta)
        with pytest.raises(LocalProtocolError, match="started in another event loop"):
            asyncio.run(chat.read())

    @pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
    def test_a_blocking_client_works_inside_a_loop(self, run: Callable[[Main], Any], server: EmulatorServer) -> None:
        async def ask() -> str:
            with Client(base_url=server.providers, environment={}) as client:
                return client.chat("cromicle", "Hello").read()

        assert "“Hello”" in run(ask)


def test_a_resource_is_opened_once_in_its_loop_and_closed_there() -> None:
    log: list[str] = []

    async def close(name: str) -> None:
        await anyio.lowlevel.checkpoint()
        log.append(f"close {name}")

    def open() -> str:
        log.append("open")
        return str(log.count("open"))

    resources = PerLoop(open, close)

    async def use() -> list[str]:
        found = []

        async def get() -> None:
            found.append(await resources.get())

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(get)
        return found

    async def use_and_close() -> list[str]:
        found = await use()
        await resources.close()
        await resources.close()
        return found + await use()

    for run in RUNS.values():
        log.clear()
        assert run(use) == ["1"] * 3
        assert run(use_and_close) == ["2"] * 3 + ["3"] * 3
        assert log == ["open", "close 1", "open", "close 2", "open", "close 3"]


def run_and_close(main: Coroutine[Any, Any, None]) -> None:
    """Run a loop, and close it without `shutdown_asyncgens`."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    loop.close()


async def awaited(act: Callable[[], Awaitable[Any]]) -> Any:
    return await act()
