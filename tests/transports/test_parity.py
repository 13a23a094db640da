"""Every provider over every transport, in every style: the same outputs, and the same requests on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from functools import cache
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import msgspec
import pytest

from modelwire.catalog import PROVIDERS
from modelwire.commands import SendRequest
from modelwire.download import ImageDownload
from modelwire.emulators import EMULATORS, Behaviour
from modelwire.events import Start
from modelwire.flow import Flow
from modelwire.http import Request, origin
from modelwire.outputs import ImageReady, Output, TextDelta
from modelwire.provider import with_base_url
from modelwire_io.drive import AsyncTransport, drive
from modelwire_io.emulation import EmulatorServer
from modelwire_io.emulation.journal import RequestRecord
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports.memory import MemoryExchange
from transport_calls import outputs_of
from transport_variants import TransportVariant

pytestmark = pytest.mark.anyio

AT_ONCE = Behaviour(pause=0, queue=0, work=0)
# The first piece of an answer arrives soon, the last one long after that.
SLOWLY = Behaviour(pause=0.03, chunk_size=31)
# Seconds: the server has noticed a closed connection by then, also on a busy machine.
AT_LAST = 5.0
START = Start(bytes(range(32)), bytes(range(32, 64)))
PROMPT = "Grüße, 世界! " * 300

VARIANTS = [
    *(
        TransportVariant(name, style)
        for name in ("h11", "httpx", "httpx2")
        for style in ("blocking", "asyncio", "trio")
    ),
    TransportVariant("aiohttp", "asyncio"),
    TransportVariant("urllib3", "blocking"),
    TransportVariant("urllib", "blocking"),
]
CREDENTIALS: dict[str, dict[str, str]] = {"hailuo": {"token": "emulated-token"}, "arta": {"api_key": "any"}}
CHATS = [name for name, provider in PROVIDERS.items() if provider.chat is not None]


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str:
    variant: TransportVariant = request.node.callspec.params["variant"]
    return variant.backend


def flow_of(name: str, base_url: str) -> Flow:
    """The flow of a provider, a chat or an image, at this base URL."""
    provider = PROVIDERS[name]
    (flow,) = provider.flows.values()
    arguments: dict[str, Any] = {"messages": PROMPT} if provider.chat is not None else {"prompt": PROMPT}
    if provider.credentials is not None and name in CREDENTIALS:
        arguments["credentials"] = msgspec.convert(CREDENTIALS[name], provider.credentials)
    return flow(endpoints=with_base_url(provider.endpoints, base_url), **arguments)  # type: ignore[call-arg]


async def outputs_over(name: str, transport: AsyncTransport, base_url: str) -> list[Output]:
    """The outputs of a flow, and those of a download of each of its images."""
    outputs = [output async for output in outputs_of(flow_of(name, base_url), transport, start=START)]
    for output in list(outputs):
        if isinstance(output, ImageReady):
            download = ImageDownload(url=output.url, provider_url=base_url)
            outputs += [received async for received in outputs_of(download, transport, start=START)]
    return outputs


# Values that the server generates, and moments: numbers in JSON. Generated values are in strings.
ISSUED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{20,}|\b[0-9]{10,}\b|eyJ[\w.-]+")
MOMENTS = re.compile(r"(?<=:)1[0-9]{9}(?:\.[0-9]+)?(?=[,}])")


def without_ids(text: str, base_url: str) -> str:
    """The text with generated values replaced by numbers, and with equal moments and hosts."""
    host = origin(base_url)[1]
    text = MOMENTS.sub("1", text.replace(base_url, "BASE").replace(f'"{host}"', '"HOST"'))
    numbers = {issued: f"#{number}" for number, issued in enumerate(dict.fromkeys(ISSUED.findall(text)))}
    return ISSUED.sub(lambda match: numbers[match[0]], text)


def comparable(outputs: list[Output], base_url: str) -> list[Any]:
    """Outputs as plain data, with adjacent pieces of text joined."""
    merged: list[Any] = []
    for output in json.loads(without_ids(msgspec.json.encode(outputs).decode(), base_url)):
        if merged and output["type"] == merged[-1]["type"] == TextDelta.__name__:
            merged[-1]["text"] += output["text"]
        else:
            merged.append(output)
    return merged


class Transcript(NamedTuple):
    """The outputs of a flow, and its requests: method, path and the names of the headers."""

    outputs: list[Any]
    requests: list[tuple[str, str, tuple[str, ...]]]


class RecordingTransport(MemoryTransport):
    """Sends requests straight to an emulator, and records them."""

    def __init__(self, name: str) -> None:
        super().__init__({name: EMULATORS[name](AT_ONCE)})
        self.requests: list[Request] = []

    def open(self, command: SendRequest) -> MemoryExchange:
        self.requests.append(command.request)
        return super().open(command)


@cache
def expected(name: str) -> Transcript:
    """The transcript if nothing is between a flow and its emulator."""
    transport = RecordingTransport(name)
    base_url = transport.base_urls[name]
    outputs = list(drive(flow_of(name, base_url), transport, start=START))
    for output in list(outputs):
        if isinstance(output, ImageReady):
            outputs += drive(ImageDownload(url=output.url, provider_url=base_url), transport, start=START)
    return Transcript(
        comparable(outputs, base_url),
        [
            (request.method, path_of(request.url.removeprefix(base_url)), names_of(key for key, _ in request.headers))
            for request in transport.requests
        ],
    )


def path_of(target: str) -> str:
    return ISSUED.sub("#", target.partition("?")[0]) or "/"


def names_of(headers: Iterable[str]) -> tuple[str, ...]:
    """The names of headers in their order, without those of the framing."""
    return tuple(name.lower() for name in headers if name.lower() not in ("host", "content-length"))


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
async def test_outputs_and_requests_are_the_same_over_every_transport(variant: TransportVariant, name: str) -> None:
    with EmulatorServer(behaviour=AT_ONCE) as server:
        base_url = server.providers[name]
        transport = variant.open()
        outputs = await outputs_over(name, transport, base_url)
        await transport.close()
        requests = [(each.method, path_of(each.target), names_of(each.header_names)) for each in server.requests]
    assert comparable(outputs, base_url) == expected(name).outputs
    assert requests == expected(name).requests


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(
    "variant", [TransportVariant("memory", "asyncio"), TransportVariant("memory", "trio")], ids=str
)
async def test_outputs_are_the_same_without_a_network(variant: TransportVariant, name: str) -> None:
    transport = AsyncMemoryTransport({name: EMULATORS[name](AT_ONCE)})
    base_url = transport.base_urls[name]
    assert comparable(await outputs_over(name, transport, base_url), base_url) == expected(name).outputs


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
async def test_leaving_midway_closes_the_connection_at_once(variant: TransportVariant, name: str) -> None:
    with EmulatorServer(behaviour=SLOWLY) as server:
        transport = variant.open()
        async with aclosing(outputs_of(flow_of(name, server.providers[name]), transport, start=START)) as outputs:
            while not isinstance(await anext(outputs), TextDelta):
                pass
            assert server.requests[-1].closed_early is None
        assert await anyio.to_thread.run_sync(server.wait_for, last_was_closed_early, AT_LAST)
        await transport.close()


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant.style != "blocking"], ids=str)
async def test_cancelling_midway_closes_the_connection_at_once(variant: TransportVariant) -> None:
    heard = anyio.Event()

    async def listen(transport: AsyncTransport, base_url: str) -> None:
        async for output in outputs_of(flow_of("cromicle", base_url), transport, start=START):
            if isinstance(output, TextDelta):
                heard.set()

    with EmulatorServer(behaviour=SLOWLY) as server:
        transport = variant.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, transport, server.providers["cromicle"])
            await heard.wait()
            tasks.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(server.wait_for, last_was_closed_early, AT_LAST)
        await transport.close()


def last_was_closed_early(records: Sequence[RequestRecord]) -> bool:
    return bool(records and records[-1].closed_early)
