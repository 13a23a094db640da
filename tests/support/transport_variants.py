"""Every transport in every style (blocking, asyncio, trio), opened in the same way, so that a test is written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import aiohttp
import httpx
import httpx2
from urllib3 import PoolManager, ProxyManager

from modelwire_io.drive import AsyncTransport, Transport
from modelwire_io.net.connect import Dialer
from modelwire_io.net.proxies import parse_proxy
from modelwire_io.transports import (
    AsyncAiohttpTransport,
    AsyncH11Transport,
    AsyncHttpxTransport,
    H11Transport,
    HttpxTransport,
    Urllib3Transport,
    UrllibTransport,
)
from transport_calls import AwaitableTransport, BlockingTransport
from transport_promises import TRIO, Promise

Style = Literal["blocking", "asyncio", "trio"]
STYLES: tuple[Style, ...] = ("blocking", "asyncio", "trio")


def backend_of(style: Style) -> str:
    """The event loop that a test of this style runs on. Blocking code runs on asyncio."""
    return "asyncio" if style == "blocking" else style


class TransportVariant(NamedTuple):
    """A transport, by name, in one style."""

    name: str
    style: Style

    def __str__(self) -> str:
        return f"{self.name}-{self.style}"

    @property
    def backend(self) -> str:
        return backend_of(self.style)

    def keeps(self, promise: Promise) -> bool:
        return self.name not in promise.not_by and f"{self.name} ({self.style})" not in promise.not_by

    def open(self, *, proxy: str | None = None, environment: Mapping[str, str] | None = None) -> AsyncTransport:
        """Make a transport, which the test closes. The environment is empty by default."""
        options: dict[str, Any] = {"proxy": proxy, "environment": environment or {}}
        if self.style != "blocking":
            return _ASYNC[self.name](**options)
        return BlockingTransport(_BLOCKING[self.name](**options))


def variants_of(*names: str) -> list[TransportVariant]:
    """Every variant of these transports, or of all."""
    kinds: Mapping[Style, Mapping[str, object]] = {"blocking": _BLOCKING, "asyncio": _ASYNC, "trio": _ASYNC}
    every = [TransportVariant(name, style) for name in names or _NAMES for style in STYLES if name in kinds[style]]
    return [variant for variant in every if variant.style != "trio" or variant.keeps(TRIO)]


def blocking_of(transport: AsyncTransport) -> Transport:
    """The blocking transport inside a wrapper."""
    assert isinstance(transport, AwaitableTransport)
    return transport.blocking


_BLOCKING: dict[str, Callable[..., Transport]] = {
    "h11": H11Transport,
    "httpx": HttpxTransport,
    "httpx2": lambda **options: HttpxTransport(library="httpx2", **options),
    "urllib": UrllibTransport,
    "urllib3": Urllib3Transport,
}
_ASYNC: dict[str, Callable[..., AsyncTransport]] = {
    "aiohttp": AsyncAiohttpTransport,
    "h11": AsyncH11Transport,
    "httpx": AsyncHttpxTransport,
    "httpx2": lambda **options: AsyncHttpxTransport(library="httpx2", **options),
}
_NAMES = sorted({*_BLOCKING, *_ASYNC})

VARIANTS = variants_of()


class ProgramClient:
    """A transport over a client object that a program made, with its own settings. Closing it closes that too."""

    def __init__(self, transport: Any, close_client: Callable[[], Any]) -> None:
        self._transport = transport
        self._close_client = close_client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> Any:
        if isinstance(self._transport, HttpxTransport | Urllib3Transport):
            self._transport.close()
            self._close_client()
            return None
        return self._close_both()

    async def _close_both(self) -> None:
        await self._transport.close()
        await self._close_client()


def _httpx_client(library: Any, *, proxy: str | None = None, environment: Mapping[str, str]) -> Any:
    client = library.Client(proxy=proxy or None, trust_env=False, verify=Dialer().tls)
    return ProgramClient(HttpxTransport(client), client.close)


def _async_httpx_client(library: Any, *, proxy: str | None = None, environment: Mapping[str, str]) -> Any:
    client = library.AsyncClient(proxy=proxy or None, trust_env=False, verify=Dialer().tls)
    return ProgramClient(AsyncHttpxTransport(client), client.aclose)


def _aiohttp_session(*, proxy: str | None = None, environment: Mapping[str, str]) -> Any:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=Dialer().tls), proxy=proxy or None)
    return ProgramClient(AsyncAiohttpTransport(session), session.close)


def _pool_manager(*, proxy: str | None = None, environment: Mapping[str, str]) -> Any:
    tls = Dialer().tls
    pool = PoolManager(ssl_context=tls)
    if proxy:
        pool = ProxyManager(proxy, proxy_headers=dict(parse_proxy(proxy).headers()), ssl_context=tls)
    return ProgramClient(Urllib3Transport(pool), pool.clear)


_BLOCKING |= {
    "httpx.Client": partial(_httpx_client, httpx),
    "httpx2.Client": partial(_httpx_client, httpx2),
    "urllib3.PoolManager": _pool_manager,
}
_ASYNC |= {
    "httpx.Client": partial(_async_httpx_client, httpx),
    "httpx2.Client": partial(_async_httpx_client, httpx2),
    "aiohttp.ClientSession": _aiohttp_session,
}
# The transports over client objects of a program's.
CLIENT_VARIANTS = variants_of("httpx.Client", "httpx2.Client", "urllib3.PoolManager", "aiohttp.ClientSession")
