"""Proxies that only pass bytes on: how one is asked for a connection to a server.

HTTP's CONNECT is written here, without any I/O; SOCKS is python-socks' work.
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType

from modelwire.errors import ConnectError, InvalidInput

from .proxies import Proxy
from .routes import Route

# Bytes that the head of a proxy's answer may take.
MOST_ANSWER_BYTES = 16 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_END_OF_HEAD = re.compile(rb"\n\r?\n")


class ConnectTunnel:
    """One CONNECT (RFC 9110, 9.3.6): send `request`, then give `receive` what comes until it says that it is done."""

    def __init__(self, proxy: Proxy, route: Route) -> None:
        host = f"[{route.host}]" if ":" in route.host else route.host
        authority = f"{host}:{route.port}"
        headers = [("Host", authority), *proxy.headers()]
        lines = [f"CONNECT {authority} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.request = "\r\n".join(lines).encode("latin-1")
        self._answer = b""

    def receive(self, data: bytes) -> bool:
        """Take what was read, `b""` at the end of the connection; whether the tunnel is open.

        Raises `ConnectError` when the proxy refuses, or answers what is no answer.
        """
        if not data:
            raise ConnectError("the proxy closed the connection instead of opening a tunnel")
        self._answer += data
        end = _END_OF_HEAD.search(self._answer)
        if end is None:
            if len(self._answer) > MOST_ANSWER_BYTES:
                raise ConnectError(f"the proxy's answer exceeds {MOST_ANSWER_BYTES} bytes")
            return False
        line = _STATUS_LINE.match(self._answer)
        if line is None:
            raise ConnectError("the proxy's answer is not HTTP")
        if not line[1].startswith(b"2"):
            raise ConnectError(f"the proxy refused to open a tunnel: status {line[1].decode()}")
        if end.end() < len(self._answer):
            raise ConnectError("the proxy sent more than its answer")
        return True


def load_socks(module: str) -> ModuleType:
    """A module of python-socks. Raises `InvalidInput` where that is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput("a SOCKS proxy needs another package: pip install 'python-socks[anyio]'") from None


def socks_failure(error: Exception) -> ConnectError:
    """What python-socks says, which has a tree of exceptions for each way to be called and leaks some of others."""
    return ConnectError(f"the SOCKS proxy refused: {str(error) or type(error).__name__}")
