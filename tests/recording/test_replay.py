"""A recording plays as it was recorded, and a changed flow is found at the first event that differs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.catalog import PROVIDERS
from modelwire.commands import Finished
from modelwire.download import ImageDownload
from modelwire.errors import RecordingError
from modelwire.events import BodyReceived, Event, ResponseEnded, ResponseStarted, Start, Woken
from modelwire.flow import NOT_SAVED, Flow, Phase, Steps
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.outputs import CredentialsChanged, ImageReceived, JobAccepted, Output, TextDelta
from modelwire.providers import hailuo
from modelwire.providers.arta import ArtaCredentials, ArtaImage
from modelwire.providers.cromicle import CromicleChat
from modelwire.providers.fakegpt import FakeGptChat
from modelwire.providers.hailuo import HailuoChat
from modelwire.providers.magickpen import MagickPenChat
from modelwire.recording import Recorder, Replay
from modelwire.recording.replay import find_flow
from modelwire.testing import assert_replays
from modelwire.text import TextSink
from modelwire_io.client.settings import EMULATED_CREDENTIALS
from modelwire_io.drive import drive
from modelwire_io.transports import MemoryTransport
from played_flow import ENTROPY, NOW, Broken, ScriptedResponse, say, say_json, shown, through_json
from recorded_sessions import SECRET_ENTROPY, assert_no_secret, begun, recorded, scenarios

START = Start(ENTROPY, SECRET_ENTROPY)
seeds = st.integers(0, 2**32)


class Driven:
    """The outputs and the recording of a flow that was driven against its emulator."""

    def __init__(self, name: str) -> None:
        provider = PROVIDERS[name]
        ((kind, flow),) = provider.flows.items()
        work: dict[str, Any] = {"prompt" if kind == "image" else "messages": "Tell me about “ü” and 雪"}
        if name in EMULATED_CREDENTIALS:
            assert provider.credentials is not None
            work["credentials"] = msgspec.convert(EMULATED_CREDENTIALS[name], provider.credentials)
        self.flow: Flow = flow(**work)
        recorder = Recorder(self.flow)
        self.outputs: list[Output] = list(drive(recorder, MemoryTransport(), start=START))
        self.lines = recorder.lines()


driven = cache(Driven)


def text_of(replay: Replay) -> str:
    return shown(output for _, output in replay.outputs())


def event_types(lines: list[str]) -> list[str]:
    return [msgspec.json.decode(line)["event"]["type"] for line in lines[1:-1]]


# An unchanged flow.


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_session_with_an_emulator_plays_as_it_was(name: str) -> None:
    session = driven(name)
    assert_no_secret(session.lines, session.flow.secrets)
    replay = Replay(session.lines)
    played = [output for _, output in replay.outputs()]
    assert played[-1] == Finished(None)
    assert [type(output) for output in played[:-1]] == [type(output) for output in session.outputs]
    assert shown(played) == shown(session.outputs)
    difference = replay.first_difference()
    assert difference is None, str(difference)


@pytest.mark.parametrize("name", PROVIDERS)
@given(seed=seeds)
def test_rechunked_bodies_change_nothing(name: str, seed: int) -> None:
    session = driven(name)
    replay = Replay(session.lines, rechunk=seed)
    assert text_of(replay) == shown(session.outputs)
    difference = replay.first_difference()
    assert difference is None, str(difference)


def test_outputs_come_with_their_times() -> None:
    session, recorder = begun(CromicleChat(messages="Hello"))
    for after, event in (
        (1.0, ResponseStarted(1, 200, ())),
        (0.5, BodyReceived(1, b"a")),
        (0.25, BodyReceived(1, b"b")),
    ):
        session.deliver(event, after=after)
    session.deliver(ResponseEnded(1), after=0.25)
    outputs = list(Replay(recorder.lines()).outputs())
    assert outputs == [(1.5, TextDelta("a")), (1.75, TextDelta("b")), (2.0, Finished(None))]


def test_the_same_seed_cuts_the_same_way() -> None:
    def outputs(seed: int) -> list[Any]:
        return [output for _, output in Replay(driven("cromicle").lines, rechunk=seed).outputs()]

    assert outputs(5) == outputs(5)
    assert len({tuple(map(repr, outputs(seed))) for seed in range(5)}) == 5


def test_an_abandoned_session_plays_to_its_last_event() -> None:
    session, recorder = begun(CromicleChat(messages="Hello"))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"half an ans"))
    lines = recorder.lines()
    assert text_of(Replay(lines)) == "half an ans"
    assert_replays(lines)


def test_a_failure_plays_as_it_was() -> None:
    flow = CromicleChat(messages="Hello", limits=Limits(tries=2))
    lines = recorded(flow, Broken(kind="network", detail="reset by peer"), say("over", 503, retry_after="2"))
    assert "Sleep" in lines[2]
    replay = Replay(lines)
    ((_, end),) = replay.outputs()
    assert isinstance(end, Finished)
    assert end.failure is not None
    assert end.failure.kind == "rate_limited"
    assert replay.first_difference() is None


def test_a_deadline_plays_as_it_was() -> None:
    session, recorder = begun(CromicleChat(messages="Hello", limits=Limits(idle=5.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"some"), after=4.0)
    session.deliver(Woken(), after=1.0)
    session.deliver(BodyReceived(1, b" more"), after=3.5)
    session.wake()
    assert session.failure.kind == "timeout"
    lines = recorder.lines()
    assert event_types(lines).count("Woken") == 2
    assert_replays(lines)
    for seed in range(20):
        assert_replays(lines, rechunk=seed)


def test_a_chunk_after_the_deadline_is_not_cut() -> None:
    @dataclass(kw_only=True)
    class Lines(Flow):
        """Emits complete lines only."""

        def start(self) -> Steps:
            yield from self.stream(lambda: Request(method="GET", url="https://a.example/"), lambda: LineSink(self))

    class LineSink:
        def __init__(self, flow: Lines) -> None:
            self._flow, self._rest = flow, b""

        def feed(self, data: bytes) -> bool:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._flow.emit(TextDelta(line.decode()))
            return False

        def end(self) -> None:
            pass

    session, recorder = begun(Lines(limits=Limits(idle=5.0, tries=1)))
    events: list[tuple[float, Event]] = [
        (0.0, ResponseStarted(1, 200, ())),
        (1.0, BodyReceived(1, b"kept")),
        (4.0, BodyReceived(1, b" back\nand a long late line\n")),
        (6.0, BodyReceived(1, b"a late line, all of it\n")),
        (7.0, BodyReceived(1, b"too late")),
    ]
    for after, event in events:
        session.deliver(event, after=after)
    assert session.failure.kind == "timeout"
    for seed in range(50):
        assert_replays(recorder.lines(), flow=Lines, rechunk=seed)


def test_an_interrupted_job_plays_from_its_snapshot() -> None:
    flow, responses, canaries = scenarios()["arta"]
    session, _ = begun(flow, *responses)
    assert session.all(JobAccepted)
    assert isinstance(flow, ArtaImage)
    resumed = through_json(flow, ArtaCredentials(api_key="AIza/canary+key=1", id_token=canaries[3], expires_in=1e10))
    done = say_json({"status": "DONE", "response": [{"url": "https://a.example/1.png"}]})
    lines = recorded(resumed, done)
    assert_no_secret(lines, canaries)
    assert '"phase":"poll"' in lines[0]
    assert_replays(lines)


def test_a_download_plays_too() -> None:
    png = b"\x89PNG\r\n\x1a\n\xff\xfe"
    flow = ImageDownload(url="https://a.example/1.png", provider_url="https://b.example")
    replay = Replay(recorded(flow, say(png)))
    assert next(output for _, output in replay.outputs()) == ImageReceived("https://a.example/1.png", png, "image/png")
    assert replay.first_difference() is None


def test_credentials_that_were_issued_play_as_placeholders() -> None:
    flow, responses, _ = scenarios()["arta"]
    outputs = [output for _, output in Replay(recorded(flow, *responses)).outputs()]
    assert isinstance(outputs[0], CredentialsChanged)
    assert outputs[0].credentials is not None
    assert outputs[0].credentials["id_token"] == "SECRET0002X"


# A changed flow.


class OtherHeader(HailuoChat):
    def chat_request(self) -> Request:
        request = super().chat_request()
        return msgspec.structs.replace(request, headers=(*request.headers, ("x-new", "1")))


class OtherPhase(ArtaImage):
    def next_phase(self) -> Phase:
        return self.poll if self.record_id else self.prepare

    def prepare(self) -> Steps:
        yield from self.sleep(1.0)
        return self.submit


class OtherPause(ArtaImage):
    def poll(self) -> Steps:
        yield from self.sleep(1.0)
        return (yield from super().poll())


class OtherText(CromicleChat):
    def start(self) -> Steps:
        yield from self.stream(
            self.chat_request, lambda: TextSink(lambda output: self.emit(TextDelta(output.text.upper())))
        )


@pytest.mark.parametrize(
    ("name", "changed", "number", "event", "lines"),
    [
        ("hailuo", OtherHeader, 1, "Start(", ['+        "x-new",']),
        ("arta", OtherPhase, 4, "ResponseEnded(request_id=1)", ['-  "type": "SendRequest",', '+  "type": "Sleep",']),
        ("arta", OtherPause, 7, "ResponseEnded(request_id=2)", ['-  "type": "SendRequest",', '+  "type": "Sleep",']),
    ],
)
@pytest.mark.parametrize("rechunk", [None, 1])
def test_a_change_is_shown_at_its_first_event(
    name: str, changed: type[Flow], number: int, event: str, lines: list[str], rechunk: int | None
) -> None:
    difference = Replay(driven(name).lines, flow=changed, rechunk=rechunk).first_difference()
    assert difference is not None
    assert difference.number == number
    assert difference.event.startswith(event)
    assert set(lines) <= set(difference.lines())


def test_other_text_is_shown_at_its_first_event() -> None:
    difference = Replay(driven("cromicle").lines, flow=OtherText).first_difference()
    assert difference is not None
    assert difference.number == 3
    assert difference.at == pytest.approx(0.01)
    assert difference.recorded is not None
    assert difference.replayed == {"type": "TextDelta", "text": difference.recorded["text"].upper()}


@pytest.mark.parametrize("name", ["hailuo", "magickpen"])
def test_another_signature_is_shown_although_signatures_are_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = driven(name).lines
    assert_replays(lines)
    if name == "hailuo":
        monkeypatch.setattr(hailuo, "md5", lambda text: "0" * 32)
    else:
        monkeypatch.setattr("modelwire.providers.magickpen.hashlib.md5", hashlib.sha1)
    difference = Replay(lines).first_difference()
    assert difference is not None
    assert difference.recorded is not None
    assert difference.recorded["type"] == "SendRequest"
    (line,) = [line for line in difference.lines() if line.startswith("+ ")]
    assert "X (generated differently)" in line


def test_a_change_of_the_number_of_items_is_shown() -> None:
    class Silent(CromicleChat):
        def emit(self, output: Output) -> None:
            pass

    difference = Replay(driven("cromicle").lines, flow=Silent).first_difference()
    assert difference is not None
    assert (difference.recorded or {})["type"] == "TextDelta"
    assert difference.replayed is None


def test_a_crash_is_shown() -> None:
    class Crashing(CromicleChat):
        def chat_request(self) -> Request:
            raise ZeroDivisionError("nobody knows why")

    difference = Replay(driven("cromicle").lines, flow=Crashing).first_difference()
    assert difference is not None
    assert (difference.number, difference.replayed) == (1, {"raised": "ZeroDivisionError: nobody knows why"})


def test_a_fixed_crash_is_shown() -> None:
    class Crashing(CromicleChat):
        def chat_request(self) -> Request:
            raise ZeroDivisionError("nobody knows why")

    recorder = Recorder(Crashing(messages="Hello"))
    with pytest.raises(ZeroDivisionError):
        recorder.handle(START, NOW)
    assert_replays(recorder.lines(), flow=Crashing)
    difference = Replay(recorder.lines(), flow=CromicleChat).first_difference()
    assert difference is not None
    assert difference.recorded == {"raised": "ZeroDivisionError: nobody knows why"}


def test_an_additional_secret_is_not_a_difference() -> None:
    class Careful(FakeGptChat):
        def start(self) -> Steps:
            self.conceal("something that nobody says")
            return (yield from super().start())

    flow, responses, _ = scenarios()["fakegpt"]
    # The server echoes the generated password. Its number among the secrets has changed, its fingerprint has not.
    session, recorder = begun(flow, *responses)
    session.respond(say(list(flow.secrets)[2], 500))
    assert_replays(recorder.lines(), flow=Careful)


def test_an_additional_signature_is_shown() -> None:
    class Signing(CromicleChat):
        def chat_request(self) -> Request:
            request = super().chat_request()
            return msgspec.structs.replace(request, headers=(("sign", self.conceal(self.nonce())),))

    difference = Replay(driven("cromicle").lines, flow=Signing).first_difference()
    assert difference is not None
    assert "[secret] (generated differently)" in str(difference)


def test_a_snapshot_in_a_failure_is_compared_as_json() -> None:
    flow, responses, _ = scenarios()["arta"]
    head, *rest, last, end = recorded(flow, *responses, say("no", 500))
    assert r'"snapshot":"{\"flow\"' in last
    difference = Replay([head, *rest, last.replace('"snapshot":"{', '"snapshot":"'), end]).first_difference()
    assert difference is not None
    assert '-    "snapshot": "' in str(difference)


# The flow that plays.


def test_flows_are_found_by_name() -> None:
    assert find_flow("ArtaImage") is ArtaImage
    assert find_flow("ImageDownload") is ImageDownload
    assert find_flow("OtherPause", [OtherPause]) is OtherPause
    with pytest.raises(RecordingError, match="of the flow 'OtherPause', which is not installed here"):
        find_flow("OtherPause")


def test_a_foreign_flow_is_passed_as_an_argument() -> None:
    @dataclass(kw_only=True)
    class Foreign(Flow):
        credentials: ArtaCredentials | None = field(default=None, metadata=NOT_SAVED)

        def start(self) -> Steps:
            yield from self.fetch(lambda: Request(method="GET", url=f"https://a.example/{self.credentials and 1}"))

    lines = recorded(Foreign(credentials=ArtaCredentials(api_key="canary-key")), say("Hi"))
    with pytest.raises(RecordingError, match="not installed here"):
        Replay(lines)
    assert_replays(lines, flow=Foreign)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"version":1', '"version":2', "CromicleChat cannot play this recording: this snapshot has version 2"),
        ('"phase":"start"', '"phase":"begin"', "has no phase 'begin'"),
        ('"messages"', '"message"', "do not fit CromicleChat"),
        ('"model":null', '"model":"gpt-9"', "do not fit CromicleChat: unknown model 'gpt-9'"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(old: str, new: str, words: str) -> None:
    head, *rest = driven("cromicle").lines
    assert old in head
    with pytest.raises(RecordingError, match=words):
        Replay([head.replace(old, new), *rest])


def test_credentials_that_do_not_fit_are_refused() -> None:
    head, *rest = driven("arta").lines
    with pytest.raises(RecordingError, match="ArtaImage cannot play this recording: Expected `str`"):
        Replay([head.replace('"id_token":""', '"id_token":5'), *rest])


# As a regression test.


def test_a_recording_is_a_regression_test(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text("\n".join(driven("magickpen").lines), encoding="utf-8")
    assert_replays(path)
    assert_replays(str(path), rechunk=1)
    assert_replays(path.read_text(encoding="utf-8").split("\n"), flow=MagickPenChat)


def test_the_assertion_shows_the_difference() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_replays(driven("hailuo").lines, flow=OtherHeader)
    message = str(caught.value)
    assert message.startswith("the flow does not do what was recorded\nevent 1, 0.000 s after the first: Start(")
    assert '+        "x-new",' in message


def test_an_answer_in_one_chunk_is_cut_too() -> None:
    lines = recorded(CromicleChat(messages="Hello"), ScriptedResponse(chunks=["Grüezi miteinander".encode()]))
    pieces = [[output for _, output in Replay(lines, rechunk=seed).outputs()] for seed in range(30)]
    assert max(map(len, pieces)) > 10
    assert {shown(piece) for piece in pieces} == {"Grüezi miteinander"}
