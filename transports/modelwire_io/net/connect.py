"""Opening a connection along a route, blocking: addresses, TLS, proxies. Nothing here needs more than Python."""

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

# Seconds after which the next address is tried beside those that have not answered yet (RFC 8305, 5).
STAGGER = 0.25


class Dialer:
    """Opens connections, all with one TLS configuration, made when it is first needed.

    The certificates are the system's; `SSL_CERT_FILE` and `SSL_CERT_DIR` take their place, as everywhere.
    """

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS configuration. Raises `InvalidInput` where `SSL_CERT_FILE` names no certificates."""
        file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        try:
            # OpenSSL reads the two by itself, but passes over a file that is not there, and trusts the system besides.
            context = ssl.create_default_context(cafile=file or None, capath=folders or None)
        except OSError as error:
            raise InvalidInput(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {error}") from None
        context.set_alpn_protocols(["http/1.1"])
        context.sslsocket_class = DeadlineTlsSocket
        return context

    def dial(self, route: Route, deadline: float) -> DeadlineSocket | DeadlineTlsSocket:
        """A connected socket, under TLS if the route says so. `deadline` is monotonic time.

        Raises `OSError` (`TimeoutError` past the deadline), `ConnectError` for what is not a matter of the socket, and
        `InvalidInput` for a proxy that cannot be used here.
        """
        try:
            return self._dial(route, deadline)
        except UnicodeError:
            raise ConnectError(f"{route.host!r} is no name of a host") from None

    def _dial(self, route: Route, deadline: float) -> DeadlineSocket | DeadlineTlsSocket:
        proxy = route.proxy
        if proxy is None:
            found = resolve(route.host, route.port, deadline)
            return self._secure_if_needed(_connect(pick(route, found), deadline), route, deadline)
        if proxy.scheme == "https" and route.scheme == "https":
            raise InvalidInput(
                "TLS inside of TLS is not to be had with blocking sockets:"
                " use an http:// or socks5:// proxy, or AsyncH11Transport"
            )
        host = route.host
        if proxy.scheme == "socks5":
            host = address_for_socks(pick(route, resolve(host, route.port, deadline)))
        connected = _connect(resolve(proxy.host, proxy.port, deadline), deadline)
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
            # CPython keeps the timeout for the handshake as a whole, not for each read in it.
            connected.settimeout(time_left(deadline))
            secured = self.tls.wrap_socket(connected, server_hostname=host)
        except BaseException as error:
            connected.close()
            if is_bad_name(error):
                raise ConnectError(f"{host!r} is no name that a certificate could be for") from None
            raise
        assert isinstance(secured, DeadlineTlsSocket)
        secured.deadline = deadline
        return secured


def is_bad_name(error: BaseException) -> bool:
    """Whether TLS did not even begin, for want of a name; that a certificate is refused is a ValueError, too."""
    return isinstance(error, ValueError) and not isinstance(error, ssl.SSLError | InvalidInput)


def is_readable(connected: socket.socket) -> bool:
    """Whether there is something to be read, be it the end; of a connection that should be silent, a bad sign."""
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
    """Seconds to the deadline. Raises `TimeoutError` where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def resolve(host: str, port: int, deadline: float) -> list[AddressInfo]:
    """The addresses of a host.

    A resolver cannot be interrupted, and may think for half a minute. It gets a thread of its own, which is left to
    itself when the deadline passes.
    """
    if is_numeric(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    answers: SimpleQueue[list[AddressInfo] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put([*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except Exception as error:
            answers.put(error)

    Thread(target=ask, name="modelwire resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=time_left(deadline))
    except Empty:
        raise TimeoutError("timed out while the name was resolved") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def is_numeric(host: str) -> bool:
    """Whether it is an address, which needs no look-up."""
    return ":" in host or host.replace(".", "").isdigit()


def pick(route: Route, found: Sequence[AddressInfo]) -> list[AddressInfo]:
    """The addresses that may be connected to, each once. Raises `ConnectError` where one is not public and must be."""
    if route.public_only:
        require_public(route.host, [str(entry[4][0]) for entry in found])
    return list({entry[4]: entry for entry in found}.values())


def require_public(host: str, addresses: Iterable[str]) -> None:
    """Raises `ConnectError` unless all are public: one that is not may be the one that an attacker counts on."""
    if not all(map(is_public, addresses)):
        raise ConnectError(f"{host} is not at a public address, and only such are allowed here")


def _connect(found: Sequence[AddressInfo], deadline: float) -> DeadlineSocket:
    """Connect to the address that answers first; those that answer late, or badly, get company."""
    waiting = deque(found)
    pending: set[DeadlineSocket] = set()
    error = OSError("the name has no address")
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
                for key, _ in selector.select(min(left, STAGGER) if waiting else left):
                    answered = key.fileobj
                    assert isinstance(answered, DeadlineSocket)
                    selector.unregister(answered)
                    pending.remove(answered)
                    code = answered.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        answered.deadline = deadline
                        answered.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        return answered
                    answered.close()
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
    dialogue = load_socks("python_socks.sync").Proxy(**socks_options(proxy, _Connected(connected)))
    connected.settimeout(None)
    try:
        dialogue.connect(host, port)
    except OSError:
        raise
    except Exception as error:
        raise socks_failure(error) from None


class _Connected:
    """What python-socks takes for a proxy before the proxy: it gets a connection that is there already."""

    def __init__(self, connected: DeadlineSocket) -> None:
        self._connected = connected

    def connect(self, **_: object) -> DeadlineSocket:
        """The connection."""
        return self._connected


def socks_options(proxy: Proxy, connected: object) -> dict[str, Any]:
    """What python-socks is told, blocking or async. Names are left to the proxy; those that are not are gone by now."""
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
    """The address that a SOCKS proxy is asked for: of IPv4 if there is one, since not every proxy has IPv6."""
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])
