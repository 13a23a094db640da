"""Opening a connection along a route, for async code on asyncio and on trio.

Deadlines are kept by cancellation, from outside.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import anyio

from modelwire.errors import ConnectError

from .asyncio_stream import AsyncioStream
from .connect import STAGGER, AddressInfo, Dialer, address_for_socks, is_bad_name, is_numeric, pick, socks_options
from .deadline_streams import AnyioStream, DeadlineStream
from .proxies import Proxy
from .routes import Route
from .tunnels import ConnectTunnel, load_socks, socks_failure


async def dial(dialer: Dialer, route: Route) -> DeadlineStream:
    """A connected stream, under TLS if the route says so.

    Raises `OSError` or what anyio has for a broken stream, `ConnectError` for what is not a matter of the connection,
    and `InvalidInput` for a proxy that cannot be used here.
    """
    proxy = route.proxy
    found = await _resolve(route.host, route.port) if proxy is None or proxy.scheme == "socks5" else []
    addresses = pick(route, found)
    if proxy is None:
        stream = await _connect(addresses)
    else:
        stream = await _connect(await _resolve(proxy.host, proxy.port))
    try:
        if proxy is not None:
            if proxy.scheme == "https":
                stream = await _secure(stream, proxy.host, dialer)
            if proxy.is_socks:
                await _open_socks(stream, proxy, address_for_socks(addresses) if addresses else route.host, route.port)
            elif route.is_tunnelled:
                await _open_tunnel(stream, ConnectTunnel(proxy, route))
        if route.scheme == "https":
            stream = await _secure(stream, route.host, dialer)
    except BaseException:
        await stream.aclose()
        raise
    return stream


async def _resolve(host: str, port: int) -> Sequence[AddressInfo]:
    if is_numeric(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        return await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ConnectError(f"{host!r} is no name of a host") from None


async def _connect(found: Sequence[AddressInfo]) -> DeadlineStream:
    """Connect to the address that answers first; those that answer late, or badly, get company (RFC 8305, 5)."""
    if len(found) == 1:
        return await _connect_to(*found[0][4][:2])
    connected: list[DeadlineStream] = []
    errors: list[OSError] = []

    async def attempt(address: str, port: int, has_failed: anyio.Event) -> None:
        try:
            connected.append(await _connect_to(address, port))
            attempts.cancel_scope.cancel()
        except OSError as error:
            errors.append(error)
            has_failed.set()

    try:
        async with anyio.create_task_group() as attempts:
            for entry in found:
                has_failed = anyio.Event()
                address, port = entry[4][:2]
                attempts.start_soon(attempt, address, port, has_failed)
                with anyio.move_on_after(STAGGER):
                    await has_failed.wait()
    except BaseException:
        for stream in connected:
            await stream.aclose()
        raise
    for late in connected[1:]:
        await late.aclose()
    if not connected:
        raise errors[-1] if errors else OSError("the name has no address")
    return connected[0]


async def _connect_to(address: str, port: int) -> DeadlineStream:
    if not _is_in_asyncio_task():
        return AnyioStream(await anyio.connect_tcp(address, port))
    _, stream = await asyncio.get_running_loop().create_connection(AsyncioStream, address, port)
    return stream


def _is_in_asyncio_task() -> bool:
    """Whether asyncio runs us; trio may be its guest, and is no task of it."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _secure(stream: DeadlineStream, host: str, dialer: Dialer) -> DeadlineStream:
    try:
        return await stream.start_tls(dialer.tls, host)
    except ValueError as error:
        if is_bad_name(error):
            raise ConnectError(f"{host!r} is no name that a certificate could be for") from None
        raise


async def _open_tunnel(stream: DeadlineStream, tunnel: ConnectTunnel) -> None:
    await stream.send(tunnel.request)
    while not tunnel.receive(await stream.receive(4096)):
        pass


async def _open_socks(stream: DeadlineStream, proxy: Proxy, host: str, port: int) -> None:
    dialogue = load_socks("python_socks.async_.anyio").Proxy(**socks_options(proxy, _Connected(stream)))
    try:
        # Its own timeout would count beside ours.
        await dialogue.connect(host, port, timeout=float("inf"))
    except OSError:
        raise
    except Exception as error:
        raise socks_failure(error) from None


class _Connected:
    """What python-socks takes for a proxy before the proxy: it gets a connection that is there already."""

    def __init__(self, stream: DeadlineStream) -> None:
        self._stream = stream

    async def connect(self, **_: object) -> DeadlineStream:
        """The connection."""
        return self._stream
