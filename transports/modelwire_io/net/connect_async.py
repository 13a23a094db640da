"""Open the connection for a route, on asyncio and on trio. The caller enforces a deadline by cancellation."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import anyio

from modelwire.errors import ConnectError

from .asyncio_stream import AsyncioStream
from .connect import (
    ATTEMPT_DELAY_S,
    AddressInfo,
    Dialer,
    address_for_socks,
    allowed_addresses,
    is_bad_name,
    is_numeric,
    socks_options,
)
from .deadline_streams import AnyioStream, DeadlineStream
from .proxies import Proxy
from .routes import Route
from .tunnels import ConnectTunnel, load_socks, socks_failure


async def dial(dialer: Dialer, route: Route) -> DeadlineStream:
    """Open a connection: resolve the host, connect, use the route's proxy, and begin TLS for https.

    Raises `OSError` or `anyio.BrokenResourceError` if a connection fails, `ConnectError` if there is another reason,
    and `InvalidInput` for a proxy that cannot be used.
    """
    proxy = route.proxy
    found = await _resolve_host(route.host, route.port) if proxy is None or proxy.scheme == "socks5" else []
    addresses = allowed_addresses(route, found)
    if proxy is None:
        stream = await _connect(addresses)
    else:
        stream = await _connect(await _resolve_host(proxy.host, proxy.port))
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


async def _resolve_host(host: str, port: int) -> Sequence[AddressInfo]:
    if is_numeric(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        return await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ConnectError(f"{host!r} is not a valid host name") from None


async def _connect(found: Sequence[AddressInfo]) -> DeadlineStream:
    """Happy Eyeballs (RFC 8305, 5): if an address is slow or fails, try the next one in parallel; the first wins."""
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
                with anyio.move_on_after(ATTEMPT_DELAY_S):
                    await has_failed.wait()
    except BaseException:
        for stream in connected:
            await stream.aclose()
        raise
    for late in connected[1:]:
        await late.aclose()
    if not connected:
        raise errors[-1] if errors else OSError("the host name has no address")
    return connected[0]


async def _connect_to(address: str, port: int) -> DeadlineStream:
    if not _is_in_asyncio_task():
        return AnyioStream(await anyio.connect_tcp(address, port))
    _, stream = await asyncio.get_running_loop().create_connection(AsyncioStream, address, port)
    return stream


def _is_in_asyncio_task() -> bool:
    """True if asyncio runs this code. False under trio, also if trio runs as a guest of asyncio's loop."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _secure(stream: DeadlineStream, host: str, dialer: Dialer) -> DeadlineStream:
    try:
        return await stream.start_tls(dialer.tls, host)
    except ValueError as error:
        if is_bad_name(error):
            raise ConnectError(f"{host!r} is not a valid host name for TLS") from None
        raise


async def _open_tunnel(stream: DeadlineStream, tunnel: ConnectTunnel) -> None:
    await stream.send(tunnel.request)
    while not tunnel.receive(await stream.receive(4096)):
        pass


async def _open_socks(stream: DeadlineStream, proxy: Proxy, host: str, port: int) -> None:
    dialogue = load_socks("python_socks.async_.anyio").Proxy(**socks_options(proxy, _ExistingConnection(stream)))
    try:
        # No timeout: python-socks has one by default, but the caller enforces the deadline.
        await dialogue.connect(host, port, timeout=float("inf"))
    except OSError:
        raise
    except Exception as error:
        raise socks_failure(error) from None


class _ExistingConnection:
    """Hands python-socks the connection to the proxy that is already open, in the role of a proxy before the proxy."""

    def __init__(self, stream: DeadlineStream) -> None:
        self._stream = stream

    async def connect(self, **_: object) -> DeadlineStream:
        return self._stream
