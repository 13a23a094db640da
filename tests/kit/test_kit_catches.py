"""The kit can fail: each property catches a flow that has not got it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings

from echo_service import EchoChat, EchoImage, EchoService, Job, kit_for, whole
from modelwire.emulators import Chunk, EmulatorResponse
from modelwire.errors import FlowFailed, Refused
from modelwire.flow import Steps
from modelwire.http import Request
from modelwire.outputs import JobAccepted, TextDelta
from modelwire.sse import ServerSentEvent
from modelwire.testing import FlowKit
from modelwire.text import EventSink

PROPERTIES = sorted(name for name in vars(FlowKit) if name.startswith("test_"))


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("flow", [EchoChat, EchoImage])
def test_a_flow_without_a_fault_passes(flow: type[EchoChat | EchoImage], name: str) -> None:
    getattr(kit_for(flow), name)()


# Defects, each with the property that it lacks.


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
    """Counts on a header."""

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
    """Asks again, whatever was shown."""

    def work(self) -> Steps:
        try:
            yield from self.stream(self.ask_request, self.open_answer)
        except FlowFailed:
            yield from self.stream(self.ask_request, self.open_answer)


class Absent(EchoChat):
    """What it needs in one phase is no field."""

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
    """Looks for something at every place of a text, each time up to its end."""

    def feed(self, data: bytes) -> bool:
        self.found = re.search(rb"x*y", data[: len(data) // 8])
        return super().feed(data)


class Slow(EchoChat):
    def open_answer(self) -> EventSink:
        return TryingSink(self.take, self.limits)


class HoardingSink(EventSink):
    def feed(self, data: bytes) -> bool:
        self.kept = [*getattr(self, "kept", []), *(data + bytes([number]) for number in range(50))]
        return super().feed(data)


class Hoarding(EchoChat):
    def open_answer(self) -> EventSink:
        return HoardingSink(self.take, self.limits)


class Loud(EchoChat):
    def ask_request(self) -> Request:
        return self.request("/words", {"volume": int(self.options.volume), "words": self.prompt})


class Paying(EchoImage):
    """Says that it may order twice."""

    def submit_request(self) -> Request:
        return self.request("/jobs", self.prompt)


class Ordering(EchoImage):
    """Does not end the phase in which it has learnt what it would hate to lose."""

    def work(self) -> Steps:
        response = yield from self.fetch(self.submit_request)
        self.job = response.decode(Job).job
        self.emit(JobAccepted(self.job))
        return (yield from self.poll())


class Impatient(EchoImage):
    def pause(self) -> float:
        return 0.0


# Each with what is said of it.
DEFECTS = [
    (Chunky, "test_chunking", "instead of"),
    (Chunky, "test_chunking_into_single_bytes", "instead of"),
    (Trusting, "test_hostile", "Expecting value|'word'|Extra data|concatenate|indices|Expecting property name"),
    (Trusting, "test_contract_in_every_state", "word"),
    (Hasty, "test_contract", "invalid literal for int"),
    (Counting, "test_determinism", "was with"),
    (Persistent, "test_truncation", "what is shown was never said: 'Grüße "),
    (Persistent, "test_truncation_at_every_byte", "what is shown was never said: 'Grüße "),
    (Absent, "test_resume", "no attribute 'question'"),
    (Absent, "test_resume_at_every_step", "no attribute 'question'"),
    (Absent, "test_sessions_full_of_faults", "no attribute 'question'"),
    (Talkative, "test_secrets", "'a-token-of-the-service-1' can be seen in"),
    (Showing, "test_secrets", r"can be seen in Showing\("),
    (Showing, "test_sessions_full_of_faults", r"can be seen in Showing\("),
    (Slow, "test_hostile_answers_take_linear_time", r"16 times as much takes \d+ times as long"),
    (Hoarding, "test_hostile_answers_without_end", r"\d+ bytes of memory were held"),
    (Loud, "test_hostile_input", "invalid literal for int"),
    (Paying, "test_resume_after_every_fault", "carried out twice"),
    (Paying, "test_sessions_full_of_faults", "carried out twice"),
    (Ordering, "test_resume_at_every_step", "carried out twice"),
    (Impatient, "test_resume", "the flow does not end: it waits for SendRequest"),
]


@pytest.fixture
def profile() -> Iterator[Callable[..., None]]:
    """Changes the profile in force for a while."""

    def change(**changes: Any) -> None:
        settings.register_profile("for a while", settings.default, **changes)
        settings.load_profile("for a while")

    yield change
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.mark.parametrize(("flow", "name", "said"), DEFECTS)
def test_a_defect_is_caught(
    flow: type[EchoChat | EchoImage], name: str, said: str, profile: Callable[..., None]
) -> None:
    if flow is Slow and sys.gettrace() is not None:
        pytest.skip("what is traced takes as long as the tracing, whatever its size")
    # It has to be found, and need not be made simpler.
    profile(max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(Exception, match=said):
        getattr(kit_for(flow), name)()


@pytest.mark.parametrize("most", [1, 40])
def test_the_profile_is_that_of_whoever_runs_the_kit(most: int, profile: Callable[..., None]) -> None:
    kit = kit_for(EchoChat)
    kit.scenes()
    made = EchoChat.made
    profile(max_examples=most)
    kit.test_contract()
    assert most <= EchoChat.made - made <= 10 * most


def test_a_service_that_does_not_fit_is_told() -> None:
    class Strange(EchoService):
        def answer(self, target: str, body: object, now: float) -> EmulatorResponse:
            return whole({"message": "who are you?"}, status=403)

    with pytest.raises(AssertionError, match=r"nothing went wrong between flow and emulator, and yet: .*who are you"):
        kit_for(EchoChat, Strange).test_chunking()


def test_a_service_whose_answers_are_long_can_be_tested_as_well() -> None:
    class Wordy(EchoService):
        def answer(self, target: str, body: object, now: float) -> EmulatorResponse:
            answer = super().answer(target, body, now)
            return msgspec.structs.replace(answer, chunks=(Chunk(b" " * 200_000), *answer.chunks))

    kit_for(EchoImage, Wordy).test_hostile_answers_without_end()


def test_what_is_not_there_is_not_there() -> None:
    with pytest.raises(ImportError, match="cannot import name 'TestKit'"):
        from modelwire.testing import TestKit  # noqa: F401
