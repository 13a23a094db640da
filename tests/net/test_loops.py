"""One transport, or one client, in several event loops: one after the other, at once in threads, and in none."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
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
from contract.scripts import Ask, answering, begin, endless, get, tls_for
from modelwire.emulators import Behaviour
from modelwire.errors import LocalProtocolError
from modelwire.outputs import TextDelta
from modelwire_io import AsyncClient, Client
from modelwire_io.client import client as client_module
from modelwire_io.drive import AsyncTransport
from modelwire_io.emulation import EmulatorServer
from modelwire_io.net.loops import PerLoop
from raw_server import OK, PATIENCE, RawServer
from transport_variants import carry, outputs_of
from transports_under_test import TRIO, Carrier, carriers_of

Main = Callable[[], Coroutine[Any, Any, Any]]

ASYNC = [carrier for carrier in carriers_of() if carrier.style == "asyncio"]
AT_ONCE = Behaviour(pause=0, queue=0, work=0)


def run_on_uvloop(main: Main) -> Any:
    return anyio.run(main, backend="asyncio", backend_options={"use_uvloop": True})


def run_on_trio(main: Main) -> Any:
    return anyio.run(main, backend="trio")


def run_on_asyncio(main: Main) -> Any:
    return asyncio.run(main())


RUNS = {"asyncio": run_on_asyncio, "uvloop": run_on_uvloop, "trio": run_on_trio}


@pytest.fixture(params=ASYNC, ids=lambda carrier: carrier.name)
def carrier(request: pytest.FixtureRequest) -> Carrier:
    found: Carrier = request.param
    return found


@pytest.fixture
def runs(carrier: Carrier) -> dict[str, Callable[[Main], Any]]:
    """The ways to run an event loop that this transport knows."""
    return {name: run for name, run in RUNS.items() if name != "trio" or carrier.keeps(TRIO)}


@pytest.fixture
def transport(carrier: Carrier) -> AsyncTransport:
    """One that nobody closes: the event loops do."""
    return carrier.open()


def open_files() -> set[str]:
    """What is open in this process."""
    gc.collect()
    return {f"{entry.name} {os.readlink(entry)}" for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


class TestOneAfterTheOther:
    """Event loops that come and go."""

    authority = Contract.authority

    def test_each_has_connections_of_its_own_and_closes_them(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]
    ) -> None:
        async def ask_twice() -> None:
            for _ in range(2):
                assert (await carry(transport, get(server.url))).body == b"ok"

        twice = [run for run in runs.values() for _ in range(2)]
        with RawServer(*[answering(OK, OK)] * len(twice)) as server:
            for number, run in enumerate(twice):
                run(ask_twice)
                assert len(server.connections) == number + 1, "each loop uses its connection again"
                assert server.connections[number].saw_end.wait(PATIENCE), "no loop leaves one behind"

    def test_nothing_is_left_open(self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]) -> None:
        async def ask() -> None:
            assert (await carry(transport, get(server.url))).body == b"ok"

        with RawServer(*[answering(OK)] * 2 * len(runs)) as server:
            for run in runs.values():
                run(ask)
            before = open_files()
            for run in runs.values():
                run(ask)
            # uvloop keeps what wakes it from signals, and other loops may do so.
            sockets = {each for each in open_files() - before if "socket:" in each}
            assert len(sockets) <= len(server.connections)
        assert {each for each in open_files() - before if "socket:" in each} == set()

    def test_under_tls_as_well(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]], authority: trustme.CA
    ) -> None:
        async def ask() -> None:
            assert (await carry(transport, get(server.url))).body == b"ok"

        with RawServer(*[answering(OK)] * len(runs), tls=tls_for(authority, "127.0.0.1")) as server:
            for number, run in enumerate(runs.values()):
                run(ask)
                assert server.connections[number].saw_end.wait(PATIENCE)

    def test_a_stream_that_is_left_open_ends_with_its_loop(
        self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]
    ) -> None:
        left: list[AsyncGenerator[Any, None]] = []

        async def leave() -> None:
            left.append(outputs_of(Ask(urls=[server.url]), transport))
            assert await anext(left[-1]) == TextDelta("text")

        async def ask() -> None:
            assert (await carry(transport, get(server.url))).body == b"ok"

        ways = [run for name, run in runs.items() if name != "trio"]  # trio warns, for good reason
        with RawServer(*[endless, answering(OK)] * len(ways)) as server:
            for run in ways:
                run(leave)
                assert server.connections[-1].saw_end.wait(PATIENCE)
                run(ask)

    def test_a_stream_that_is_left_at_its_very_end_ends_with_its_loop(self, transport: AsyncTransport) -> None:
        async def leave() -> None:
            left.append(outputs_of(Ask(urls=[server.url]), transport))
            assert await anext(left[-1]) == TextDelta("ok")

        left: list[AsyncGenerator[Any, None]] = []
        with RawServer(answering(OK)) as server:
            run_on_asyncio(leave)
            assert server.connections[0].saw_end.wait(PATIENCE)

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_loop_that_is_closed_by_hand_does_no_harm(self, transport: AsyncTransport) -> None:
        """Nobody tells it: Python warns of what is left, and closes it."""

        async def ask() -> None:
            assert (await carry(transport, get(server.url))).body == b"ok"

        with RawServer(answering(OK), answering(OK)) as server:
            for number in range(2):
                run_and_close(ask())
                assert len(server.connections) == number + 1
            gc.collect()
            assert server.connections[0].saw_end.wait(PATIENCE), "the next loop lets go of it"
            run_on_asyncio(transport.close)
            gc.collect()
            assert server.connections[1].saw_end.wait(PATIENCE)

    def test_what_was_begun_in_one_cannot_go_on_in_another(self, transport: AsyncTransport) -> None:
        with RawServer(endless) as server, anyio.from_thread.start_blocking_portal() as portal:
            exchange = portal.call(begin, transport, server.url)
            for act in (lambda: exchange.receive(transport.clock.now() + PATIENCE), exchange.close):
                with pytest.raises(LocalProtocolError, match="begun in another event loop"):
                    asyncio.run(awaited(act))
            assert not server.connections[0].saw_end.is_set()
            portal.call(exchange.close)
            assert server.connections[0].saw_end.wait(PATIENCE)


class TestAtOnce:
    """Event loops in threads side by side."""

    def test_streams_in_each(self, transport: AsyncTransport, runs: dict[str, Callable[[Main], Any]]) -> None:
        together = threading.Barrier(2 * len(runs), timeout=PATIENCE)

        async def listen() -> str:
            heard = []
            async with aclosing(outputs_of(Ask(urls=[server.url] * 3), transport)) as outputs:
                async for output in outputs:
                    assert isinstance(output, TextDelta)
                    heard.append(output.text)
                    # Each has a connection open, and goes on when all have.
                    together.wait()
            return "".join(heard)

        with RawServer(*[answering(OK, OK, OK)] * 2 * len(runs)) as server, ThreadPoolExecutor(2 * len(runs)) as pool:
            heard = [pool.submit(run, listen) for run in runs.values() for _ in range(2)]
            assert [future.result() for future in heard] == ["okokok"] * 2 * len(runs)
            assert len(server.connections) == 2 * len(runs)
            assert all(connection.saw_end.wait(PATIENCE) for connection in server.connections)

    def test_closing_in_one_leaves_the_others_alone(self, transport: AsyncTransport) -> None:
        with (
            RawServer(answering(OK, OK), answering(OK)) as server,
            anyio.from_thread.start_blocking_portal() as first,
            anyio.from_thread.start_blocking_portal() as second,
        ):
            for portal in (first, second):
                assert portal.call(carry, transport, get(server.url)).body == b"ok"
            second.call(transport.close)
            assert server.connections[1].saw_end.wait(PATIENCE)
            assert not server.connections[0].saw_end.is_set()
            assert first.call(carry, transport, get(server.url)).body == b"ok"
            first.call(transport.close)
            assert server.connections[0].saw_end.wait(PATIENCE)


class TestClients:
    """`AsyncClient` and `Client`."""

    @pytest.fixture
    def server(self) -> Any:
        with EmulatorServer(behaviour=AT_ONCE) as server:
            yield server

    def test_one_client_in_one_loop_after_the_other(
        self, carrier: Carrier, runs: dict[str, Callable[[Main], Any]], server: EmulatorServer
    ) -> None:
        client = AsyncClient(transport=carrier.open(), base_url=server.providers, environment={})

        async def ask() -> str:
            return await client.chat("cromicle", "Hello").read()

        for run in [*runs.values()] * 2:
            assert "“Hello”" in run(ask)

    def test_one_client_in_loops_at_once(
        self, carrier: Carrier, runs: dict[str, Callable[[Main], Any]], server: EmulatorServer
    ) -> None:
        client = AsyncClient(transport=carrier.open(), base_url=server.providers, environment={})

        async def ask() -> str:
            return "".join([await client.chat("cromicle", "Hello").read() for _ in range(5)])

        with ThreadPoolExecutor() as pool:
            answers = [pool.submit(run, ask) for run in [*runs.values()] * 2]
            assert all(future.result().count("“Hello”") == 5 for future in answers)

    @pytest.mark.parametrize("kind", [Client, AsyncClient])
    def test_threads_share_the_transport_that_a_client_makes(
        self, kind: type[Client] | type[AsyncClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        others_are_there = threading.Event()

        def make(*_: object) -> object:
            # Time enough for another thread to come in, if it could.
            others_are_there.wait(0.05)
            return object()

        monkeypatch.setattr(client_module, "default_transport", make)
        monkeypatch.setattr(client_module, "default_async_transport", make)
        client = kind(environment={})
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(lambda _: client.transport, range(4)))) == 1

    def test_a_chat_stays_in_its_loop_and_goes_on_there(self, carrier: Carrier, server: EmulatorServer) -> None:
        client = AsyncClient(transport=carrier.open(), base_url=server.providers, environment={})
        chat = client.chat("cromicle", "Hello")
        with anyio.from_thread.start_blocking_portal() as portal:
            first = portal.call(chat.__anext__)
            assert isinstance(first, TextDelta)
            with pytest.raises(LocalProtocolError, match="go on with it there, or begin anew here"):
                asyncio.run(chat.read())
            assert "“Hello”" in portal.call(chat.read)
            portal.call(client.close)

    def test_a_chat_does_not_pass_for_whole_in_the_next_loop(self, carrier: Carrier, server: EmulatorServer) -> None:
        client = AsyncClient(transport=carrier.open(), base_url=server.providers, environment={})
        chat = client.chat("cromicle", "Hello")
        assert isinstance(asyncio.run(chat.__anext__()), TextDelta)
        with pytest.raises(LocalProtocolError, match="begun in another event loop"):
            asyncio.run(chat.read())

    @pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
    def test_a_blocking_client_works_inside_of_a_loop(self, run: Callable[[Main], Any], server: EmulatorServer) -> None:
        async def ask() -> str:
            with Client(base_url=server.providers, environment={}) as client:
                return client.chat("cromicle", "Hello").read()

        assert "“Hello”" in run(ask)


def test_what_belongs_to_a_loop_is_opened_once_in_it_and_closed_there() -> None:
    log: list[str] = []

    async def close(name: str) -> None:
        await anyio.lowlevel.checkpoint()
        log.append(f"close {name}")

    def open() -> str:
        log.append("open")
        return str(log.count("open"))

    things = PerLoop(open, close)

    async def use() -> list[str]:
        found = []

        async def get() -> None:
            found.append(await things.get())

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(get)
        return found

    async def use_and_close() -> list[str]:
        found = await use()
        await things.close()
        await things.close()
        return found + await use()

    for run in RUNS.values():
        log.clear()
        assert run(use) == ["1"] * 3
        assert run(use_and_close) == ["2"] * 3 + ["3"] * 3
        assert log == ["open", "close 1", "open", "close 2", "open", "close 3"]


def run_and_close(main: Coroutine[Any, Any, None]) -> None:
    """Run a loop, and close it without a word."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    loop.close()


async def awaited(act: Callable[[], Awaitable[Any]]) -> Any:
    return await act()
