"""Each property of the kit catches a flow that lacks it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import Phase, settings

from echo_service import MODELS, SITE, EchoChat, EchoImage, EchoService, Endpoints, Job, Token, kit_for, whole
from modelwire.chat import ChatFlow
from modelwire.emulators import Chunk, EmulatorRequest, EmulatorResponse
from modelwire.errors import FlowFailed, Refused
from modelwire.flow import Steps
from modelwire.http import Request
from modelwire.models import Models
from modelwire.outputs import JobAccepted, TextDelta
from modelwire.provider import Provider
from modelwire.sse import ServerSentEvent
from modelwire.testing import FlowKit
from modelwire.text import EventSink

PROPERTIES = sorted(name for name in vars(FlowKit) if name.startswith("test_"))


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("flow", [EchoChat, EchoImage])
def test_a_flow_without_a_fault_passes(flow: type[EchoChat | EchoImage], name: str) -> None:
    getattr(kit_for(flow), name)()


# Flows with one defect each.


class ChunkSink(EventSink):
    """Decodes each chunk by itself."""

    def feed(self, data: bytes) -> bool:
        return super().feed(data.decode("utf-8", "replace").encode())


class Chunky(EchoChat):
    def open_answer(self) -> EventSink:
        return ChunkSink(self.take, self.limits)


class Trusting(EchoChat):
    def take(self, event: ServerSentEvent) -> bool:
        if event.data == "[DONE]":
            return True
        self.emit(TextDelta(json.loads(event.data)["word"]))
        return False


class Hasty(EchoChat):
    """Relies on a header that may be missing."""

    def start(self) -> Steps:
        response = yield from self.fetch(lambda: self.request("/token"), allow=range(400, 600))
        if response.status != 200:
            raise Refused(f"come back in {int(str(response.header('retry-after')))} s")
        return (yield from super().start())


class Counting(EchoChat):
    asked = 0

    def ask_request(self) -> Request:
        type(self).asked += 1
        request = super().ask_request()
        return msgspec.structs.replace(request, headers=(*request.headers, ("x-asked", str(self.asked))))


class Persistent(EchoChat):
    """Retries after it has emitted text."""

    def work(self) -> Steps:
        try:
            yield from self.stream(self.ask_request, self.open_answer)
        except FlowFailed:
            yield from self.stream(self.ask_request, self.open_answer)


class Absent(EchoChat):
    """Keeps the state of a phase outside its fields."""

    def start(self) -> Steps:
        self.question = self.prompt
        return (yield from super().start())

    def ask_request(self) -> Request:
        return self.request("/words", self.question)


class Talkative(EchoChat):
    def keep(self, token: str) -> str:
        return token


class Showing(EchoChat):
    def __repr__(self) -> str:
        return f"Showing({self.credentials and self.credentials.token})"


class TryingSink(EventSink):
    """Takes quadratic time: the search starts at every position, and each time runs to the end."""

    def feed(self, data: bytes) -> bool:
        self.found = re.search(rb"x*y", data[: len(data) // 8])
        return super().feed(data)


class Slow(EchoChat):
    def open_answer(self) -> EventSink:
        return TryingSink(self.take, self.limits)


class HoardingSink(EventSink):
    def feed(self, data: bytes) -> bool:
        self.hoard = [*getattr(self, "hoard", []), *(data + bytes([number]) for number in range(50))]
        return super().feed(data)


class Hoarding(EchoChat):
    def open_answer(self) -> EventSink:
        return HoardingSink(self.take, self.limits)


class Loud(EchoChat):
    def ask_request(self) -> Request:
        return self.request("/words", {"volume": int(self.options.volume), "words": self.prompt})


class Paying(EchoImage):
    """Declares the request that starts a paid job to be repeatable."""

    def submit_request(self) -> Request:
        return self.request("/jobs", self.prompt)


class Ordering(EchoImage):
    """Does not end its phase once the job is accepted."""

    def work(self) -> Steps:
        response = yield from self.fetch(self.submit_request)
        self.job = response.decode(Job).job
        self.emit(JobAccepted(self.job))
        return (yield from self.poll())


class Impatient(EchoImage):
    def pause(self) -> float:
        return 0.0


# Each with the test that catches it, and a pattern of the error.
DEFECTS = [
    (Chunky, "test_chunking", "instead of"),
    (Chunky, "test_chunking_into_single_bytes", "instead of"),
    (
        Trusting,
        "test_hostile",
        "Expecting value|'word'|Extra data|concatenate|indices|Expecting property name|Unterminated string",
    ),
    (Trusting, "test_contract_in_every_state", "word"),
    (Hasty, "test_contract", "invalid literal for int"),
    (Counting, "test_determinism", "the flow is not deterministic"),
    (Persistent, "test_truncation", "emitted text that the answer does not have: 'Grüße "),
    (Persistent, "test_truncation_at_every_byte", "emitted text that the answer does not have: 'Grüße "),
    (Absent, "test_resume", "no attribute 'question'"),
    (Absent, "test_resume_at_every_step", "no attribute 'question'"),
    (Absent, "test_sessions_full_of_faults", "no attribute 'question'"),
    (Talkative, "test_secrets", "'a-token-of-the-service-1' can be seen in"),
    (Showing, "test_secrets", r"can be seen in Showing\("),
    (Showing, "test_sessions_full_of_faults", r"can be seen in Showing\("),
    (Slow, "test_hostile_responses_take_linear_time", r"16 times as long takes \d+ times as much CPU time"),
    (Hoarding, "test_hostile_responses_without_end", r"\d+ bytes of memory were held"),
    (Loud, "test_hostile_input", "invalid literal for int"),
    (Paying, "test_resume_after_every_fault", "carried out twice"),
    (Paying, "test_sessions_full_of_faults", "carried out twice"),
    (Ordering, "test_resume_at_every_step", "carried out twice"),
    (Impatient, "test_resume", "the flow did not finish within 2000 events: it waits for SendRequest"),
]


@pytest.fixture
def profile() -> Iterator[Callable[..., None]]:
    """Change settings of the active hypothesis profile for one test."""

    def change(**changes: Any) -> None:
        settings.register_profile("one test", settings.default, **changes)
        settings.load_profile("one test")

    yield change
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.mark.parametrize(("flow", "name", "message"), DEFECTS)
def test_a_defect_is_caught(
    flow: type[EchoChat | EchoImage], name: str, message: str, profile: Callable[..., None]
) -> None:
    if flow is Slow and sys.gettrace() is not None:
        pytest.skip("with a tracer, the CPU time is that of the tracer")
    # Find the defect, but do not spend time on shrinking the example.
    profile(max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(Exception, match=message):
        getattr(kit_for(flow), name)()


@pytest.mark.parametrize("most", [1, 40])
def test_the_kit_uses_the_active_profile(most: int, profile: Callable[..., None]) -> None:
    kit = kit_for(EchoChat)
    kit.scenes()
    made = EchoChat.made
    profile(max_examples=most)
    kit.test_contract()
    assert most <= EchoChat.made - made <= 10 * most


def test_an_emulator_that_does_not_fit_the_flow_is_reported() -> None:
    class Strange(EchoService):
        def answer(self, target: str, body: object, now: float) -> EmulatorResponse:
            return whole({"message": "who are you?"}, status=403)

    with pytest.raises(AssertionError, match=r"had not disturbed anything yet: .*who are you"):
        kit_for(EchoChat, Strange).test_chunking()


def test_a_service_with_long_responses_can_be_tested() -> None:
    class Wordy(EchoService):
        def answer(self, target: str, body: object, now: float) -> EmulatorResponse:
            response = super().answer(target, body, now)
            return msgspec.structs.replace(response, chunks=(Chunk(b" " * 200_000), *response.chunks))

    kit_for(EchoImage, Wordy).test_hostile_responses_without_end()


def test_a_flow_without_options_can_be_tested() -> None:
    @dataclass(kw_only=True)
    class Plain(ChatFlow):
        models: ClassVar[Models] = MODELS
        default_model: ClassVar[str | None] = "echo"
        endpoints: Endpoints = Endpoints()

        def start(self) -> Steps:
            response = yield from self.fetch(lambda: Request(method="POST", url=self.endpoints.site + "/token"))
            self.emit(TextDelta(response.decode(Token).token))

    class PlainService:
        def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
            return whole({"token": "Hello"})

    class Kit(FlowKit):
        provider = Provider(
            name="plain", label="Plain", chat=Plain, endpoints=Endpoints(), website=SITE, status="gone", note=""
        )
        emulator = PlainService

    (scene,) = Kit().scenes()
    assert TextDelta("Hello") in scene.items


def test_an_unknown_name_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="cannot import name 'TestKit'"):
        from modelwire.testing import TestKit  # noqa: F401
