"""The clients of the event streams, each in a process of its own, and the server that all of them read from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from child_processes import ChildProcess, JsonObject
from machine import CLIENT_CORE, SERVER_CORE
from peers import peer_python


class Kind(NamedTuple):
    """A client: its module (`module:variant` if that has several), its environment ("": modelwire's own).

    `is_concurrent`: it can read many streams at a time.
    """

    module: str
    environment: str = ""
    is_concurrent: bool = True


RAW, FLOOR, FLOOR_ASYNCIO = "raw sockets", "own chunk reader", "own chunk reader, asyncio"
H11, H11_ASYNCIO, H11_TRIO = "modelwire, h11", "modelwire, h11, asyncio", "modelwire, h11, trio"
# On asyncio too, but without a task: the event loop calls back with each output.
H11_CALLBACK = "modelwire, h11, adrive_callback"
HTTPX, HTTPX_ASYNCIO = "modelwire, httpx", "modelwire, httpx, asyncio"
AIOHTTP, HTTPX_SSE = "aiohttp + json", "httpx + httpx-sse + json"
OPENAI, ANTHROPIC, LITELLM, G4F = "openai", "anthropic", "litellm", "g4f's provider"

KINDS = {
    RAW: Kind("streams.raw_sockets"),
    FLOOR: Kind("streams.own_chunk_reader"),
    FLOOR_ASYNCIO: Kind("streams.own_chunk_reader_asyncio"),
    H11: Kind("streams.modelwire_drivers:h11", is_concurrent=False),
    H11_ASYNCIO: Kind("streams.modelwire_drivers:h11 asyncio"),
    H11_CALLBACK: Kind("streams.modelwire_drivers:h11 adrive_callback"),
    H11_TRIO: Kind("streams.modelwire_drivers:h11 trio"),
    HTTPX: Kind("streams.modelwire_drivers:httpx", is_concurrent=False),
    HTTPX_ASYNCIO: Kind("streams.modelwire_drivers:httpx asyncio"),
    AIOHTTP: Kind("streams.aiohttp_json", "peers"),
    HTTPX_SSE: Kind("streams.httpx_sse_json", "peers"),
    G4F: Kind("streams.g4f_openai", "peers"),
    OPENAI: Kind("streams.openai_sdk", "peers"),
    ANTHROPIC: Kind("streams.anthropic_sdk", "peers"),
    LITELLM: Kind("streams.litellm_sdk", "peers-litellm"),
}
# modelwire's transports and the loops that each runs on ("": blocking).
_ALL_LOOPS = ("", "asyncio", "trio")
TRANSPORTS = {
    "h11": _ALL_LOOPS,
    "httpx": _ALL_LOOPS,
    "httpx2": _ALL_LOOPS,
    "aiohttp": ("asyncio",),
    "urllib3": ("",),
    "urllib": ("",),
}
TRANSPORT_KINDS = {
    f"{name} {loop}".strip(): Kind(f"streams.modelwire_drivers:{name} {loop}".strip())
    for name, loops in TRANSPORTS.items()
    for loop in loops
}
CONCURRENT = [name for name, kind in KINDS.items() if kind.is_concurrent]
# The clients that decode the events.
DECODING = [name for name in KINDS if name != RAW]


class Clients:
    """The server's process and the clients' processes, waiting for requests."""

    def __init__(self, server: ChildProcess, clients: dict[str, ChildProcess]) -> None:
        self._server = server
        self._clients = clients
        self._url = f"http://127.0.0.1:{server.ready['port']}/v1"

    def ask(self, name: str, what: str, mode: str, *, events: int, streams: int = 1) -> JsonObject:
        """Have a client read `streams` streams of `events` events each, and measure `what`."""
        client = self._clients[name]
        model = f"{mode}:{events}:{streams}:{client.pid}"
        return client.ask(what=what, url=self._url, model=model, streams=streams)

    def cost(self, name: str, mode: str, *, events: int, streams: int = 1) -> Callable[[], float]:
        """A measurement: microseconds of CPU time an event, from connecting to the end of the last stream."""

        def measure() -> float:
            result = self.ask(name, "cpu", mode, events=events, streams=streams)
            if name in DECODING and result["texts"] != events * streams:
                raise RuntimeError(f"{name} read {result['texts']} of {events * streams} events")
            return float(result["cpu"]) / (events * streams) * 1e6

        return measure

    def steady_cost(self) -> float:
        """Seconds of CPU time that the last `one-a-write` streams took while all of them were open."""
        return float(self._server.ask()["steady"])


@contextmanager
def stream_clients(names: Iterable[str] = KINDS) -> Iterator[Clients]:
    """Start the server and these clients; they end with the block."""
    with ExitStack() as stack:
        server = stack.enter_context(ChildProcess("stream_server.py", core=SERVER_CORE))
        clients = {}
        for name in names:
            kind = KINDS.get(name) or TRANSPORT_KINDS[name]
            python = peer_python(kind.environment) if kind.environment else sys.executable
            client = ChildProcess("client_process.py", kind.module, core=CLIENT_CORE, python=python)
            clients[name] = stack.enter_context(client)
        yield Clients(server, clients)
