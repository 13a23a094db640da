"""Transports over client objects that a program has already: the contract, but for what they cannot promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import anyio
import httpx
import httpx2
import pytest
import trustme
from urllib3 import PoolManager

from contract import TransportContract
from contract.scripts import get, responding, saw_end, tls_for
from modelwire.errors import InvalidInput, LocalProtocolError
from modelwire_io.drive import AsyncTransport
from modelwire_io.net import connect
from modelwire_io.transports import AsyncAiohttpTransport, AsyncHttpxTransport, HttpxTransport, Urllib3Transport
from raw_server import OK, RawServer
from transport_calls import AwaitableTransport, fetch
from transport_promises import PROMISES
from transport_variants import CLIENT_VARIANTS, TransportVariant

URL = "http://name.invalid/"


@pytest.fixture(params=CLIENT_VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> TransportVariant:
    found: TransportVariant = request.param
    return found


class TestProgramClients(TransportContract):
    """The contract of every transport, and more about addresses that are checked before the client gets them."""

    @pytest.fixture(autouse=True)
    def skip_what_is_not_promised(self, variant: TransportVariant, request: pytest.FixtureRequest) -> None:
        """Skip a test that needs a promise which the transport does not keep."""
        name, _, parameters = request.node.name.removesuffix("]").partition("[")
        others = parameters.removeprefix(str(variant)).removeprefix("-")
        for promise in PROMISES:
            if not variant.keeps(promise) and {name, f"{name}[{others}]"} & set(promise.tests):
                pytest.skip(promise.instead)

    async def test_tls_checks_the_name_though_the_client_gets_an_address(
        self,
        transport: AsyncTransport,
        authority: trustme.CA,
        names: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(connect, "is_public", lambda address: True)
        names |= {"images.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
        tls = tls_for(authority, "images.example")
        with RawServer(responding(OK), responding(OK), tls=tls) as server:
            url = f"https://images.example:{server.port}/"
            assert (await fetch(transport, get(url, public_only=True))).body == b"ok"
            url = f"https://other.example:{server.port}/"
            assert (await fetch(transport, get(url, public_only=True))).failure.kind == "connect"


# Whose client it is.


@pytest.mark.parametrize(
    ("make", "needed"),
    [
        (lambda: HttpxTransport(httpx.AsyncClient()), "httpx.Client"),  # type: ignore[arg-type]
        (lambda: HttpxTransport(httpx2.AsyncClient()), "httpx2.Client"),  # type: ignore[arg-type]
        (lambda: HttpxTransport(PoolManager()), "httpx.Client"),  # type: ignore[arg-type]
        (lambda: AsyncHttpxTransport(httpx.Client()), "httpx.AsyncClient"),  # type: ignore[arg-type]
        (lambda: AsyncAiohttpTransport(httpx.Client()), "ClientSession"),  # type: ignore[arg-type]
        (lambda: Urllib3Transport(httpx.Client()), "PoolManager"),  # type: ignore[arg-type]
    ],
)
def test_a_client_of_another_kind_is_refused(make: Callable[[], object], needed: str) -> None:
    with pytest.raises(InvalidInput, match=f"this transport needs an? {needed}$"):
        make()


def test_closing_the_transport_leaves_the_client_open() -> None:
    with RawServer(responding(OK, OK)) as server, httpx.Client(trust_env=False) as client:
        for _ in range(2):
            transport = HttpxTransport(client)
            assert anyio.run(fetch, AwaitableTransport(transport), get(server.url)).body == b"ok"
            transport.close()
        assert not client.is_closed
        client.close()
        assert anyio.run(saw_end, server.connections[0])


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_closing_the_transport_leaves_the_session_open() -> None:
    with RawServer(responding(OK, OK)) as server:
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                transport = AsyncAiohttpTransport(session)
                assert (await fetch(transport, get(server.url))).body == b"ok"
                await transport.close()
            assert not session.closed
        with pytest.raises(LocalProtocolError, match="keep it open"):
            await fetch(AsyncAiohttpTransport(session), get(server.url))


def test_a_client_that_the_program_has_closed_is_an_error() -> None:
    client = httpx.Client()
    client.close()
    with pytest.raises(LocalProtocolError, match="keep it open"):
        anyio.run(fetch, AwaitableTransport(HttpxTransport(client)), get(URL))


# httpx clients with a transport of their own, which reports no steps.


def events_of(handler: Callable[[httpx.Request], httpx.Response]) -> Any:
    client = httpx.Client(transport=httpx.MockTransport(handler))
    return anyio.run(fetch, AwaitableTransport(HttpxTransport(client)), get(f"{URL}a%2fb?c"))


def test_a_client_may_have_a_transport_of_its_own() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert (str(request.url), request.url.path) == (f"{URL}a%2fb?c", "/a/b")
        return httpx.Response(200, content=b"ok")

    assert events_of(handler).body == b"ok"


def test_an_error_that_does_not_say_what_was_sent_counts_as_sent() -> None:
    def cut(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("")

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    assert events_of(cut).failure.kind == "network"
    assert events_of(refuse).failure.kind == "connect"


def test_an_error_in_the_body_counts_as_sent() -> None:
    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            raise httpx.ConnectError("late")

    assert events_of(lambda request: httpx.Response(200, stream=Body())).failure.kind == "network"
