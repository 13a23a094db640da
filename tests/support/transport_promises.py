"""Every transport by name and style, opened in one way, and the table of what not all of them can promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from modelwire_io.drive import AsyncTransport, Transport
from modelwire_io.transports import (
    AsyncAiohttpTransport,
    AsyncH11Transport,
    AsyncHttpxTransport,
    H11Transport,
    HttpxTransport,
    Urllib3Transport,
    UrllibTransport,
)
from transport_variants import STYLES, Awaitable, Blocking, Style, backend_of


class Promise(NamedTuple):
    """What a transport should do, and not every one can.

    `not_by` are names of transports; one that cannot in one style alone is named with it, as in `h11 (blocking)`.
    """

    text: str
    not_by: tuple[str, ...]
    instead: str
    """What those do, and why."""


TRIO = Promise("It runs on trio", ("aiohttp",), "It says so, and which transport does: aiohttp is asyncio's alone.")
HEADER_BYTES = Promise(
    "Bytes beyond ASCII in a header are sent as they are",
    ("aiohttp",),
    "Nothing is sent, and the request fails: aiohttp would send other bytes.",
)
EMPTY_QUERIES = Promise("A `?` that nothing follows is sent", ("aiohttp",), "It is dropped by aiohttp's URLs.")
LONG_HEADS = Promise(
    "A head may have 250 headers",
    ("urllib", "urllib3"),
    "More than 100 are a failure of the protocol: `http.client` has that limit.",
)
INTERIM_FLOODS = Promise(
    "Interim responses (1xx) without end are a failure",
    ("httpx", "httpx2", "aiohttp", "urllib", "urllib3"),
    "They last until the deadline: the library skips them unseen (`http.client` those with status 100).",
)
CHUNK_SIZES = Promise(
    "A chunk whose size is no number is a failure of the protocol",
    ("urllib", "urllib3"),
    "It is one of the network: `http.client` takes it for the end of the connection.",
)
REUSE = Promise(
    "Connections are kept for the next request", ("urllib",), "Each request has its own: `http.client` keeps none."
)
SURPLUS = Promise(
    "A connection on which more came than the answer is closed",
    ("urllib3",),
    "What came too much is dropped, and the connection used again: `http.client` does not tell.",
)
SOCKS = Promise("SOCKS proxies", ("aiohttp",), "They are refused: aiohttp has none.")
TLS_IN_TLS = Promise(
    "https:// addresses through https:// proxies",
    ("h11 (blocking)", "urllib", "urllib3"),
    "They are refused: Python's blocking sockets have no TLS inside of TLS.",
)

PROMISES = (
    *(TRIO, HEADER_BYTES, EMPTY_QUERIES, LONG_HEADS, INTERIM_FLOODS, CHUNK_SIZES),
    *(REUSE, SURPLUS, SOCKS, TLS_IN_TLS),
)


class Carrier(NamedTuple):
    """One way to carry requests."""

    name: str
    style: Style

    def __str__(self) -> str:
        return f"{self.name}-{self.style}"

    @property
    def backend(self) -> str:
        """The event loop that the test runs on; blocking code runs on any."""
        return backend_of(self.style)

    def keeps(self, promise: Promise) -> bool:
        """Whether this one keeps a promise of the table."""
        return self.name not in promise.not_by and f"{self.name} ({self.style})" not in promise.not_by

    def open(self, *, proxy: str | None = None, environment: Mapping[str, str] | None = None) -> AsyncTransport:
        """A transport of this kind, to be closed by the test; the environment is empty by default."""
        options: dict[str, Any] = {"proxy": proxy, "environment": environment or {}}
        if self.style != "blocking":
            return _ASYNC[self.name](**options)
        return Blocking(_BLOCKING[self.name](**options))


def carriers_of(*names: str) -> list[Carrier]:
    """Every way to carry requests by these transports, or by all."""
    kinds: Mapping[Style, Mapping[str, object]] = {"blocking": _BLOCKING, "asyncio": _ASYNC, "trio": _ASYNC}
    every = [Carrier(name, style) for name in names or _NAMES for style in STYLES if name in kinds[style]]
    return [carrier for carrier in every if carrier.style != "trio" or carrier.keeps(TRIO)]


def blocking_of(transport: AsyncTransport) -> Transport:
    """The blocking transport inside."""
    assert isinstance(transport, Awaitable)
    return transport.blocking


_BLOCKING: Mapping[str, Callable[..., Transport]] = {
    "h11": H11Transport,
    "httpx": HttpxTransport,
    "httpx2": lambda **options: HttpxTransport(library="httpx2", **options),
    "urllib": UrllibTransport,
    "urllib3": Urllib3Transport,
}
_ASYNC: Mapping[str, Callable[..., AsyncTransport]] = {
    "aiohttp": AsyncAiohttpTransport,
    "h11": AsyncH11Transport,
    "httpx": AsyncHttpxTransport,
    "httpx2": lambda **options: AsyncHttpxTransport(library="httpx2", **options),
}
_NAMES = sorted({*_BLOCKING, *_ASYNC})

CARRIERS = carriers_of()
