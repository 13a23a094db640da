"""No secret shows in a log, an exception, a recording or a repr, whatever the service sends."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from command_line import Home
from faults.client import API_KEY, LOGIN_TOKEN, PROMPT
from modelwire.errors import InvalidInput
from modelwire.limits import Limits
from modelwire.messages import Message
from modelwire.outputs import ImageReady, JobAccepted, TextDelta, TextReplaced, TitleChanged
from modelwire.provider import with_base_url
from modelwire.providers.arta import ArtaCredentials
from modelwire.providers.cromicle import CromicleEndpoints, CromicleOptions
from modelwire.providers.fakegpt import FakeGptCredentials
from modelwire.providers.hailuo import HailuoConversation, HailuoCredentials
from modelwire.providers.magickpen import MagickPenOptions
from modelwire_io import AsyncClient, AsyncImageJob, Client, ImageJob
from modelwire_io.client.settings import Configuration
from modelwire_io.drive import AsyncTransport
from modelwire_io.net.proxies import ProxyTable
from modelwire_io.store import FileStore, MemoryStore
from modelwire_io.store.history import History
from planted_secrets import WAYS, WORKS, EchoServer, Seen, Work, collecting_logs
from raw_server import PATIENCE
from transport_variants import TransportVariant, blocking_of, variants_of

# Outputs with the service's own words to the user.
CONTENT = (TextDelta, TextReplaced, TitleChanged, JobAccepted, ImageReady)
LIMITS = Limits(tries=1, total=30.0)
VARIANTS = [variant for variant in variants_of() if variant.style != "trio"]
WAITING = [variant for variant in variants_of("h11", "httpx", "httpx2") if variant.style != "blocking"]
# Each transport plays one in this many sessions, or all with the deep profile.
SHARES = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 4

A_SECRET = "S3cret-of-the-user"


@pytest.fixture
def anyio_backend(variant: TransportVariant) -> str | tuple[str, dict[str, bool]]:
    # In debug mode asyncio logs slow callbacks.
    return ("asyncio", {"debug": True}) if variant.style == "asyncio" else variant.backend


@asynccontextmanager
async def opened(variant: TransportVariant, server: EchoServer) -> AsyncIterator[AsyncTransport]:
    """A transport that uses the server as its proxy."""
    transport = variant.open(proxy=server.proxy)
    try:
        yield transport
    finally:
        await transport.close()


class Session:
    """One call of a client over one transport, and every text that it shows."""

    def __init__(self, transport: AsyncTransport, server: EchoServer, work: Work, record: Path) -> None:
        self.seen = Seen()
        self._transport = transport
        self._work = work
        self._record = record
        self._configuration: Configuration = {
            "base_url": server.url,
            "limits": LIMITS,
            "store": MemoryStore(),
            "environment": {},
        }

    def run(self) -> None:
        client = Client(transport=blocking_of(self._transport), **self._configuration)
        under_way = self._begin(client)
        try:
            for output in under_way:
                self._note(output)
                if isinstance(output, ImageReady) and isinstance(under_way, ImageJob):
                    self.seen.add("an image", under_way.fetch(output))
        except Exception as error:
            self.seen.add_error(error)
        self._finish(client, under_way)

    async def arun(self) -> None:
        client = AsyncClient(transport=self._transport, **self._configuration)
        under_way = self._begin(client)
        try:
            async for output in under_way:
                self._note(output)
                if isinstance(output, ImageReady) and isinstance(under_way, AsyncImageJob):
                    self.seen.add("an image", await under_way.fetch(output))
        except BaseException as error:
            self.seen.add_error(error)
            if not isinstance(error, Exception):
                raise
        self._finish(client, under_way)

    def _begin(self, client: Client | AsyncClient) -> Any:
        work = self._work
        ask = client.image if work.provider == "arta" else client.chat
        return ask(work.provider, PROMPT, credentials=work.credentials, record=self._record, **work.options)

    def _note(self, output: object) -> None:
        if not isinstance(output, CONTENT):
            self.seen.add("an output", output)

    def _finish(self, client: Client | AsyncClient, under_way: Any) -> None:
        ready = under_way._ready
        self.seen.add("a repr", client, self._transport, under_way, ready, ready.flow)
        if not self._work.options:  # a snapshot holds the options
            self.seen.add("a snapshot", under_way.snapshot())
        self.seen.add("a recording", self._record.read_text(encoding="utf-8"))


@pytest.mark.anyio
@pytest.mark.parametrize("work", WORKS, ids=str)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
async def test_nothing_shows_a_secret_that_the_service_echoes(
    variant: TransportVariant, work: Work, tmp_path: Path
) -> None:
    sessions = list(product(range(1, work.requests + 1), WAYS))[VARIANTS.index(variant) % SHARES :: SHARES]
    with EchoServer(work) as server:
        async with opened(variant, server) as transport:
            for number, way in sessions:
                server.begin(number, way)
                session = Session(transport, server, work, tmp_path / "recording")
                with collecting_logs(session.seen):
                    if variant.style == "blocking":
                        session.run()
                    else:
                        await session.arun()
                assert len(server.requests) >= number
                session.seen.check(server.secrets)


@pytest.mark.anyio
@pytest.mark.parametrize("work", WORKS, ids=str)
@pytest.mark.parametrize("variant", WAITING, ids=str)
async def test_nothing_shows_a_secret_after_a_cancellation(
    variant: TransportVariant, work: Work, tmp_path: Path
) -> None:
    """The traceback shows the local variables of every frame that waits for the last response."""
    asked = threading.Event()
    with EchoServer(work) as server:
        server.begin(work.requests, None, when_asked=asked.set)
        async with opened(variant, server) as transport:
            session = Session(transport, server, work, tmp_path / "recording")
            with collecting_logs(session.seen):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(session.arun)
                    assert await anyio.to_thread.run_sync(asked.wait, PATIENCE)
                    tasks.cancel_scope.cancel()
            session.seen.check(server.secrets)


# The command line.


@pytest.mark.parametrize(
    ("provider", "number", "way"),
    [
        ("arta", 3, "JSON"),
        ("arta", 4, "text"),
        ("cromicle", 1, "a page"),
        ("fakegpt", 4, "text"),
        ("hailuo", 1, "a chunk"),
        ("magickpen", 3, "a reason"),
    ],
)
def test_a_command_shows_no_secret(provider: str, number: int, way: str, tmp_path: Path) -> None:
    """Neither its output, with `--debug`, nor any file but the credential store."""
    home = Home(tmp_path)
    work = next(work for work in WORKS if work.provider == provider)
    with EchoServer(work) as server:
        if provider == "hailuo":
            typed = LOGIN_TOKEN.encode()
            assert home.run("login", provider, "--token-stdin", "--base-url", server.url, typed=typed).code == 0
        server.begin(number, way)
        result = home.run(
            *("image" if provider == "arta" else "chat", "-m", provider, "--debug", "--json", "--record", "recording"),
            *("--base-url", server.url, "--proxy", server.proxy, *_options(work), PROMPT),
            extra={"ARTA_API_KEY": API_KEY},
        )
        assert result.code == 1
        assert "Traceback" in result.err
        assert len(server.requests) >= number
        seen = Seen()
        seen.add("the streams", result.out, result.err)
        files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(home.data)]
        seen.add("files", *(path.read_text(encoding="utf-8") for path in files))
        assert files
        seen.check(server.secrets)


def _options(work: Work) -> list[str]:
    return [word for name, value in work.options.items() for word in ("-o", name, str(value))]


# Invalid URLs are refused, and not shown.


@pytest.mark.parametrize(
    "url",
    [
        f"http://somebody:{A_SECRET}@127.0.0.1:9",
        f"http://somebody:{A_SECRET}@",
        f"http://somebody:{A_SECRET}@127.0.0.1:port",
        f"http://somebody:{A_SECRET}@127.0.0.1/ /",
        f"ftp://somebody:{A_SECRET}@127.0.0.1:9",
        f"http://127.0.0.1:9/#{A_SECRET}",
        f"ftp://127.0.0.1:9/?key={A_SECRET}",
    ],
)
def test_a_base_url_with_a_secret_is_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    seen = Seen()
    for base_url, environment in ((url, {}), (None, {"CROMICLE_BASE_URL": url})):
        client = Client(base_url=base_url, environment=environment, store=MemoryStore())
        with pytest.raises(InvalidInput) as info:
            client.chat("cromicle", PROMPT)
        seen.add("a message", str(info.value), repr(info.value), repr(client))
    seen.check([A_SECRET])
    with pytest.raises(InvalidInput):
        with_base_url(CromicleEndpoints(), url)


@pytest.mark.parametrize(
    "proxy",
    [
        f"ftp://somebody:{A_SECRET}@127.0.0.1:9",
        f"http://somebody:{A_SECRET}@",
        f"http://somebody:{A_SECRET}@127.0.0.1:port",
        f"http://somebody:{A_SECRET}@127.0.0.1\r\n:9",
        f"somebody:{A_SECRET}@127.0.0.1:port",
    ],
)
def test_an_invalid_proxy_is_not_shown(proxy: str) -> None:
    seen = Seen()
    for given, environment in ((proxy, {}), (None, {"HTTP_PROXY": proxy})):
        with pytest.raises(InvalidInput) as info:
            ProxyTable(given, environment)
        seen.add("a message", str(info.value), repr(info.value))
    seen.check([A_SECRET])


def test_objects_with_secrets_do_not_show_them(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.save("hailuo", "https://a.example", {"token": A_SECRET})
    seen = Seen()
    seen.add(
        "a repr",
        ArtaCredentials(api_key=A_SECRET, id_token=A_SECRET, refresh_token=A_SECRET),
        FakeGptCredentials(access_token=A_SECRET),
        HailuoCredentials(token=A_SECRET, uuid=A_SECRET, device_id=A_SECRET),
        HailuoConversation(token=A_SECRET, chat_id="1", character_id="1"),
        CromicleOptions(token=A_SECRET),
        MagickPenOptions(turnstile_response=A_SECRET),
        History(messages=(Message("user", "hi"),), conversation={"token": A_SECRET}),
        store,
        store._read("hailuo"),
        ProxyTable(f"http://somebody:{A_SECRET}@127.0.0.1:9", {}),
    )
    seen.check([A_SECRET])
