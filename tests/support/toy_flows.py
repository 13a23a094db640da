"""Small flows for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from modelwire.commands import Sleep
from modelwire.errors import JobFailed
from modelwire.flow import NOT_SAVED, Flow, Steps
from modelwire.http import Request
from modelwire.outputs import JobAccepted, StatusChanged, TextDelta
from modelwire.sse import ServerSentEvent
from modelwire.text import CumulativeText, EventSink, TextSink
from played_flow import Outcome, PlayedFlow, begin

URL = "https://api.example/ask?key=K-1234567"
SHOWN_URL = "https://api.example/ask"


class ToyFlow(Flow):
    """The base of these flows: it makes one kind of request."""

    def request(self, *, repeatable: bool = True) -> Request:
        return Request(
            method="POST",
            url=URL,
            headers=(("nonce", self.nonce()), ("time", str(self.now))),
            timeout=self.limits.silence,
            repeatable=repeatable,
        )


@dataclass(kw_only=True)
class FetchFlow(ToyFlow):
    """Sends one request, and emits the body as text."""

    def start(self) -> Steps:
        response = yield from self.fetch(self.request)
        self.emit(TextDelta(response.text()))


@dataclass(kw_only=True)
class TextFlow(ToyFlow):
    """Streams one answer of plain text."""

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))


@dataclass(kw_only=True)
class EventFlow(ToyFlow):
    """Streams one answer of events: each holds the whole text so far; the event `end` ends it."""

    def start(self) -> Steps:
        yield from self.stream(
            self.request, lambda: EventSink(partial(self.take, CumulativeText(self.emit)), self.limits)
        )

    def take(self, text: CumulativeText, event: ServerSentEvent) -> bool:
        if event.event == "status":
            self.emit(StatusChanged("generating", event.data))
        elif event.event == "message":
            text.update(event.data)
        return event.event == "end"


@dataclass(kw_only=True)
class JobFlow(ToyFlow):
    """Submits a job once, then polls until it is done. Its credentials are not saved."""

    default_timeout: ClassVar[float] = 300.0

    order: str = "one dragon"
    credentials: dict[str, str] | None = field(default=None, metadata=NOT_SAVED, repr=False)
    job: str = field(default="", init=False)

    def start(self) -> Steps:
        yield from self.fetch(self.request)
        return self.submit

    def submit(self) -> Steps:
        response = yield from self.fetch(partial(self.request, repeatable=False), allow=(402,))
        if response.status == 402:
            raise JobFailed("no money")
        self.job = response.text()
        self.emit(JobAccepted(self.job))
        return self.poll

    def poll(self) -> Steps:
        while True:
            response = yield from self.fetch(self.request)
            if response.text() == "done":
                return None
            yield from self.sleep(2)


@dataclass(kw_only=True)
class SleepFlow(ToyFlow):
    """Sleeps, then emits a text."""

    seconds: float = 5.0

    def start(self) -> Steps:
        yield from self.sleep(self.seconds)
        self.emit(TextDelta("awake"))


@dataclass(kw_only=True)
class CustomFlow(ToyFlow):
    """Its only phase is a function of the test."""

    steps: Callable[[Any], Steps] = field(metadata=NOT_SAVED)

    def start(self) -> Steps:
        return (yield from self.steps(self))


FLOWS: Sequence[Callable[[], Flow]] = (FetchFlow, TextFlow, EventFlow, JobFlow, SleepFlow)


def play_until_sleep(flow: Flow, response: Outcome) -> PlayedFlow:
    """A session that got this response, and sleeps before its second attempt."""
    session = begin(flow)
    session.respond(response)
    assert isinstance(session.wait, Sleep)
    return session
