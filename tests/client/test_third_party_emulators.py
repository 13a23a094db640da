"""A third-party provider that brings its own emulator and lists its own models."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType

import anyio
import msgspec
import pytest

from modelwire.chat import ChatFlow
from modelwire.emulators import Behaviour, Chunk, EmulatorRequest, EmulatorResponse
from modelwire.errors import InvalidInput
from modelwire.flow import Steps
from modelwire.http import Request, join_url
from modelwire.models import ListingFlow
from modelwire.outputs import ModelsListed
from modelwire.provider import Provider
from modelwire.text import TextSink
from modelwire_io import AsyncClient, Client
from modelwire_io.client import plugins
from modelwire_io.emulation import EmulatorServer


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    site: str = "https://acme.invalid"


@dataclass(kw_only=True)
class AcmeChat(ChatFlow):
    endpoints: Endpoints = Endpoints()

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))

    def request(self) -> Request:
        return Request(method="GET", url=join_url(self.endpoints.site, f"/chat?model={self.wire_model}"))


@dataclass(kw_only=True)
class AcmeModels(ListingFlow):
    endpoints: Endpoints = Endpoints()

    def start(self) -> Steps:
        response = yield from self.fetch(lambda: Request(method="GET", url=join_url(self.endpoints.site, "/models")))
        self.emit(ModelsListed(tuple(response.text().split())))


class AcmeEmulator:
    def __init__(self, behaviour: Behaviour, entropy: bytes) -> None:
        assert len(entropy) == 16

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        if request.target == "/models":
            return EmulatorResponse(chunks=(Chunk(b"acme-1 acme-2"),))
        return EmulatorResponse(chunks=(Chunk(f"emulated: {request.target}".encode()),))


ACME = Provider(
    name="acme",
    label="Acme",
    chat=AcmeChat,
    listing=AcmeModels,
    emulator=AcmeEmulator,
    endpoints=Endpoints(),
    website="https://acme.invalid",
    status="live",
    note="Acme's service.",
)


@pytest.fixture
def provider() -> Provider:
    return ACME


@pytest.fixture(autouse=True)
def installed(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("acme_package")
    vars(package)["PROVIDER"] = provider
    monkeypatch.setitem(sys.modules, "acme_package", package)
    entry = EntryPoint("acme", "acme_package:PROVIDER", plugins.GROUP)
    monkeypatch.setattr(plugins, "_entry_points", lambda: [entry])
    return


def test_it_is_emulated_by_its_own_emulator() -> None:
    with Client(emulate=True) as client:
        assert client.chat("acme/acme-1", "Hello").read() == "emulated: /chat?model=acme-1"
        assert client.chat("cromicle", "Hello").read()
        assert client.emulator is not None
        assert [request.provider for request in client.emulator.requests] == ["acme", "cromicle"]
        assert client.base_url("acme") == client.emulator.providers["acme"]


@pytest.mark.parametrize("provider", [msgspec.structs.replace(ACME, emulator=None)])
def test_without_an_emulator_nothing_is_sent(provider: Provider) -> None:
    with (
        Client(emulate=True) as client,
        pytest.raises(InvalidInput, match=r"^Acme has no emulator: choose another provider, or do not emulate$"),
    ):
        client.chat("acme/acme-1", "Hello")


def test_its_models_are_those_that_its_service_lists() -> None:
    with Client(emulate=True) as client:
        assert client.models("acme") == ["acme-1", "acme-2"]
        assert client.models("cromicle") == ["gpt-3.5-turbo"]


@pytest.mark.parametrize("provider", [msgspec.structs.replace(ACME, listing=None)])
def test_without_a_listing_an_open_set_of_models_is_empty(provider: Provider) -> None:
    with Client(emulate=True) as client:
        assert client.models("acme") == []


def test_an_async_client_lists_them_too() -> None:
    async def list_models() -> list[str]:
        async with AsyncClient(emulate=True) as client:
            return await client.models("acme")

    assert anyio.run(list_models) == ["acme-1", "acme-2"]


def test_a_server_serves_added_emulators() -> None:
    with EmulatorServer() as server:
        url = server.add("acme", AcmeEmulator)
        assert url == server.providers["acme"] == f"{server.url}/acme"
        with Client(base_url=server.providers, environment={}) as client:
            assert client.models("acme") == ["acme-1", "acme-2"]
