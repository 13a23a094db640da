"""The clients of the event streams, each in a process of its own, and the server that all of them read from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from machine import CLIENT_CORE, SERVER_CORE
from peers import peer_python
from workers import Record, Worker


class Kind(NamedTuple):
    """A client: its module, the environment that it runs in ("": modelwire's), and whether it reads many streams.

    Behind a colon stands which of the clients of the module.
    """

    module: str
    environment: str = ""
    is_concurrent: bool = True


RAW, FLOOR, PROTOCOL = "raw sockets", "own chunk reader", "own chunk reader, asyncio"
H11, H11_ASYNCIO, H11_TRIO = "modelwire, h11", "modelwire, h11, asyncio", "modelwire, h11, trio"
# On asyncio as well, but called back from the event loop's own callbacks.
H11_ADELIVER = "modelwire, h11, adeliver"
HTTPX, HTTPX_ASYNCIO = "modelwire, httpx", "modelwire, httpx, asyncio"
AIOHTTP, HTTPX_SSE = "aiohttp + json", "httpx + httpx-sse + json"
OPENAI, ANTHROPIC, LITELLM, G4F = "openai", "anthropic", "litellm", "g4f's provider"

KINDS = {
    RAW: Kind("raw_sockets"),
    FLOOR: Kind("own_reader"),
    PROTOCOL: Kind("own_protocol"),
    H11: Kind("modelwire_streams:h11", is_concurrent=False),
    H11_ASYNCIO: Kind("modelwire_streams:h11 asyncio"),
    H11_ADELIVER: Kind("modelwire_streams:h11 adeliver"),
    H11_TRIO: Kind("modelwire_streams:h11 trio"),
    HTTPX: Kind("modelwire_streams:httpx", is_concurrent=False),
    HTTPX_ASYNCIO: Kind("modelwire_streams:httpx asyncio"),
    AIOHTTP: Kind("aiohttp_json", "peers"),
    HTTPX_SSE: Kind("httpx_sse_json", "peers"),
    G4F: Kind("g4f_openai", "peers"),
    OPENAI: Kind("openai_sdk", "peers"),
    ANTHROPIC: Kind("anthropic_sdk", "peers"),
    LITELLM: Kind("litellm_sdk", "peers-litellm"),
}
# modelwire's own transports, each in each style.
_STYLES = ("", "asyncio", "trio")
TRANSPORTS = {
    "h11": _STYLES,
    "httpx": _STYLES,
    "httpx2": _STYLES,
    "aiohttp": ("asyncio",),
    "urllib3": ("",),
    "urllib": ("",),
}
TRANSPORT_KINDS = {
    f"{name} {style}".strip(): Kind(f"modelwire_streams:{name} {style}".strip())
    for name, styles in TRANSPORTS.items()
    for style in styles
}
CONCURRENT = [name for name, kind in KINDS.items() if kind.is_concurrent]
# Those that hand on what they read as they read it.
DECODING = [name for name in KINDS if name != RAW]


class Clients:
    """Processes that wait to be asked."""

    def __init__(self, server: Worker, workers: dict[str, Worker]) -> None:
        self._server = server
        self._workers = workers
        self._url = f"http://127.0.0.1:{server.ready['port']}/v1"

    def ask(self, name: str, what: str, mode: str, *, events: int, streams: int = 1) -> Record:
        """Have a client read so many streams of so many events."""
        worker = self._workers[name]
        model = f"{mode}:{events}:{streams}:{worker.pid}"
        return worker.ask(what=what, url=self._url, model=model, streams=streams)

    def cost(self, name: str, mode: str, *, events: int, streams: int = 1) -> Callable[[], float]:
        """Microseconds of CPU time an event, everything from connecting on."""

        def measure() -> float:
            record = self.ask(name, "cpu", mode, events=events, streams=streams)
            if name in DECODING and record["texts"] != events * streams:
                raise RuntimeError(f"{name} read {record['texts']} of {events * streams} events")
            return float(record["cpu"]) / (events * streams) * 1e6

        return measure

    def steady_cost(self) -> float:
        """Seconds of CPU time that the last `written` streams took while all of them were open."""
        return float(self._server.ask()["steady"])


@contextmanager
def stream_clients(names: Iterable[str] = KINDS) -> Iterator[Clients]:
    """Start the server and these clients; they end with the block."""
    with ExitStack() as stack:
        server = stack.enter_context(Worker("stream_server.py", core=SERVER_CORE))
        workers = {}
        for name in names:
            kind = KINDS.get(name) or TRANSPORT_KINDS[name]
            python = peer_python(kind.environment) if kind.environment else sys.executable
            worker = Worker("client.py", kind.module, core=CLIENT_CORE, python=python)
            workers[name] = stack.enter_context(worker)
        yield Clients(server, workers)
