"""The client's side of a scenario: what it asks, over which transport, and what a user hears of it."""

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
from modelwire_io.client.client import Configuration
from modelwire_io.drive import adrive, drive
from modelwire_io.store import MemoryStore
from played_flow import shown
from transports_under_test import Carrier, blocking_of

from .clock import AsyncSkippingTransport, SkippingTransport

# What a user brings. None of it may reach another origin, or a message.
API_KEY, LOGIN_TOKEN, OWN_COOKIE = BROUGHT = ("key-of-the-user", "token-of-the-user", "cookie-of-the-user")
CREDENTIALS: dict[str, JsonObject] = {
    "arta": {"api_key": API_KEY},
    "hailuo": {
        "token": LOGIN_TOKEN,
        "cookies": [{"name": "own", "value": OWN_COOKIE, "domain": "www.hailuo.ai"}],
    },
}
PROMPT = "Tell me a story"


class Ask(NamedTuple):
    """Requests to `/`, or to `/1`, `/2` and so on, one after the other, by a flow that has no more to it."""

    requests: int = 1
    method: str = "GET"
    repeatable: bool = True
    body: bytes = b""
    scheme: str = "http"
    silence: float = 60.0


class Chat(NamedTuple):
    """A question to a provider."""

    provider: str


class Order(NamedTuple):
    """An order for an image, and what comes of it. `poll_interval` is in seconds."""

    poll_interval: float = 2.0


Work = Ask | Chat | Order


@dataclass(kw_only=True)
class Asking(Flow):
    """What `Ask` asks of the server at `base`: the texts of all answers together."""

    ask: Ask
    base: str

    def start(self) -> Steps:
        """One request after the other, with a moment for the other side between them."""
        many = range(1, self.ask.requests + 1)
        for path in [f"/{number}" for number in many] if len(many) > 1 else ["/"]:
            yield from self.stream(partial(self.request, path), lambda: TextSink(self.emit))
            yield from self.sleep(0.001)

    def request(self, path: str) -> Request:
        """One of them."""
        ask = self.ask
        url = self.base.replace("http:", f"{ask.scheme}:") + path
        return Request(method=ask.method, url=url, body=ask.body, timeout=ask.silence, repeatable=ask.repeatable)


class Heard:
    """What a user heard, and how it ended. `pauses` are the seconds that were not slept."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.images: list[Image] = []
        self.pauses: list[float] = []
        self.error: Exception | None = None

    @property
    def text(self) -> str:
        """The text on the screen."""
        return shown(self.outputs)

    @property
    def failure(self) -> Failure | None:
        """Why it failed, if it did."""
        return self.error.failure if isinstance(self.error, FlowFailed) else None

    @property
    def ending(self) -> str:
        """`answer`, the kind of the failure, or an exception that nobody has heard of."""
        if self.error is None:
            return "answer"
        return repr(self.error) if self.failure is None else self.failure.kind


def perform(work: Work, carrier: Carrier, base: str, limits: Limits, pause: Callable[[], None]) -> Heard:
    """Do the work over a transport of this kind against the server at `base`."""
    heard = Heard()
    listener = Listener(work, base, limits, pause, heard)
    try:
        if carrier.style == "blocking":
            listener.listen(carrier)
        else:
            anyio.run(listener.alisten, carrier, backend=carrier.backend)
    except Exception as error:
        # Its frames would keep alive all that was heard, until the garbage collector comes.
        heard.error = error.with_traceback(None)
    return heard


class Listener(NamedTuple):
    """Begins the work, and takes what is told. What it hears is in `heard`, also when it fails."""

    work: Work
    base: str
    limits: Limits
    pause: Callable[[], None]
    heard: Heard

    def listen(self, carrier: Carrier) -> None:
        """Over a blocking transport."""
        transport = SkippingTransport(blocking_of(carrier.open()), self.pause)
        self.heard.pauses = transport.clock.pauses
        with Client(transport=transport, **self._options) as client:
            under_way = self._begin(client)
            for output in under_way:
                self.heard.outputs.append(output)
                if isinstance(output, ImageReady) and isinstance(under_way, ImageJob):
                    self.heard.images.append(under_way.fetch(output))

    def _begin(self, client: Client) -> Iterable[Output]:
        match self.work:
            case Ask():
                return drive(Asking(ask=self.work, base=self.base, limits=self.limits), client.transport)
            case Chat(provider):
                return client.chat(provider, PROMPT, credentials=CREDENTIALS.get(provider))
            case Order(poll_interval):
                return client.image("arta", PROMPT, credentials=CREDENTIALS["arta"], poll_interval=poll_interval)

    async def alisten(self, carrier: Carrier) -> None:
        """The same for async code."""
        transport = AsyncSkippingTransport(carrier.open(), self.pause)
        self.heard.pauses = transport.clock.pauses
        async with AsyncClient(transport=transport, **self._options) as client:
            under_way = self._abegin(client)
            async for output in under_way:
                self.heard.outputs.append(output)
                if isinstance(output, ImageReady) and isinstance(under_way, AsyncImageJob):
                    self.heard.images.append(await under_way.fetch(output))

    def _abegin(self, client: AsyncClient) -> AsyncIterable[Output]:
        match self.work:
            case Ask():
                return adrive(Asking(ask=self.work, base=self.base, limits=self.limits), client.transport)
            case Chat(provider):
                return client.chat(provider, PROMPT, credentials=CREDENTIALS.get(provider))
            case Order(poll_interval):
                return client.image("arta", PROMPT, credentials=CREDENTIALS["arta"], poll_interval=poll_interval)

    @property
    def _options(self) -> Configuration:
        return {"base_url": self.base, "limits": self.limits, "store": MemoryStore(), "environment": {}}
