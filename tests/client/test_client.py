"""The construction of `Client` and `AsyncClient`: store, proxy, transport, and the names of the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import modelwire_io
from emulated_clients import MemorySetup, collect, open_client, result
from modelwire.errors import InvalidInput
from modelwire_io import AsyncClient, Client
from modelwire_io.client.settings import Configuration
from modelwire_io.store import MemoryStore
from raw_server import OK, Connection, RawServer
from transport_variants import Style

pytestmark = pytest.mark.anyio


async def test_a_store_whose_length_is_zero_is_used(style: Style, home: Path) -> None:
    class SizedStore(MemoryStore):
        def __len__(self) -> int:
            return len(self._objects)

    memory = MemorySetup(style)
    memory.store = store = SizedStore()
    await collect(memory.client(environment={"ARTA_API_KEY": "key"}).image("arta", "a dragon"))
    assert len(store) == 1
    assert list(home.iterdir()) == []


async def test_requests_go_through_a_proxy(style: Style) -> None:
    def script(connection: Connection) -> None:
        connection.respond(OK)
        connection.wait_for_end()

    with RawServer(script, script) as proxy:
        base_url = "http://name.invalid"
        configurations: list[Configuration] = [
            {"base_url": base_url, "proxy": proxy.url},
            {"base_url": base_url, "environment": {"HTTP_PROXY": proxy.url}},
        ]
        for configuration in configurations:
            async with open_client(style, **configuration) as client:
                assert await result(client.chat("cromicle", "Hello").read()) == "ok"
        assert [connection.received.split(b"\r\n")[0] for connection in proxy.connections] == [
            b"POST http://name.invalid/chat HTTP/1.1"
        ] * 2


@pytest.mark.parametrize("configuration", [{"proxy": "ftp://proxy"}, {"environment": {"HTTP_PROXY": "ftp://proxy"}}])
async def test_an_invalid_proxy_is_refused_at_the_first_use(style: Style, configuration: Configuration) -> None:
    async with open_client(style, **configuration) as client:
        with pytest.raises(InvalidInput, match="which is not a proxy URL"):
            client.chat("cromicle", "Hello")


async def test_a_missing_library_is_named_at_the_first_use(style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h11", None)
    for module in ("modelwire_io.transports.h11", "modelwire_io.http1.connection"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    async with open_client(style) as client:
        advice = r"H11Transport needs h11, which is not installed: pip install 'modelwire\[h11\]'$"
        with pytest.raises(ModuleNotFoundError, match=advice):
            client.chat("cromicle", "Hello")


def test_a_new_client_has_opened_nothing(style: Style) -> None:
    client = Client() if style == "blocking" else AsyncClient()
    assert client.emulator is None
    assert client._transport is None


def test_the_package_exports_the_clients_and_their_results() -> None:
    names = {"AsyncChat", "AsyncClient", "AsyncImageJob", "Chat", "Client", "Image", "ImageJob"}
    assert names == set(modelwire_io.__all__)
    assert all(hasattr(modelwire_io, name) for name in modelwire_io.__all__)
