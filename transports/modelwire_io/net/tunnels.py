"""Tunnels through proxies: HTTP's CONNECT, without I/O, and access to python-socks for SOCKS."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

from modelwire.errors import ConnectError, InvalidInput

from .proxies import Proxy
from .routes import Route

# Bytes: longest head of a proxy's response to CONNECT.
MAX_HEAD_BYTES = 16 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_END_OF_HEAD = re.compile(rb"\n\r?\n")


class ConnectTunnel:
    """One CONNECT (RFC 9110, 9.3.6): send `request`, then pass the data read to `receive` until it returns True."""

    def __init__(self, proxy: Proxy, route: Route) -> None:
        host = f"[{route.host}]" if ":" in route.host else route.host
        authority = f"{host}:{route.port}"
        headers = [("Host", authority), *proxy.headers()]
        lines = [f"CONNECT {authority} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.request = "\r\n".join(lines).encode("latin-1")
        self._received = b""

    def receive(self, data: bytes) -> bool:
        """Take the data read, `b""` at the end of the connection. True once the tunnel is open.

        Raises `ConnectError` if the proxy refuses or its response is invalid.
        """
        if not data:
            raise ConnectError("the proxy closed the connection instead of opening a tunnel")
        self._received += data
        end = _END_OF_HEAD.search(self._received)
        if end is None:
            if len(self._received) > MAX_HEAD_BYTES:
                raise ConnectError(f"the proxy's response exceeds {MAX_HEAD_BYTES} bytes")
            return False
        line = _STATUS_LINE.match(self._received)
        if line is None:
            raise ConnectError("the proxy's response is not HTTP")
        if not line[1].startswith(b"2"):
            raise ConnectError(f"the proxy refused to open a tunnel: status {line[1].decode()}")
        if end.end() < len(self._received):
            raise ConnectError("the proxy sent data after its response")
        return True


def load_socks(module: str) -> ModuleType:
    """A module of python-socks. Raises `InvalidInput` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput("a SOCKS proxy needs another package: pip install 'python-socks[anyio]'") from None


def socks_failure(error: Exception) -> ConnectError:
    """The error for an exception of python-socks. It has separate exceptions for each of its APIs, and leaks others."""
    return ConnectError(f"the SOCKS proxy refused: {str(error) or type(error).__name__}")
