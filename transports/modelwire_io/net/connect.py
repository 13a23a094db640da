"""Open the connection for a route, with blocking sockets: resolve the host, connect, use the proxy, begin TLS.

Needs only the standard library, and python-socks for a SOCKS proxy.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from modelwire.errors import ConnectError, InvalidInput

from .addresses import is_public
from .deadline_sockets import DeadlineSocket, DeadlineTlsSocket
from .proxies import Proxy
from .routes import Route
from .tunnels import ConnectTunnel, load_socks, socks_failure

# An entry of `socket.getaddrinfo`: family, type, protocol, canonical name, address.
AddressInfo = tuple[Any, ...]

# Seconds: an address that has not connected by then gets company from the next one. RFC 8305, 5, recommends 250 ms.
ATTEMPT_DELAY_S = 0.25


class Dialer:
    """Opens connections. All share one TLS configuration, which is created when it is first needed.

    The trusted certificates are the system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` if these are set.
    """

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS configuration. Raises `InvalidInput` if `SSL_CERT_FILE` names no certificates."""
        file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        try:
            # OpenSSL reads both itself, but ignores a missing file, and trusts the system's certificates as well.
            context = ssl.create_default_context(cafile=file or None, capath=folders or None)
        except OSError as error:
            raise InvalidInput(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {error}") from None
        context.set_alpn_protocols(["http/1.1"])
        context.sslsocket_class = DeadlineTlsSocket
        return context

    def dial(self, route: Route, deadline: float) -> DeadlineSocket | DeadlineTlsSocket:
        """Open a connection: resolve the host, connect, use the route's proxy, and begin TLS for https.

        `deadline` is monotonic time. Raises `OSError` if a socket fails (`TimeoutError` after the deadline),
        `ConnectError` if there is another reason, and `InvalidInput` for a proxy that blocking sockets cannot use.
        """
        try:
            return self._dial(route, deadline)
        except UnicodeError:
            raise ConnectError(f"{route.host!r} is not a valid host name") from None

    def _dial(self, route: Route, deadline: float) -> DeadlineSocket | DeadlineTlsSocket:
        proxy = route.proxy
        if proxy is None:
            found = resolve_host(route.host, route.port, deadline)
            return self._secure_if_needed(_connect(allowed_addresses(route, found), deadline), route, deadline)
        if proxy.scheme == "https" and route.scheme == "https":
            raise InvalidInput(
                "blocking sockets cannot run TLS inside of TLS: use an http:// or socks5:// proxy, or AsyncH11Transport"
            )
        host = route.host
        if proxy.scheme == "socks5":
            host = address_for_socks(allowed_addresses(route, resolve_host(host, route.port, deadline)))
        connected = _connect(resolve_host(proxy.host, proxy.port, deadline), deadline)
        try:
            if proxy.is_socks:
                _open_socks(connected, proxy, host, route.port)
            elif route.is_tunnelled:
                _open_tunnel(connected, ConnectTunnel(proxy, route))
            if proxy.scheme == "https":
                return self._secure(connected, proxy.host, deadline)
        except BaseException:
            connected.close()
            raise
        return self._secure_if_needed(connected, route, deadline)

    def _secure_if_needed(
        self, connected: DeadlineSocket, route: Route, deadline: float
    ) -> DeadlineSocket | DeadlineTlsSocket:
        return self._secure(connected, route.host, deadline) if route.scheme == "https" else connected

    def _secure(self, connected: DeadlineSocket, host: str, deadline: float) -> DeadlineTlsSocket:
        try:
            # CPython applies the timeout to the whole handshake, not to each read in it.
            connected.settimeout(time_left(deadline))
            secured = self.tls.wrap_socket(connected, server_hostname=host)
        except BaseException as error:
            connected.close()
            if is_bad_name(error):
                raise ConnectError(f"{host!r} is not a valid host name for TLS") from None
            raise
        assert isinstance(secured, DeadlineTlsSocket)
        secured.deadline = deadline
        return secured


def is_bad_name(error: BaseException) -> bool:
    """True if the host name cannot be used in TLS at all. (A rejected certificate, also a ValueError, is not meant.)"""
    return isinstance(error, ValueError) and not isinstance(error, ssl.SSLError | InvalidInput)


def is_readable(connected: socket.socket) -> bool:
    """True if data or the end of the connection is waiting: an idle connection must not be reused then."""
    try:
        if isinstance(connected, ssl.SSLSocket) and connected.pending():
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(connected, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([connected], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def time_left(deadline: float) -> float:
    """Seconds to the deadline. Raises `TimeoutError` if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def resolve_host(host: str, port: int, deadline: float) -> list[AddressInfo]:
    """Look up the addresses of a host. Raises `TimeoutError` after the deadline (monotonic time).

    The system's resolver cannot be interrupted, and may take half a minute. It runs in a thread of its own, which is
    abandoned if the deadline passes.
    """
    if is_numeric(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    results: SimpleQueue[list[AddressInfo] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            results.put([*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except Exception as error:
            results.put(error)

    Thread(target=look_up, name="modelwire resolver", daemon=True).start()
    try:
        result = results.get(timeout=time_left(deadline))
    except Empty:
        raise TimeoutError("timed out while resolving the host name") from None
    if isinstance(result, Exception):
        raise result
    return result


def is_numeric(host: str) -> bool:
    """True for an IP address, which needs no look-up."""
    return ":" in host or host.replace(".", "").isdigit()


def allowed_addresses(route: Route, found: Sequence[AddressInfo]) -> list[AddressInfo]:
    """The addresses without duplicates. Raises `ConnectError` if the route is `public_only` and one is not public."""
    if route.public_only:
        require_public(route.host, [str(entry[4][0]) for entry in found])
    return list({entry[4]: entry for entry in found}.values())


def require_public(host: str, addresses: Iterable[str]) -> None:
    """Raises `ConnectError` unless all addresses are public: an attacker may add one private address to public ones."""
    if not all(map(is_public, addresses)):
        raise ConnectError(f"{host} is not at a public address, which this request requires")


def _connect(found: Sequence[AddressInfo], deadline: float) -> DeadlineSocket:
    """Happy Eyeballs (RFC 8305, 5): if an address is slow or fails, try the next one in parallel; the first wins."""
    waiting = deque(found)
    pending: set[DeadlineSocket] = set()
    error = OSError("the host name has no address")
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or pending:
                if waiting:
                    try:
                        begun = _begin_to_connect(waiting.popleft())
                    except OSError as failed:
                        error = failed
                        continue
                    pending.add(begun)
                    selector.register(begun, selectors.EVENT_WRITE)
                left = time_left(deadline)
                for key, _ in selector.select(min(left, ATTEMPT_DELAY_S) if waiting else left):
                    ready = key.fileobj
                    assert isinstance(ready, DeadlineSocket)
                    selector.unregister(ready)
                    pending.remove(ready)
                    code = ready.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        ready.deadline = deadline
                        ready.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        return ready
                    ready.close()
                    error = OSError(code, os.strerror(code))
            raise error
        finally:
            for connecting in pending:
                connecting.close()


def _begin_to_connect(entry: AddressInfo) -> DeadlineSocket:
    family, kind, protocol, _, address = entry
    begun = DeadlineSocket(family, kind, protocol)
    begun.setblocking(False)
    try:
        begun.connect(address)
    except BlockingIOError:
        pass
    except BaseException:
        begun.close()
        raise
    return begun


def _open_tunnel(connected: DeadlineSocket, tunnel: ConnectTunnel) -> None:
    connected.settimeout(None)
    connected.sendall(tunnel.request)
    while not tunnel.receive(connected.recv(4096)):
        pass


def _open_socks(connected: DeadlineSocket, proxy: Proxy, host: str, port: int) -> None:
    dialogue = load_socks("python_socks.sync").Proxy(**socks_options(proxy, _ExistingConnection(connected)))
    connected.settimeout(None)
    try:
        dialogue.connect(host, port)
    except OSError:
        raise
    except Exception as error:
        raise socks_failure(error) from None


class _ExistingConnection:
    """Hands python-socks the connection to the proxy that is already open, in the role of a proxy before the proxy."""

    def __init__(self, connected: DeadlineSocket) -> None:
        self._connected = connected

    def connect(self, **_: object) -> DeadlineSocket:
        return self._connected


def socks_options(proxy: Proxy, connected: object) -> dict[str, Any]:
    """Arguments for python-socks, blocking or async.

    The proxy resolves host names (`rdns`). With socks5:// the host is already an address here.
    """
    return {
        "proxy_type": load_socks("python_socks").ProxyType.SOCKS5,
        "host": proxy.host,
        "port": proxy.port,
        "username": proxy.user,
        "password": proxy.password,
        "rdns": True,
        "forward": connected,
    }


def address_for_socks(found: Sequence[AddressInfo]) -> str:
    """The address to request from a SOCKS proxy: IPv4 if there is one, because not every proxy has IPv6."""
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])
