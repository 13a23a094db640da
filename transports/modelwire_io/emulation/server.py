"""The emulators on a loopback socket: `serve` runs in an event loop, `EmulatorServer` in a thread beside the caller.

with EmulatorServer() as server:
    httpx.post(server.providers["cromicle"] + "/chat", ...)
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup, TaskStatus
from anyio.from_thread import start_blocking_portal

from modelwire.emulators.emulator import DEFAULT_BEHAVIOUR, Behaviour
from modelwire.errors import InvalidInput

from .connection import Connection
from .journal import Journal, RequestRecord
from .site import EmulatedSite, provider_urls

HOST = "127.0.0.1"
# Seconds until a connection is accepted again after that failed, mostly for want of file descriptors.
ACCEPT_PAUSE = 0.05
# Seconds that it takes at most to accept a connection that is there.
ACCEPT_PATIENCE = 1.0


class EmulatorServer:
    """The emulators, served from a thread of their own for as long as the `with` block lasts.

    Raises `InvalidInput` on entry where the port cannot be had; 0 takes any that is free.
    """

    def __init__(self, *, port: int = 0, behaviour: Behaviour = DEFAULT_BEHAVIOUR) -> None:
        self.url = ""
        self._journal = Journal()
        self._serve = partial(serve, port=port, behaviour=behaviour, journal=self._journal)
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
        return provider_urls(self.url)

    @property
    def requests(self) -> list[RequestRecord]:
        """The latest requests, in their order."""
        return self._journal.records

    def wait_for(self, condition: Callable[[Sequence[RequestRecord]], bool], timeout: float = 5.0) -> bool:
        """Wait until the requests fulfil a condition, `timeout` seconds at most; whether they do."""
        return self._journal.wait_for(condition, timeout)


async def serve(
    *,
    port: int = 0,
    behaviour: Behaviour = DEFAULT_BEHAVIOUR,
    journal: Journal | None = None,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the emulators until cancelled. `TaskGroup.start` gives the base URL, once connections are accepted.

    Raises `InvalidInput` where the port cannot be had; 0 takes any that is free.
    """
    async with await _listen(port) as listener:
        url = f"http://{HOST}:{listener.extra(SocketAttribute.local_port)}"
        site = EmulatedSite(url, behaviour, journal or Journal())
        async with anyio.create_task_group() as connections:
            task_status.started(url)
            await _accept_all(listener, site, connections)


async def _listen(port: int) -> SocketListener:
    if not 0 <= port <= 65535:
        raise InvalidInput(f"port {port} does not exist: choose one up to 65535 with --port")
    try:
        listener = (await anyio.create_tcp_listener(local_host=HOST, local_port=port)).listeners[0]
    except OSError as error:
        what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise InvalidInput(f"port {port} {what}: choose another with --port") from error
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
    """The next connection, or None where it went away again.

    To be cancelled while one is accepted would lose it, on asyncio: so that is done when there is one, and at once.
    """
    await anyio.wait_readable(listener.extra(SocketAttribute.raw_socket))
    with anyio.move_on_after(ACCEPT_PATIENCE, shield=True):
        return await listener.accept()
    return None
