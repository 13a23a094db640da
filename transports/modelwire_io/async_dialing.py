"""Opening a connection along a route, for async code: anyio's streams, on asyncio and on trio.

Deadlines are kept by cancellation, from outside.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from socket import SOCK_STREAM
from typing import Any

import anyio
import anyio.abc
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

from modelwire.errors import ConnectError

from .dialing import STAGGER, Dialer, address_for_socks, is_bad_name, is_readable, pick, socks_options
from .routes import Proxy, Route
from .tunnels import ConnectTunnel, load_socks, socks_failure


async def dial(dialer: Dialer, route: Route) -> anyio.abc.ByteStream:
    """A connected stream, under TLS if the route says so.

    Raises `OSError` or what anyio has for a broken stream, `ConnectError` for what is not a matter of the connection,
    and `InvalidInput` for a proxy that cannot be used here.
    """
    proxy = route.proxy
    host = route.host
    if proxy is not None and proxy.scheme == "socks5":
        host = address_for_socks(await _resolve(route))
    stream = await _connect_to_first_hop(route)
    try:
        if proxy is not None:
            if proxy.scheme == "https":
                stream = await _secure(stream, proxy.host, dialer)
            if proxy.is_socks:
                await _open_socks(stream, proxy, host, route.port)
            elif route.is_tunnelled:
                await _open_tunnel(stream, ConnectTunnel(proxy, route))
        if route.scheme == "https":
            stream = await _secure(stream, route.host, dialer)
    except BaseException:
        await close_now(stream)
        raise
    return stream


async def close_now(stream: anyio.abc.ByteStream) -> None:
    """Close a stream without any farewell, also while a cancellation is under way."""
    with anyio.CancelScope(shield=True):
        await stream.aclose()


def has_unread(stream: anyio.abc.ByteStream) -> bool:
    """Whether something came, or the end, that nobody has read: in the system, in TLS, or in the event loop."""
    if is_readable(stream.extra(SocketAttribute.raw_socket)):
        return True
    while isinstance(stream, TLSStream):
        if _has_decrypted(stream.extra(TLSAttribute.ssl_object)):
            return True
        inner = stream.transport_stream
        assert isinstance(inner, anyio.abc.ByteStream)
        stream = inner
    # On asyncio, what the event loop has read ahead waits here; there is no public way to see it.
    return bool(getattr(getattr(stream, "_protocol", None), "read_queue", None))


def _has_decrypted(tls: ssl.SSLObject) -> bool:
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True


async def _connect_to_first_hop(route: Route) -> anyio.abc.ByteStream:
    host, port = (route.host, route.port) if route.proxy is None else (route.proxy.host, route.proxy.port)
    try:
        if route.proxy is None and route.public_only:
            return await _connect_to_first(await _resolve(route), port)
        return await anyio.connect_tcp(host, port, happy_eyeballs_delay=STAGGER)
    except UnicodeError:
        raise ConnectError(f"{host!r} is no name of a host") from None


async def _resolve(route: Route) -> list[tuple[Any, ...]]:
    return pick(route, await anyio.getaddrinfo(route.host, route.port, type=SOCK_STREAM))


async def _connect_to_first(found: Sequence[tuple[Any, ...]], port: int) -> anyio.abc.SocketStream:
    """Connect to the address that answers first: `anyio.connect_tcp` does so only for names that it resolves itself."""
    connected: list[anyio.abc.SocketStream] = []
    errors: list[OSError] = []

    async def attempt(address: str, has_failed: anyio.Event) -> None:
        try:
            connected.append(await anyio.connect_tcp(address, port))
            attempts.cancel_scope.cancel()
        except OSError as error:
            errors.append(error)
            has_failed.set()

    try:
        async with anyio.create_task_group() as attempts:
            for entry in found:
                has_failed = anyio.Event()
                attempts.start_soon(attempt, str(entry[4][0]), has_failed)
                with anyio.move_on_after(STAGGER):
                    await has_failed.wait()
    except BaseException:
        for stream in connected:
            await close_now(stream)
        raise
    for late in connected[1:]:
        await close_now(late)
    if not connected:
        raise errors[-1] if errors else OSError("the name has no address")
    return connected[0]


async def _secure(stream: anyio.abc.ByteStream, host: str, dialer: Dialer) -> anyio.abc.ByteStream:
    try:
        # Hardly any server says goodbye in TLS, and hardly any client asks for it.
        return await TLSStream.wrap(stream, hostname=host, ssl_context=dialer.tls, standard_compatible=False)
    except ValueError as error:
        if is_bad_name(error):
            raise ConnectError(f"{host!r} is no name that a certificate could be for") from None
        raise


async def _open_tunnel(stream: anyio.abc.ByteStream, tunnel: ConnectTunnel) -> None:
    await stream.send(tunnel.request)
    is_open = False
    while not is_open:
        try:
            data = await stream.receive(4096)
        except anyio.EndOfStream:
            data = b""
        is_open = tunnel.receive(data)


async def _open_socks(stream: anyio.abc.ByteStream, proxy: Proxy, host: str, port: int) -> None:
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

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream

    async def connect(self, **_: object) -> anyio.abc.ByteStream:
        """The connection."""
        return self._stream
