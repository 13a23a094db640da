"""Base URLs of a client: which one applies, and its query, which may hold a key."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulated_clients import SIGN_UP, AnyClient, MemorySetup, collect, first_of, make_images, open_client, result
from modelwire.catalog import PROVIDERS
from modelwire.emulators import Chunk, CromicleEmulator, EmulatorRequest, EmulatorResponse
from modelwire.errors import ConnectError, InvalidInput, StatusError
from modelwire.limits import Limits
from modelwire.outputs import JobAccepted
from modelwire_io.transports.memory import BASE_URL
from raw_server import refusing_url
from transport_variants import Style

pytestmark = pytest.mark.anyio

KEY = "K-of-the-query"
QUERY = f"?version=2024-10-21&code={KEY}"


@pytest.mark.parametrize(
    ("base_url", "environment", "address"),
    [
        (f"{BASE_URL}/a", {}, "a"),
        (f"{BASE_URL}/a/", {}, "a"),
        ({"cromicle": f"{BASE_URL}/a", "hailuo": f"{BASE_URL}/b"}, {}, "a"),
        (None, {"CROMICLE_BASE_URL": f"{BASE_URL}/a", "HAILUO_BASE_URL": f"{BASE_URL}/b"}, "a"),
        (f"{BASE_URL}/a", {"CROMICLE_BASE_URL": f"{BASE_URL}/b"}, "a"),
        ({"cromicle": f"{BASE_URL}/a"}, {"CROMICLE_BASE_URL": f"{BASE_URL}/b"}, "a"),
        ({"hailuo": f"{BASE_URL}/b"}, {"CROMICLE_BASE_URL": f"{BASE_URL}/a"}, "a"),
        ({"hailuo": f"{BASE_URL}/b"}, {"CROMICLE_BASE_URL": ""}, "cromicle"),
        (None, {}, "cromicle"),
    ],
)
async def test_a_base_url_replaces_the_hosts(
    style: Style, base_url: Any, environment: dict[str, str], address: str
) -> None:
    memory = MemorySetup(style, {name: CromicleEmulator() for name in ("a", "b")})
    await result(memory.client(base_url=base_url, environment=environment).chat("cromicle", "Hello").read())
    assert [name for name, emulator in memory.emulators.items() if emulator.requests] == [address]


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://example.org",
        "example.org",
        "http://",
        "http://[::1",
        f"ftp://example.org/{QUERY}",
        f"http://example.org/{QUERY}#fragment",
        f"http://user:{KEY}@example.org/",
    ],
)
def test_an_invalid_base_url_is_refused(memory: MemorySetup, base_url: str) -> None:
    client = memory.client(base_url=base_url)
    for call in (partial(client.chat, "cromicle", "Hello"), partial(client.locate, "cromicle")):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert KEY not in str(caught.value)


def test_locate_returns_the_provider_and_its_address(memory: MemorySetup) -> None:
    assert memory.client().locate("cromicle/gpt-3.5-turbo") == (PROVIDERS["cromicle"], f"{BASE_URL}/cromicle")
    assert memory.client(base_url=None).locate("arta") == (PROVIDERS["arta"], "https://ai-arta.com")
    assert memory.client().base_url("cromicle") == f"{BASE_URL}/cromicle"
    assert memory.client(base_url=None).base_url("arta") is None


# A base URL with a query.


@pytest.fixture
def client(memory: MemorySetup) -> AnyClient:
    """A client whose base URLs have a query."""
    return memory.client(
        base_url={name: f"{url}{QUERY}" for name, url in memory.base_urls.items() if name in PROVIDERS}
    )


async def test_every_request_has_the_query(memory: MemorySetup, client: AnyClient) -> None:
    assert "“Hello”" in await result(client.chat("cromicle", "Hello").read())
    assert "“Hello”" in await result(client.chat("fakegpt", "Hello").read())
    await result(client.log_in("arta", {"api_key": "emulated-key"}))
    await collect(client.image("arta", "a dragon"))
    targets = [request.target for emulator in memory.emulators.values() for request in emulator.requests]
    assert len(targets) >= 8
    assert all(QUERY in target for target in targets)
    # The request's own query comes after it.
    assert SIGN_UP.replace("?", f"{QUERY}&") + "emulated-key" in targets


async def test_credentials_are_stored_for_each_query_without_showing_it(memory: MemorySetup, client: AnyClient) -> None:
    await result(client.log_in("arta", {"api_key": "emulated-key"}))
    provider, origin = client.locate("arta")
    # Another query may be another tenant: it is told apart by a digest, which shows nothing.
    assert provider is PROVIDERS["arta"]
    assert re.fullmatch(re.escape(memory.base_urls["arta"]) + "#[0-9a-f]{8}", origin)
    assert memory.store.load("arta", origin) == {
        "api_key": "emulated-key",
        "id_token": "",
        "refresh_token": "",
        "expires_in": 0.0,
        "issued_at": 0.0,
    }
    await make_images(client)
    stored = memory.store.load("arta", origin)
    assert stored is not None
    assert stored["id_token"]
    assert memory.store.load("arta", memory.base_urls["arta"]) is None
    assert await result(client.log_out("arta")) is True
    assert memory.store.load("arta", origin) is None


class EchoingEmulator:
    """An emulator that refuses every request, with the request's target in the message."""

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return EmulatorResponse(status=400, chunks=(Chunk(f"no such resource: {request.target}".encode()),))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (QUERY, f"{QUERY.partition('&')[0]}&code=[secret]"),
        (f"?code={KEY}%2B%20x&n=1", "?code=[secret]&n=1"),
        (f"?code={KEY}+x", "?code=[secret]"),
        (f"?{KEY}", "?[secret]"),
        (f"?{KEY}=", "?[secret]="),
    ],
)
async def test_no_message_and_no_recording_shows_the_query(
    style: Style, query: str, shown: str, tmp_path: Path
) -> None:
    memory = MemorySetup(style, {"cromicle": EchoingEmulator()})
    client = memory.client(base_url=f"{BASE_URL}/cromicle{query}")
    recording = tmp_path / "recording"
    chat = client.chat("cromicle", "Hello", record=recording)
    with pytest.raises(StatusError) as caught:
        await result(chat.read())
    assert str(caught.value) == f"{BASE_URL}/cromicle/chat answered with status 400: no such resource: /chat{shown}"
    assert KEY not in repr(caught.value)
    assert KEY not in recording.read_text()


async def test_a_failed_connection_does_not_show_the_query(style: Style) -> None:
    with refusing_url() as url:
        async with open_client(style, base_url=f"{url}/{QUERY}", limits=Limits(tries=1)) as client:
            with pytest.raises(ConnectError) as caught:
                await result(client.chat("cromicle", "Hello").read())
    assert url in str(caught.value)
    assert KEY not in str(caught.value)


async def test_a_resumed_job_has_the_query_and_does_not_show_it(memory: MemorySetup, client: AnyClient) -> None:
    await result(client.log_in("arta", {"api_key": "emulated-key"}))
    job = client.image("arta", "a dragon")
    await first_of(JobAccepted, job)
    await result(job.close())
    begun = len(memory.emulators["arta"].requests)
    assert await collect(client.resume("arta", job.snapshot()))
    assert all(QUERY in request.target for request in memory.emulators["arta"].requests[begun:])
    assert KEY not in job.snapshot()
    assert KEY not in repr(job._ready.flow)
