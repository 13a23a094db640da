"""A thousand responses at the same time in one process, over each async transport; then nothing is left open."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from contract.scripts import Ask
from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport
from raw_server import chunk, response
from transport_calls import outputs_of
from transport_variants import TransportVariant

COUNT = 1000
PIECES = 5
WHOLE = "one " + "more " * PIECES

# Number: each stream has two sockets, and both are in this process.
OPEN_FILES = 2 * COUNT + 500
# Seconds of silence that a stream tolerates while the others begin: httpx goes through all its connections for each
# request, and takes some seconds to begin a thousand.
SILENCE = 30.0

TRIO: Any = ("trio", {})
ASYNCIO: Any = ("asyncio", {})
UVLOOP: Any = ("asyncio", {"use_uvloop": True})


class PatientServer:
    """Sends the first chunk of each response at once, and the others once it has begun `COUNT` responses."""

    def __init__(self) -> None:
        self._begun = 0
        self._all_have_begun = asyncio.Event()

    async def start(self) -> asyncio.Server:
        return await asyncio.start_server(self._respond, "127.0.0.1", 0, backlog=COUNT)

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        writer.write(response("Transfer-Encoding: chunked") + chunk(b"one "))
        self._begun += 1
        if self._begun == COUNT:
            self._all_have_begun.set()
        await self._all_have_begun.wait()
        for _ in range(PIECES):
            writer.write(chunk(b"more "))
            await asyncio.sleep(0.01)
        writer.write(chunk(b""))
        await reader.read()
        writer.close()


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of a server that runs in a thread of its own."""
    with anyio.from_thread.start_blocking_portal() as portal:
        server = portal.call(portal.call(PatientServer).start)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        portal.call(server.close)


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        pytest.skip(f"the system allows no {OPEN_FILES} open files")
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "anyio_backend"),
    [
        pytest.param("h11", ASYNCIO, id="h11-asyncio"),
        pytest.param("h11", UVLOOP, id="h11-uvloop"),
        pytest.param("h11", TRIO, id="h11-trio"),
        pytest.param("httpx", ASYNCIO, id="httpx-asyncio"),
        pytest.param("httpx", TRIO, id="httpx-trio"),
        pytest.param("aiohttp", ASYNCIO, id="aiohttp-asyncio"),
    ],
)
async def test_all_responses_are_whole_and_nothing_is_left_open(name: str, anyio_backend: Any, url: str) -> None:
    # With its first connection an event loop opens files that it uses for all others.
    await (await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))).aclose()
    before = count_open()
    texts: list[str] = []

    async def listen(transport: AsyncTransport) -> None:
        outputs = outputs_of(Ask(urls=[url], silence=SILENCE), transport)
        texts.append("".join([output.text async for output in outputs if isinstance(output, TextDelta)]))

    transport = TransportVariant(name, "asyncio").open()
    async with anyio.create_task_group() as listeners:
        for _ in range(COUNT):
            listeners.start_soon(listen, transport)
    await transport.close()
    assert texts == [WHOLE] * COUNT
    with anyio.fail_after(SILENCE):
        while any(now > then for now, then in zip(count_open(), before, strict=True)):
            await anyio.sleep(0.01)


def count_open() -> tuple[int, int, int]:
    """The numbers of open files, threads, and tasks of asyncio."""
    gc.collect()
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:
        tasks = 0
    # The runner of async tests may let trio wait in a thread.
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith("Trio thread")]
    return len(os.listdir("/dev/fd")), len(threads), tasks
