"""The client's side of a scenario: its work, and what a user observes."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import anyio

from modelwire.errors import Failure, FlowFailed
from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.json import JsonObject
from modelwire.limits import Limits
from modelwire.outputs import ImageReady, Output
from modelwire.text import TextSink
from modelwire_io import AsyncClient, AsyncImageJob, Client, Image, ImageJob
from modelwire_io.client.settings import Configuration
from modelwire_io.drive import adrive, drive
from modelwire_io.store import MemoryStore
from played_flow import shown
from transport_variants import TransportVariant, blocking_of

from .clock import AsyncSkippingTransport, SkippingTransport

# Secrets of the user. None may reach another origin or a message.
API_KEY, LOGIN_TOKEN, OWN_COOKIE = SUPPLIED = ("key-of-the-user", "token-of-the-user", "cookie-of-the-user")
CREDENTIALS: dict[str, JsonObject] = {
    "arta": {"api_key": API_KEY},
    "hailuo": {
        "token": LOGIN_TOKEN,
        "cookies": [{"name": "own", "value": OWN_COOKIE, "domain": "www.hailuo.ai"}],
    },
}
PROMPT = "Tell me a story"


class Ask(NamedTuple):
    """Plain requests to `/`, or in turn to `/1`, `/2` and so on."""

    requests: int = 1
    method: str = "GET"
    repeatable: bool = True
    body: bytes = b""
    scheme: str = "http"
    silence: float = 60.0


class Chat(NamedTuple):
    """A chat with a provider."""

    provider: str


class Order(NamedTuple):
    """A job for an image, and the download of the image. `poll_interval` is in seconds."""

    poll_interval: float = 2.0


Work = Ask | Chat | Order


@dataclass(kw_only=True)
class RequestsFlow(Flow):
    """The flow of `Ask`: emits the texts of all responses of the server at `base`."""

    ask: Ask
    base: str

    def start(self) -> Steps:
        """Send the requests. A short sleep between them lets the server finish its response."""
        many = range(1, self.ask.requests + 1)
        for path in [f"/{number}" for number in many] if len(many) > 1 else ["/"]:
            yield from self.stream(partial(self.request, path), lambda: TextSink(self.emit))
            yield from self.sleep(0.001)

    def request(self, path: str) -> Request:
        ask = self.ask
        url = self.base.replace("http:", f"{ask.scheme}:") + path
        return Request(method=ask.method, url=url, body=ask.body, timeout=ask.silence, repeatable=ask.repeatable)


class Observed:
    """What a user observes: the outputs and the ending. `pauses` are the skipped sleeps, in seconds."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.images: list[Image] = []
        self.pauses: list[float] = []
        self.error: Exception | None = None

    @property
    def text(self) -> str:
        return shown(self.outputs)

    @property
    def failure(self) -> Failure | None:
        return self.error.failure if isinstance(self.error, FlowFailed) else None

    @property
    def ending(self) -> str:
        """`answer`, the kind of the failure, or the repr of any other exception."""
        if self.error is None:
            return "answer"
        return repr(self.error) if self.failure is None else self.failure.kind


def perform(work: Work, variant: TransportVariant, base: str, limits: Limits, pause: Callable[[], None]) -> Observed:
    """Do the work over a transport, with the server at `base`."""
    observed = Observed()
    runner = Runner(work, base, limits, pause, observed)
    try:
        if variant.style == "blocking":
            runner.run(variant)
        else:
            anyio.run(runner.arun, variant, backend=variant.backend)
    except Exception as error:
        # The frames would keep everything observed alive until the next garbage collection.
        observed.error = error.with_traceback(None)
    return observed


class Runner(NamedTuple):
    """Does the work, and writes everything to `observed`, also if it fails."""

    work: Work
    base: str
    limits: Limits
    pause: Callable[[], None]
    observed: Observed

    def run(self, variant: TransportVariant) -> None:
        transport = SkippingTransport(blocking_of(variant.open()), self.pause)
        self.observed.pauses = transport.clock.pauses
        with Client(transport=transport, **self._options) as client:
            running = self._begin(client)
            for output in running:
                self.observed.outputs.append(output)
                if isinstance(output, ImageReady) and isinstance(running, ImageJob):
                    self.observed.images.append(running.fetch(output))

    def _begin(self, client: Client) -> Iterable[Output]:
        match self.work:
            case Ask():
                return drive(RequestsFlow(ask=self.work, base=self.base, limits=self.limits), client.transport)
            case Chat(provider):
                return client.chat(provider, PROMPT, credentials=CREDENTIALS.get(provider))
            case Order(poll_interval):
                return client.image("arta", PROMPT, credentials=CREDENTIALS["arta"], poll_interval=poll_interval)

    async def arun(self, variant: TransportVariant) -> None:
        transport = AsyncSkippingTransport(variant.open(), self.pause)
        self.observed.pauses = transport.clock.pauses
        async with AsyncClient(transport=transport, **self._options) as client:
            running = self._abegin(client)
            async for output in running:
                self.observed.outputs.append(output)
                if isinstance(output, ImageReady) and isinstance(running, AsyncImageJob):
                    self.observed.images.append(await running.fetch(output))

    def _abegin(self, client: AsyncClient) -> AsyncIterable[Output]:
        match self.work:
            case Ask():
                return adrive(RequestsFlow(ask=self.work, base=self.base, limits=self.limits), client.transport)
            case Chat(provider):
                return client.chat(provider, PROMPT, credentials=CREDENTIALS.get(provider))
            case Order(poll_interval):
                return client.image("arta", PROMPT, credentials=CREDENTIALS["arta"], poll_interval=poll_interval)

    @property
    def _options(self) -> Configuration:
        return {"base_url": self.base, "limits": self.limits, "store": MemoryStore(), "environment": {}}
