"""The emulators on a loopback socket. `serve` runs in the caller's event loop, `EmulatorServer` in its own thread.

with EmulatorServer() as server:
    httpx.post(server.providers["cromicle"] + "/chat", ...)
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup, TaskStatus
from anyio.from_thread import start_blocking_portal

from modelwire.emulators import EMULATORS
from modelwire.emulators.emulator import DEFAULT_BEHAVIOUR, Behaviour, MakeEmulator
from modelwire.errors import InvalidInput

from .connection import Connection
from .journal import Journal, RequestRecord
from .site import EmulatedSite

HOST = "127.0.0.1"
# Seconds: the pause after a connection could not be accepted, most often for lack of file descriptors.
ACCEPT_PAUSE = 0.05
# Seconds: the longest that accepting a waiting connection may take.
ACCEPT_TIMEOUT = 1.0


class PortUnavailable(InvalidInput):
    """A port that the emulators cannot use. The message says why."""


class EmulatorServer:
    """Serves the emulators from its own thread during a `with` block.

    Raises `PortUnavailable` on entry if the port cannot be used. Port 0 means any free port.
    """

    def __init__(self, *, port: int = 0, behaviour: Behaviour = DEFAULT_BEHAVIOUR) -> None:
        self.url = ""
        self._journal = Journal()
        self._makers: dict[str, MakeEmulator] = dict(EMULATORS)
        self._serve = partial(serve, port=port, behaviour=behaviour, journal=self._journal, makers=self._makers)
        self._running = ExitStack()

    def __enter__(self) -> EmulatorServer:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            serving, self.url = portal.start_task(self._serve)
            stack.callback(serving.cancel)
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def providers(self) -> dict[str, str]:
        """The base URL of each provider, by name."""
        return {name: f"{self.url}/{name}" for name in self._makers}

    def add(self, name: str, make_emulator: MakeEmulator) -> str:
        """Serve an emulator of a third-party provider, too. Returns its base URL."""
        self._makers[name] = make_emulator
        return self.providers[name]

    @property
    def requests(self) -> list[RequestRecord]:
        """The latest requests in the order of their arrival."""
        return self._journal.records

    def wait_for(self, condition: Callable[[Sequence[RequestRecord]], bool], timeout: float = 5.0) -> bool:
        """Wait until the requests satisfy a condition, `timeout` seconds at most. Returns whether they do."""
        return self._journal.wait_for(condition, timeout)


async def serve(
    *,
    port: int = 0,
    behaviour: Behaviour = DEFAULT_BEHAVIOUR,
    journal: Journal | None = None,
    makers: Mapping[str, MakeEmulator] = EMULATORS,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the emulators until cancelled. `TaskGroup.start` returns the base URL once connections are accepted.

    Raises `PortUnavailable` if the port cannot be used. Port 0 means any free port.
    """
    async with await _listen(port) as listener:
        url = f"http://{HOST}:{listener.extra(SocketAttribute.local_port)}"
        site = EmulatedSite(url, behaviour, journal or Journal(), makers)
        async with anyio.create_task_group() as connections:
            task_status.started(url)
            await _accept_all(listener, site, connections)


async def _listen(port: int) -> SocketListener:
    if not 0 <= port <= 65535:
        raise PortUnavailable(f"port {port} does not exist: choose one from 0 to 65535")
    try:
        listener = (await anyio.create_tcp_listener(local_host=HOST, local_port=port)).listeners[0]
    except OSError as error:
        problem = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise PortUnavailable(f"port {port} {problem}: choose another") from error
    assert isinstance(listener, SocketListener)
    return listener


async def _accept_all(listener: SocketListener, site: EmulatedSite, connections: TaskGroup) -> None:
    while True:
        try:
            stream = await _accept(listener)
        except (OSError, anyio.BrokenResourceError):
            await anyio.sleep(ACCEPT_PAUSE)
        else:
            if stream is not None:
                connections.start_soon(Connection(stream, site).run)


async def _accept(listener: SocketListener) -> SocketStream | None:
    """Accept the next connection. Returns None if its client has gone already.

    On asyncio, an accept that is cancelled can lose a connection without closing it. So this waits until there is a
    connection, and then accepts it in a shielded scope.
    """
    await anyio.wait_readable(listener.extra(SocketAttribute.raw_socket))
    with anyio.move_on_after(ACCEPT_TIMEOUT, shield=True):
        return await listener.accept()
    return None
