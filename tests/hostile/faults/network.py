"""The network of a scenario: its host names, its public addresses, and a log of connections."""

from __future__ import annotations

import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from types import ModuleType
from typing import Any
from unittest import mock

import httpx
import httpx2

from modelwire_io.net import addresses

Address = tuple[str, int]

# The real functions, which are replaced during a scenario.
_look_up = socket.getaddrinfo
_connect = socket.socket.connect
_is_public = addresses.is_public


@cache
def trust(library: ModuleType) -> ssl.SSLContext:
    """The TLS context of httpx, made once, because that takes longer than most scenarios."""
    made: ssl.SSLContext = _make_trust[library](trust_env=True)
    return made


_make_trust = {library: library.create_ssl_context for library in (httpx, httpx2)}


@contextmanager
def local_network(names: Mapping[str, str], public: Collection[str]) -> Iterator[list[Address]]:
    """Replace the name server by these names, and log the connections.

    A name maps to its addresses, separated by blanks. ` | ` separates the results of successive look-ups. Yields the
    list of addresses to which a connection was tried, in order.
    """
    connected: list[Address] = []

    def connect(self: socket.socket, address: Any) -> None:
        connected.append((str(address[0]), int(address[1])))
        _connect(self, address)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(socket, "getaddrinfo", _resolver(names)))
        stack.enter_context(mock.patch.object(socket.socket, "connect", connect))
        for library in (httpx, httpx2):
            stack.enter_context(
                mock.patch.object(library, "create_ssl_context", lambda trust_env, of=library: trust(of))
            )
        for module in _judges():
            stack.enter_context(mock.patch.object(module, "is_public", partial(_judge, public)))
        yield connected


def _judges() -> list[ModuleType]:
    """The modules that have imported `is_public`."""
    loaded = [module for name, module in sys.modules.items() if name.startswith("modelwire_io.")]
    return [module for module in loaded if getattr(module, "is_public", None) is _is_public]


def _judge(public: Collection[str], address: str) -> bool:
    return address in public or _is_public(address)


def _resolver(names: Mapping[str, str]) -> Callable[..., Any]:
    counts: Counter[str] = Counter()

    def look_up(host: str | bytes, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        answers = names.get(name.rstrip("."), name).split(" | ")
        number = min(counts[name], len(answers) - 1)
        counts[name] += 1
        numeric = flags | socket.AI_NUMERICHOST
        found = [_look_up(address, port, family, type, proto, numeric) for address in answers[number].split(" ")]
        return [entry for entries in found for entry in entries]

    return look_up
