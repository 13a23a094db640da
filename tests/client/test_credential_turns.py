"""Credentials that several flows share: one flow refreshes them, and the others use the new ones."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, cast

import anyio
import pytest

from command_line import PATIENCE, Home
from emulated_clients import NO_PAUSES, SUBMIT
from modelwire.emulators import ArtaEmulator, Behaviour
from modelwire.errors import DeadlineExceeded, StatusError
from modelwire.events import CredentialsReplaced
from modelwire.json import JsonObject
from modelwire.outputs import CredentialsChanged, ImageReady, StatusChanged
from modelwire.recording import parse_recording
from modelwire.testing import assert_replays
from modelwire_io import AsyncClient, Client, ImageJob
from modelwire_io.client.credential_turns import (
    AsyncGatedExchange,
    AsyncRefreshGate,
    GatedExchange,
    RefreshGate,
    run_to_its_end,
)
from modelwire_io.client.settings import Configuration
from modelwire_io.emulation import EmulatorServer
from modelwire_io.store import FileStore, MemoryStore
from modelwire_io.store.credentials import Lock, LockingStore, Store
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from raw_server import Connection, RawServer
from sync_async_equality import blocking_methods

pytestmark = pytest.mark.anyio

SIGN_UP, REFRESH = "/identitytoolkit/v3/relyingparty/signupNewUser", "/v1/token"
KEY: JsonObject = {"api_key": "any"}
# Seconds: the longest wait of a test before it fails. A test that passes does not wait for it.
LONG = 30.0

BACKENDS: tuple[Literal["asyncio", "trio"], ...] = ("asyncio", "trio")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class PlainStore:
    """A store with `load` and `save` alone, as a user may write one."""

    def __init__(self) -> None:
        self._inner = MemoryStore()

    def load(self, provider: str, origin: str) -> JsonObject | None:
        return self._inner.load(provider, origin)

    def save(self, provider: str, origin: str, value: JsonObject | None) -> None:
        self._inner.save(provider, origin, value)


def stores(folder: Path) -> list[Store]:
    return [MemoryStore(), PlainStore(), FileStore(folder / "credentials")]


def targets(server: EmulatorServer) -> list[str]:
    """The paths of the requests, in order."""
    return [record.target.partition("?")[0] for record in server.requests]


def is_free(store: LockingStore, origin: str) -> bool:
    """True if the lock for ARTA can be taken."""
    lock = store.lock("arta", origin)
    if not lock.acquire(0):
        return False
    lock.release()
    return True


# One store, many flows.


@pytest.mark.parametrize("kind", range(3), ids=["memory", "plain", "file"])
def test_threads_that_share_a_client_log_in_once(tmp_path: Path, kind: int) -> None:
    store = stores(tmp_path)[kind]
    with EmulatorServer(behaviour=NO_PAUSES) as server:
        store.save("arta", server.providers["arta"], KEY)
        with Client(base_url=server.providers, store=store, environment={}) as client, ThreadPoolExecutor(6) as threads:
            jobs = threads.map(lambda _: list(client.image("arta", "a dragon")), range(6))
            assert all(isinstance(job[-1], ImageReady) for job in jobs)
            answers = threads.map(lambda _: client.chat("fakegpt", "Hello").read(), range(6))
            assert all("“Hello”" in answer for answer in answers)
        assert [targets(server).count(path) for path in (SIGN_UP, REFRESH, SUBMIT)] == [1, 0, 6]
        assert [targets(server).count(path) for path in ("/auth/login", "/api/conversation")] == [1, 6]


@pytest.mark.parametrize("kind", range(3), ids=["memory", "plain", "file"])
async def test_tasks_that_share_a_client_log_in_once(tmp_path: Path, kind: int) -> None:
    store = stores(tmp_path)[kind]
    answers: list[str] = []

    async def ask(client: AsyncClient) -> None:
        answers.append(await client.chat("fakegpt", "Hello").read())

    with EmulatorServer(behaviour=NO_PAUSES) as server:
        configuration: Configuration = {"base_url": server.providers, "store": store, "environment": {}}
        async with AsyncClient(**configuration) as client, anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(ask, client)
        assert [targets(server).count(path) for path in ("/auth/login", "/api/conversation")] == [1, 6]
    assert all("“Hello”" in answer for answer in answers)


def test_refused_credentials_are_replaced_by_one_login_for_all_threads(tmp_path: Path) -> None:
    store = MemoryStore()
    with EmulatorServer(behaviour=NO_PAUSES) as server:
        store.save("fakegpt", server.providers["fakegpt"], {"access_token": "expired", "cookies": []})
        with Client(base_url=server.providers, store=store, environment={}) as client, ThreadPoolExecutor(6) as threads:
            answers = threads.map(lambda _: client.chat("fakegpt", "Hello").read(), range(6))
            assert all("“Hello”" in answer for answer in answers)
        assert targets(server).count("/auth/login") == 1


def test_stored_credentials_that_were_refused_are_not_used_again() -> None:
    emulator = ArtaEmulator(NO_PAUSES)
    transport = MemoryTransport({"arta": emulator})
    store = MemoryStore()
    (url,) = transport.base_urls.values()
    now = transport.clock.now()
    refused = {**KEY, "id_token": "old", "refresh_token": "old", "issued_at": now - 2000, "expires_in": 3600.0}
    store.save("arta", url, refused)
    with Client(transport=transport, base_url=url, store=store, environment={}) as client:
        outputs = list(client.image("arta", "a dragon"))
    assert len([output for output in outputs if isinstance(output, CredentialsChanged)]) == 1


def test_a_job_that_is_polled_uses_the_token_that_another_job_refreshed(tmp_path: Path) -> None:
    # A job outlives two tokens.
    emulator = ArtaEmulator(Behaviour(pause=0.0, queue=0.0, work=240.0, token_life=100.0))
    transport = MemoryTransport({"arta": emulator})
    store = MemoryStore()
    (url,) = transport.base_urls.values()
    store.save("arta", url, KEY)
    recording = tmp_path / "recording"
    with Client(transport=transport, base_url=url, store=store, environment={}) as client:
        job = client.image("arta", "a dragon", record=recording)
        while not isinstance(next(job), StatusChanged):
            pass
        other = list(client.image("arta", "another dragon"))
        assert len([output for output in other if isinstance(output, CredentialsChanged)]) == 2
        stored = store.load("arta", url)
        outputs = list(job)
        assert isinstance(outputs[-1], ImageReady)
        assert not any(isinstance(output, CredentialsChanged) for output in outputs)
        assert store.load("arta", url) == stored
    assert stored is not None
    lines = recording.read_text()
    (event,) = (call.event for call in parse_recording(lines).calls if isinstance(call.event, CredentialsReplaced))
    assert event.credentials["issued_at"] == stored["issued_at"]
    assert not any(stored[name] in lines for name in ("id_token", "refresh_token"))
    assert_replays(recording)


# A flow that holds the lock while others wait.


@pytest.fixture
def server() -> Any:
    with EmulatorServer(behaviour=NO_PAUSES) as running:
        yield running


def configured(server: EmulatorServer, store: Store, timeout: float) -> Configuration:
    store.save("arta", server.providers["arta"], KEY)
    return {"base_url": server.providers, "store": store, "environment": {}, "timeout": timeout}


LOCKED = "another program was refreshing the credentials all the time; if it hangs, end it, and try again$"


def test_a_thread_that_waits_too_long_for_the_lock_says_so(server: EmulatorServer, tmp_path: Path) -> None:
    for store in (MemoryStore(), FileStore(tmp_path / "credentials")):
        with Client(**configured(server, store, 0.2)) as client:
            other = store.lock("arta", server.providers["arta"])
            assert other.acquire(0)
            with pytest.raises(DeadlineExceeded, match=LOCKED):
                list(client.image("arta", "a dragon"))
            assert targets(server) == []
            other.release()
            assert is_free(store, server.providers["arta"])


async def test_a_task_that_waits_too_long_for_the_lock_says_so(server: EmulatorServer, tmp_path: Path) -> None:
    for store in (MemoryStore(), FileStore(tmp_path / "credentials")):
        async with AsyncClient(**configured(server, store, 0.2)) as client:
            other = store.lock("arta", server.providers["arta"])
            assert other.acquire(0)
            with pytest.raises(DeadlineExceeded, match=LOCKED):
                async for _ in client.image("arta", "a dragon"):
                    pass
            assert targets(server) == []
            other.release()
            assert is_free(store, server.providers["arta"])


async def test_a_task_that_waits_can_be_cancelled_and_leaves_the_lock_free(
    server: EmulatorServer, tmp_path: Path
) -> None:
    for store in (MemoryStore(), FileStore(tmp_path / "credentials")):
        async with AsyncClient(**configured(server, store, LONG)) as client:
            other = store.lock("arta", server.providers["arta"])
            assert other.acquire(0)
            async with client.image("arta", "a dragon") as job:
                with anyio.move_on_after(0.1) as waiting:
                    await anext(job)
            assert waiting.cancelled_caught
            other.release()
            assert is_free(store, server.providers["arta"])
            async with client.image("arta", "a dragon") as job:
                assert isinstance(await anext(job), CredentialsChanged)


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "credentials")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(store.directory)],
        stdout=subprocess.PIPE,
        env=Home(tmp_path / "home").environment({}),
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert not is_free(store, "https://here.example")
        assert is_free(store, "https://there.example")
    finally:
        holder.kill()
        holder.communicate(timeout=PATIENCE)
    lock = store.lock("arta", "https://here.example")
    assert lock.acquire(PATIENCE)
    lock.release()


HOLD_LOCK = """
import sys, time
from pathlib import Path
from modelwire_io.store import FileStore
lock = FileStore(Path(sys.argv[1])).lock("arta", "https://here.example")
assert lock.acquire(0)
print("held", flush=True)
time.sleep(60)
"""


# A flow that ends during its turn.


def silent(connection: Connection) -> None:
    connection.wait_for_end()


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_job_that_is_closed_or_collected_during_its_turn_releases_the_lock(is_closed: bool) -> None:
    store = MemoryStore()
    with RawServer(silent) as server, Client(base_url=server.url, store=store, environment=ENVIRONMENT) as client:
        job: ImageJob | None = client.image("arta", "a dragon")
        assert job is not None
        assert job._turn.take(0)
        assert not is_free(store, server.url)
        if is_closed:
            job.close()
        else:
            job = None
            gc.collect()
        assert is_free(store, server.url)


def test_a_job_that_fails_during_its_turn_releases_the_lock() -> None:
    store = MemoryStore()
    with EmulatorServer(behaviour=NO_PAUSES) as server:
        url = f"{server.url}/cromicle"  # the wrong emulator: it has no such path
        with Client(base_url=url, store=store, environment=ENVIRONMENT) as client:
            job = client.image("arta", "a dragon")
            with pytest.raises(StatusError):
                next(job)
            assert is_free(store, url)
            job.close()


def test_the_lock_is_free_as_soon_as_new_credentials_are_stored(server: EmulatorServer) -> None:
    store = MemoryStore()
    with Client(**configured(server, store, LONG)) as client:
        job = client.image("arta", "a dragon")
        assert isinstance(next(job), CredentialsChanged)
        assert is_free(store, server.providers["arta"])
        job.close()


ENVIRONMENT = {"ARTA_API_KEY": "any"}


async def test_a_job_that_is_cancelled_during_its_turn_releases_the_lock() -> None:
    store = MemoryStore()
    with RawServer(silent) as server:
        async with AsyncClient(base_url=server.url, store=store, environment=ENVIRONMENT) as client:
            with anyio.move_on_after(LONG) as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_cancel_when, scope, lambda: bool(server.connections))
                    async with client.image("arta", "a dragon") as job:
                        await anext(job)
            assert scope.cancelled_caught
            assert is_free(store, server.url)


async def _cancel_when(scope: anyio.CancelScope, condition: Callable[[], bool]) -> None:
    while not condition():
        await anyio.sleep(0.01)
    scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_run_to_its_end_calls_once_even_if_its_task_is_cancelled(anyio_backend: str) -> None:
    began, may_end, runs = threading.Event(), threading.Event(), list[str]()

    def save() -> None:
        began.set()
        may_end.wait(PATIENCE)
        runs.append("saved")

    for wait_for_begin in (True, False):
        runs.clear()
        task = asyncio.create_task(run_to_its_end(save))
        await asyncio.sleep(0)
        if wait_for_begin:
            await asyncio.to_thread(began.wait, PATIENCE)
        may_end.clear()
        task.cancel()
        threading.Timer(0.05, may_end.set).start()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runs == ["saved"]


async def test_run_to_its_end_raises_the_exception_of_the_call() -> None:
    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match=r"^full$"):
        await run_to_its_end(fail)


# The gates, and the locks.


@pytest.mark.parametrize(
    ("blocking", "asynchronous"),
    [(RefreshGate, AsyncRefreshGate), (GatedExchange, AsyncGatedExchange)],
)
def test_the_blocking_and_the_async_gate_do_the_same(blocking: type[Any], asynchronous: type[Any]) -> None:
    ours, theirs = blocking_methods(blocking), blocking_methods(asynchronous)
    # These differ: a thread blocks in the lock, a task must not.
    for methods in (ours, theirs):
        methods.pop("receive", None)
        methods.pop("_take_turn", None)
    assert ours == theirs


async def test_closing_a_gate_closes_its_transport() -> None:
    class AsyncClosable(AsyncMemoryTransport):
        is_closed = False

        async def close(self) -> None:
            self.is_closed = True

    class Closable(MemoryTransport):
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    turn = cast(Any, None)
    asynchronous, blocking = AsyncClosable(), Closable()
    await AsyncRefreshGate(asynchronous, turn).close()
    RefreshGate(blocking, turn).close()
    assert asynchronous.is_closed
    assert blocking.is_closed


def test_a_store_has_one_lock_for_each_origin(tmp_path: Path) -> None:
    for store in (MemoryStore(), FileStore(tmp_path / "credentials")):
        locks: list[Lock] = [store.lock("arta", "https://a.example"), store.lock("arta", "https://a.example")]
        assert [lock.acquire(0) for lock in locks] == [True, False]
        assert is_free(store, "https://b.example")
        began = time.monotonic()
        assert not locks[1].acquire(0.05)
        assert time.monotonic() - began >= 0.05
        locks[0].release()
        assert locks[1].acquire(LONG)
        locks[1].release()
    assert not isinstance(PlainStore(), LockingStore)
