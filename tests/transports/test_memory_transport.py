"""Requests straight into emulators, on a virtual clock: blocking, on asyncio and on trio."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from modelwire.catalog import PROVIDERS
from modelwire.commands import SendRequest
from modelwire.emulators import EMULATORS, Chunk, EmulatorRequest, EmulatorResponse
from modelwire.events import BodyReceived, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.http import Headers, Request
from modelwire_io.clock import VirtualClock
from modelwire_io.drive import AsyncTransport
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports.memory import BASE_URL
from transport_calls import BlockingTransport, ReceivedEvents, fetch
from transport_variants import STYLES, Style, backend_of

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0


class Recorder:
    """An emulator that gives every request the same response, and records the requests."""

    def __init__(self, *chunks: Chunk, status: int = 200, headers: Headers = (), stays_open: bool = False) -> None:
        self.requests: list[tuple[EmulatorRequest, float]] = []
        self._response = EmulatorResponse(status=status, headers=headers, chunks=chunks, stays_open=stays_open)

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        self.requests.append((request, now))
        return self._response


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    found: Style = request.param
    return found


@pytest.fixture
def anyio_backend(style: Style) -> str:
    return backend_of(style)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


def transport_of(style: Style, clock: VirtualClock, **emulators: Recorder) -> AsyncTransport:
    """A transport to these emulators alone."""
    if style == "blocking":
        return BlockingTransport(MemoryTransport(emulators, clock))
    return AsyncMemoryTransport(emulators, clock)


def get(path: str, timeout: float = 60.0) -> Request:
    return Request(method="GET", url=BASE_URL + path, timeout=timeout)


async def test_a_response_arrives_as_events(style: Style, clock: VirtualClock) -> None:
    fake = Recorder(Chunk(b"a"), Chunk(b"b"), status=404, headers=(("x", "y"),))
    outcome = await fetch(transport_of(style, clock, fake=fake), get("/fake/path"))
    assert outcome == ReceivedEvents(
        [ResponseStarted(1, 404, (("x", "y"),)), BodyReceived(1, b"a"), BodyReceived(1, b"b"), ResponseEnded(1)]
    )


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (f"{BASE_URL}/fake/a%2fb?c=%7e#d", "/a%2fb?c=%7e"),
        (f"{BASE_URL}/fake", "/"),
        (f"{BASE_URL}/fake/", "/"),
        (f"{BASE_URL}/fake//a", "//a"),
    ],
)
async def test_an_emulator_gets_the_request_without_its_base_url(
    style: Style, clock: VirtualClock, url: str, target: str
) -> None:
    fake = Recorder()
    request = Request(method="PUT", url=url, headers=(("A", "1"), ("a", "2")), body=b"body")
    await fetch(transport_of(style, clock, fake=fake), request)
    expected = EmulatorRequest(
        method="PUT",
        target=target,
        headers=(("host", "emulators.invalid"), ("A", "1"), ("a", "2")),
        body=b"body",
        base_url=f"{BASE_URL}/fake",
    )
    assert fake.requests == [(expected, NOW)]


@pytest.mark.parametrize(("rest", "target"), [("", "/"), ("?a=b", "/?a=b"), ("/chat", "/chat"), ("#x", "/")])
async def test_an_emulator_responds_at_the_real_address(
    style: Style, clock: VirtualClock, rest: str, target: str
) -> None:
    fake = Recorder()
    await fetch(transport_of(style, clock, cromicle=fake), Request(method="GET", url=f"https://cromicle.top{rest}"))
    ((request, _),) = fake.requests
    assert (request.target, request.base_url, request.headers) == (
        target,
        "https://cromicle.top",
        (("host", "cromicle.top"),),
    )


def test_every_host_of_every_provider_leads_to_its_emulator() -> None:
    transport = MemoryTransport()
    for name, provider in PROVIDERS.items():
        hosts = [url for url in msgspec.structs.asdict(provider.endpoints).values() if url.startswith("https:")]
        for url in [*hosts, transport.base_urls[name]]:
            routed = transport.route(Request(method="GET", url=f"{url}/"))
            assert routed is not None
            assert isinstance(routed[0], EMULATORS[name])


@pytest.mark.parametrize(
    "url",
    [
        f"{BASE_URL}/other/path",
        BASE_URL,
        f"{BASE_URL}/",
        "http://cromicle.top/",
        "https://elsewhere.example/",
        "https://cromicle.top:99999/",
        "https://[::1/",
    ],
)
async def test_a_url_of_no_emulator_is_a_failure_to_connect(style: Style, clock: VirtualClock, url: str) -> None:
    outcome = await fetch(transport_of(style, clock, cromicle=Recorder()), Request(method="GET", url=url))
    assert outcome == ReceivedEvents([RequestFailed(1, "connect", "no emulator has this address")])


async def test_a_request_is_sent_with_the_first_receive(style: Style, clock: VirtualClock) -> None:
    fake = Recorder()
    exchange = transport_of(style, clock, fake=fake).open(SendRequest(1, get("/fake/"), NOW + 1))
    await exchange.close()
    assert fake.requests == []


async def test_receiving_after_the_end_is_an_error(style: Style, clock: VirtualClock) -> None:
    exchange = transport_of(style, clock, fake=Recorder()).open(SendRequest(1, get("/fake/"), NOW + 1))
    while not isinstance(await exchange.receive(NOW + 1), ResponseEnded):
        pass
    with pytest.raises(RuntimeError, match="after the end"):
        await exchange.receive(NOW + 1)
    await exchange.close()


# Time.


async def events_until(
    style: Style, clock: VirtualClock, fake: Recorder, seconds: float, timeout: float
) -> ReceivedEvents:
    return await fetch(transport_of(style, clock, fake=fake), get("/fake/", timeout), seconds=seconds)


async def test_time_passes_only_while_somebody_waits(style: Style, clock: VirtualClock) -> None:
    exchange = transport_of(style, clock, fake=Recorder(Chunk(b"a", 2.0), Chunk(b"b", 3.0))).open(
        SendRequest(1, get("/fake/"), NOW + 60)
    )
    moments = []
    while not isinstance(await exchange.receive(NOW + 60), ResponseEnded):
        moments.append(clock.now() - NOW)
    assert moments == [0.0, 2.0, 5.0]
    assert clock.now() == NOW + 5.0


async def test_a_pause_begins_when_the_last_piece_was_received(style: Style, clock: VirtualClock) -> None:
    exchange = transport_of(style, clock, fake=Recorder(Chunk(b"a", 2.0))).open(SendRequest(1, get("/fake/"), NOW + 60))
    await exchange.receive(NOW + 60)
    clock.advance_to(NOW + 10)
    assert await exchange.receive(NOW + 60) == BodyReceived(1, b"a")
    assert clock.now() == NOW + 12


@pytest.mark.parametrize("seconds", [0.0, 4.999])
async def test_a_piece_after_the_deadline_is_not_received(style: Style, clock: VirtualClock, seconds: float) -> None:
    outcome = await events_until(style, clock, Recorder(Chunk(b"a", 5.0)), seconds, timeout=60.0)
    assert outcome.last == Woken()
    assert outcome.pieces == []
    assert clock.now() == NOW + seconds


async def test_a_piece_at_the_deadline_is_received(style: Style, clock: VirtualClock) -> None:
    outcome = await events_until(style, clock, Recorder(Chunk(b"a", 5.0)), 5.0, timeout=60.0)
    assert outcome.body == b"a"


async def test_a_body_that_stays_open_does_not_end(style: Style, clock: VirtualClock) -> None:
    outcome = await events_until(style, clock, Recorder(Chunk(b"a"), stays_open=True), 30.0, timeout=60.0)
    assert outcome.pieces == [b"a"]
    assert outcome.last == Woken()
    assert clock.now() == NOW + 30


@pytest.mark.parametrize(
    ("fake", "pieces"),
    [
        (Recorder(Chunk(b"a"), Chunk(b"b", 60.5)), [b"a"]),
        (Recorder(Chunk(b"a"), Chunk(b"b", 60.0), stays_open=True), [b"a", b"b"]),
    ],
)
async def test_silence_is_a_timeout(style: Style, clock: VirtualClock, fake: Recorder, pieces: Sequence[bytes]) -> None:
    outcome = await events_until(style, clock, fake, 1000.0, timeout=60.0)
    assert outcome.pieces == pieces
    assert outcome.failure == RequestFailed(1, "timeout", "nothing came for 60 seconds")
    assert clock.now() == NOW + 60 * len(pieces)


async def test_sleeping_takes_no_time(style: Style, clock: VirtualClock) -> None:
    transport = transport_of(style, clock)
    await transport.sleep(NOW + 3600)
    assert transport.clock.now() == NOW + 3600
    await transport.sleep(NOW)
    assert transport.clock.now() == NOW + 3600
    await transport.close()


def test_by_default_it_has_every_emulator_and_a_clock() -> None:
    for transport in (MemoryTransport(), AsyncMemoryTransport()):
        assert set(transport.emulators) == set(EMULATORS)
        assert transport.base_urls == {name: f"{BASE_URL}/{name}" for name in EMULATORS}
        assert isinstance(transport.clock, VirtualClock)


def test_it_may_have_no_emulator() -> None:
    assert MemoryTransport({}).emulators == {}
