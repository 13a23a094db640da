"""A flow driven by hand: a test scripts the responses, and reads the commands and outputs of the flow.

The clock is virtual: it moves when a test moves it, and jumps to the end of each `Sleep`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from hypothesis import strategies as st

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import Failure
from modelwire.events import (
    BodyReceived,
    Event,
    RequestFailed,
    RequestFailureKind,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.flow import Flow
from modelwire.http import Headers, Request
from modelwire.outputs import Output, Restarted, TextDelta, TextReplaced

NOW = 1_700_000_000.25
ENTROPY = bytes(range(32))

Item = Command | Output
FlowT = TypeVar("FlowT", bound=Flow)
OutputT = TypeVar("OutputT")


@dataclass(frozen=True, kw_only=True)
class ScriptedResponse:
    """A response of the server. `chunks` is the body in chunks. It never ends if `stays_open`."""

    body: bytes = b""
    status: int = 200
    headers: Headers = ()
    chunks: Sequence[bytes] | None = None
    stays_open: bool = False


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A failure of a request, `after` part of a response or before any."""

    kind: RequestFailureKind
    detail: str = ""
    after: ScriptedResponse | None = None


Outcome = ScriptedResponse | Broken


def say(body: str | bytes, status: int = 200, **headers: str) -> ScriptedResponse:
    """A response with this body; `retry_after="5"` is the header Retry-After."""
    data = body.encode() if isinstance(body, str) else body
    return ScriptedResponse(
        body=data, status=status, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items())
    )


def say_json(value: object, status: int = 200, **headers: str) -> ScriptedResponse:
    """A response with this value as its JSON body."""
    return say(msgspec.json.encode(value), status, **headers)


@dataclass
class PlayedFlow:
    """A flow and the log of its commands and outputs. Every batch is checked against the contract of `handle`."""

    flow: Flow
    now: float = NOW
    log: list[Item] = field(default_factory=list)
    wait: SendRequest | Evaluate | Sleep | None = None
    is_over: bool = False
    open_request: int | None = None  # sent, not yet ended or aborted

    def deliver(self, event: Event, *, after: float = 0.0) -> list[Item]:
        """Deliver one event `after` some seconds, check the batch and return it."""
        self.now += after
        was_over = self.is_over
        batch = self.flow.handle(event, self.now)
        waits = [item for item in batch if isinstance(item, SendRequest | Evaluate | Sleep | Finished)]
        assert len(waits) <= 1, "more than one wait in a batch"
        assert not waits or batch[-1] is waits[0], "the wait is not the last item of its batch"
        assert not was_over or batch == [], "something after Finished"
        if isinstance(event, ResponseEnded | RequestFailed) and event.request_id == self.open_request:
            self.open_request = None
        for item in batch:
            self._track_request(item)
        self.log.extend(batch)
        if waits:
            self.is_over = isinstance(waits[0], Finished)
            self.wait = None if isinstance(waits[0], Finished) else waits[0]
        return batch

    def _track_request(self, item: Item) -> None:
        """Check that a flow aborts only an open request, and never waits for anything else while one is open."""
        match item:
            case AbortRequest(request_id):
                assert self.open_request == request_id, "aborts a request that is not open"
                self.open_request = None
            case SendRequest(request_id):
                assert self.open_request in (None, request_id), "a request before the last was over"
                self.open_request = request_id
            case OpenPage() | Evaluate() | Sleep() | Finished():
                assert self.open_request is None, "a request was left open"

    def start(self, entropy: bytes = ENTROPY, secret_entropy: bytes = b"") -> list[Item]:
        """Deliver `Start`."""
        return self.deliver(Start(entropy, secret_entropy))

    def wake(self) -> list[Item]:
        """Move the clock to the deadline of the flow, and deliver `Woken`."""
        assert self.wait is not None
        self.now = max(self.now, self.flow.deadline)
        return self.deliver(Woken())

    def respond(self, outcome: Outcome) -> list[Item]:
        """Deliver the events of an outcome to the current request. Returns everything that the flow emitted."""
        assert isinstance(self.wait, SendRequest), f"the flow waits for no response, but: {self.wait}"
        request_id = self.wait.request_id
        return [item for event in events_of(outcome, request_id) for item in self.deliver(event)]

    def play(self, *outcomes: Outcome) -> PlayedFlow:
        """Deliver these outcomes to the requests in order. Sleep if the flow sleeps."""
        for outcome in outcomes:
            self.sleep_on()
            self.respond(outcome)
        self.sleep_on()
        return self

    def sleep_on(self) -> None:
        """Sleep until the flow sends a request or ends."""
        while isinstance(self.wait, Sleep):
            self.wake()

    # The log.

    def all(self, kind: type[OutputT]) -> list[OutputT]:
        """Every item of one kind, in order."""
        return [item for item in self.log if isinstance(item, kind)]

    @property
    def requests(self) -> list[Request]:
        return [command.request for command in self.all(SendRequest)]

    @property
    def request(self) -> Request:
        """The current request."""
        assert isinstance(self.wait, SendRequest)
        return self.wait.request

    @property
    def outputs(self) -> list[Output]:
        return [item for item in self.log if not isinstance(item, Command)]

    @property
    def text(self) -> str:
        """The text that the outputs add up to."""
        return shown(self.log)

    @property
    def failure(self) -> Failure:
        """The failure. Raises `AssertionError` if the flow has not failed."""
        assert isinstance(self.log[-1], Finished), f"the flow has not ended: {self.wait}"
        assert self.log[-1].failure is not None, "the flow ended well"
        return self.log[-1].failure

    @property
    def succeeded(self) -> bool:
        return self.log[-1:] == [Finished(None)]


