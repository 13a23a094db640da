"""Every transport by name and style, opened in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from carriers import Awaitable, Blocking, Style, backend_of
from modelwire_io.aiohttp_transport import AsyncAiohttpTransport
from modelwire_io.drive import AsyncTransport, Transport
from modelwire_io.h11_transport import AsyncH11Transport, H11Transport
from modelwire_io.httpx_transport import AsyncHttpxTransport, HttpxTransport
from modelwire_io.urllib3_transport import Urllib3Transport
from modelwire_io.urllib_transport import UrllibTransport


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

    def open(self, *, proxy: str | None = None, environment: Mapping[str, str] | None = None) -> AsyncTransport:
        """A transport of this kind, to be closed by the test; the environment is empty by default."""
        options: dict[str, Any] = {"proxy": proxy, "environment": environment or {}}
        if self.style != "blocking":
            return _ASYNC[self.name](**options)
        return Blocking(_BLOCKING[self.name](**options))


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
