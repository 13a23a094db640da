"""`emulate=True`: a client that starts its own emulators, asks nobody else, and stores nothing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from emulated_clients import NO_PAUSES, AnyClient, make_images, open_client, result
from modelwire.errors import ConnectError, InvalidInput
from modelwire.limits import Limits
from modelwire_io import AsyncClient, Client
from modelwire_io.client.settings import Configuration
from modelwire_io.emulation import EmulatorServer
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from raw_server import RawServer
from transport_variants import Style

pytestmark = pytest.mark.anyio


def emulator_of(client: AnyClient) -> EmulatorServer | None:
    """`client.emulator`, as a call: mypy would narrow the attribute for the rest of the test."""
    return client.emulator


async def test_emulate_stores_nothing_on_disk(style: Style, home: Path, fast_emulators: None) -> None:
    client = Client(emulate=True) if style == "blocking" else AsyncClient(emulate=True)
    await make_images(client)
    await result(client.chat("hailuo", "Hello").read())
    await result(client.log_in("hailuo", {"token": "emulated-token"}))
    await result(client.close())
    assert list(home.iterdir()) == []


async def test_without_emulate_credentials_are_stored_in_private_files(style: Style, home: Path) -> None:
    with EmulatorServer(behaviour=NO_PAUSES) as server:
        configuration: Configuration = {"base_url": server.providers, "environment": {"ARTA_API_KEY": "key"}}
        client = Client(**configuration) if style == "blocking" else AsyncClient(**configuration)
        await make_images(client)
        await result(client.close())
    (file,) = home.rglob("*.json")
    assert server.providers["arta"] in json.loads(file.read_bytes())["origins"]
    assert file.stat().st_mode & 0o077 == 0


async def test_emulate_sends_nothing_to_the_addresses_of_the_environment(style: Style, fast_emulators: None) -> None:
    with RawServer() as server:
        environment = {"CROMICLE_BASE_URL": server.url, "ALL_PROXY": server.url, "ARTA_API_KEY": "secret"}
        async with open_client(style, emulate=True, base_url=server.url, environment=environment) as client:
            assert "“Hello”" in await result(client.chat("cromicle", "Hello").read())
            await make_images(client)
        assert server.connections == []


async def test_closing_a_client_stops_the_emulators(style: Style) -> None:
    async with open_client(style, emulate=True) as client:
        emulator = emulator_of(client)
        assert emulator is not None
        url = emulator.url
    assert emulator_of(client) is None
    async with open_client(style, base_url=f"{url}/cromicle", limits=Limits(tries=1)) as other:
        with pytest.raises(ConnectError):
            await result(other.chat("cromicle", "Hello").read())
    await result(client.close())


async def test_close_stops_the_emulators_even_if_the_transport_raises(style: Style) -> None:
    class StuckTransport(MemoryTransport):
        def close(self) -> None:
            raise OSError("it is stuck")

    class AsyncStuckTransport(AsyncMemoryTransport):
        async def close(self) -> None:
            raise OSError("it is stuck")

    client: AnyClient
    if style == "blocking":
        client = Client(transport=StuckTransport(), emulate=True)
    else:
        client = AsyncClient(transport=AsyncStuckTransport(), emulate=True)
    with pytest.raises(OSError, match="stuck"):
        await result(client.close())
    assert emulator_of(client) is None


def test_a_client_with_invalid_settings_leaves_no_emulators_running(style: Style) -> None:
    before = set(threading.enumerate())
    make: Any = Client if style == "blocking" else AsyncClient
    # The error is still referenced, so the garbage collector cannot be what stops the emulators.
    with pytest.raises(InvalidInput) as raised:
        make(emulate=True, timeout=-1)
    assert set(threading.enumerate()) <= before, raised.value