def begin(flow: Flow, *, now: float = NOW, entropy: bytes = ENTROPY) -> PlayedFlow:
    """Start a flow."""
    session = PlayedFlow(flow, now=now)
    session.start(entropy)
    return session


def play(flow: Flow, *outcomes: Outcome, now: float = NOW, entropy: bytes = ENTROPY) -> PlayedFlow:
    """Start a flow, and deliver these outcomes."""
    return begin(flow, now=now, entropy=entropy).play(*outcomes)


def events_of(outcome: Outcome, request_id: int) -> Iterator[Event]:
    """The events of an outcome."""
    match outcome:
        case Broken(kind=kind, detail=detail, after=after):
            if after is not None:
                yield from _arrival(after, request_id)
            yield RequestFailed(request_id, kind, detail)
        case ScriptedResponse(stays_open=stays_open):
            yield from _arrival(outcome, request_id)
            if not stays_open:
                yield ResponseEnded(request_id)


def _arrival(response: ScriptedResponse, request_id: int) -> Iterator[Event]:
    yield ResponseStarted(request_id, response.status, response.headers)
    for chunk in [response.body] if response.chunks is None else response.chunks:
        yield BodyReceived(request_id, chunk)


def shown(items: Iterable[object]) -> str:
    """The text that these outputs add up to."""
    text = ""
    for item in items:
        match item:
            case TextDelta(more):
                text += more
            case TextReplaced(whole):
                text = whole
            case Restarted():
                text = ""
    return text


def header(request: Request, name: str) -> str:
    """The value of a header that the request has exactly once."""
    (value,) = (value for key, value in request.headers if key.lower() == name.lower())
    return value


def header_map(request: Request) -> dict[str, str]:
    """The headers by name in lower case. Raises `AssertionError` if a name occurs twice."""
    headers = {name.lower(): value for name, value in request.headers}
    assert len(headers) == len(request.headers)
    return headers


def form(request: Request) -> list[tuple[str, str]]:
    """The fields of a urlencoded body, in order."""
    return parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)


def query(request: Request) -> list[tuple[str, str]]:
    """The fields of the URL's query, in order."""
    return parse_qsl(urlsplit(request.url).query, keep_blank_values=True, strict_parsing=True)


def bytewise(data: bytes) -> list[bytes]:
    """The data in chunks of one byte."""
    return [data[i : i + 1] for i in range(len(data))]


def two_part_cuts(data: bytes) -> Iterator[list[bytes]]:
    """Every cut of the data into two chunks."""
    for i in range(len(data) + 1):
        yield [data[:i], data[i:]]


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The data in chunks, some of them empty."""
    ends = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[i:j] for i, j in zip([0, *ends], [*ends, len(data)], strict=True)]


def through_json(flow: FlowT, credentials: object = None, *, resend: bool = False) -> FlowT:
    """The flow, restored from its snapshot as another process would."""
    return type(flow).restore(flow.snapshot().encode(), credentials=credentials, resend=resend)
