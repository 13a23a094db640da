"""The contents of a recording: the whole session, but no secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelwire
from modelwire.commands import SendRequest
from modelwire.errors import LocalProtocolError, RecordingError
from modelwire.events import BodyReceived, Cancel, ResponseStarted, Start
from modelwire.flow import NOT_SAVED, Flow, Steps
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.outputs import ConversationChanged, CredentialsChanged, TextDelta
from modelwire.providers.cromicle import CromicleChat, CromicleEndpoints
from modelwire.providers.fakegpt import FakeGptChat
from modelwire.recording import Recorder, Replay
from modelwire.text import TextSink
from played_flow import ENTROPY, NOW, PlayedFlow, ScriptedResponse, bytewise, cuts, say
from recorded_sessions import (
    ACCESS_TOKEN,
    COOKIE,
    ONCE,
    SECRET_ENTROPY,
    assert_no_secret,
    begun,
    echo,
    recorded,
    scenarios,
)

TOKEN = "canary-tök/1"
PROVIDERS = ["arta", "cromicle", "fakegpt", "hailuo", "magickpen"]
JSON = "application/json"


@dataclass(kw_only=True)
class Forwarding(Flow):
    """Emits the text of a response, and has one secret."""

    credentials: Any = field(default=None, metadata=NOT_SAVED, repr=False)

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))

    def request(self) -> Request:
        return Request(method="GET", url="https://site.example/")


@dataclass(kw_only=True)
class Learning(Forwarding):
    """Learns a secret from a response, once it is complete."""

    def start(self) -> Steps:
        response = yield from self.fetch(self.request)
        self.conceal(response.text()[-10:])
        return super().start


@dataclass(kw_only=True)
class Buggy(Forwarding):
    """Raises an exception that is a bug."""

    def start(self) -> Steps:
        self.emit(CredentialsChanged(None))
        yield from ()
        raise ValueError(f"not expected: {self.credentials}")


@dataclass(kw_only=True)
class Unsaved(Forwarding):
    """Cannot be restored: its snapshot lacks a field without a default."""

    needed: str = field(metadata=NOT_SAVED)


def values_of(lines: list[str]) -> list[Any]:
    return [msgspec.json.decode(line) for line in lines]


def head_of(flow: Flow) -> Any:
    return values_of(Recorder(flow).lines())[0]


# Lines.


def test_the_lines_of_a_session() -> None:
    flow = CromicleChat(messages="Hello", limits=Limits(idle=7.0))
    session, recorder = begun(flow)
    session.now += 0.5
    session.respond(say("Grüß dich", content_type="text/plain"))
    head, start, began, body, ended, end = values_of(recorder.lines())
    assert head == {
        "type": "recording",
        "format": 1,
        "modelwire": modelwire.__version__,
        "flow": "CromicleChat",
        "began": NOW,
        "snapshot": msgspec.json.decode(CromicleChat(messages="Hello").snapshot()),
        "credentials": None,
        "limits": msgspec.to_builtins(Limits(idle=7.0)),
        "placeholders": [],
        "fingerprints": {},
    }
    assert (start["type"], start["at"], start["event"]["type"]) == ("event", 0.0, "Start")
    assert msgspec.convert(start["event"]["entropy"]["text"].encode(), bytes) == ENTROPY
    (command,) = start["items"]
    assert (command["type"], command["request_id"], command["deadline"]) == ("SendRequest", 1, NOW + 7.0)
    assert json.loads(command["request"]["body"]["text"])["message"] == "Hello"
    assert began == {
        "type": "event",
        "at": 0.5,
        "event": {
            "type": "ResponseStarted",
            "request_id": 1,
            "status": 200,
            "headers": [["content-type", "text/plain"]],
        },
        "items": [],
    }
    assert body["event"] == {"type": "BodyReceived", "request_id": 1, "data": {"text": "Grüß dich"}}
    assert body["items"] == [{"type": "TextDelta", "text": "Grüß dich"}]
    assert ended["items"] == [{"type": "Finished", "failure": None}]
    assert end == {"type": "end", "events": 4}


def test_bytes_that_are_not_utf_8_are_written_in_base64() -> None:
    lines = recorded(CromicleChat(messages="Hello"), ScriptedResponse(chunks=["ü".encode()[:1], "ü".encode()[1:]]))
    first, second = values_of(lines)[3:5]
    assert first["event"]["data"] == {"base64": "ww=="}
    assert second["event"]["data"] == {"base64": "vA=="}
    assert second["items"] == [{"type": "TextDelta", "text": "ü"}]
    (played,) = [output for _, output in Replay(lines).outputs() if isinstance(output, TextDelta)]
    assert played == TextDelta("ü")


def test_a_recording_can_be_taken_at_any_time() -> None:
    recorder = Recorder(CromicleChat(messages="Hello"))
    assert [value["type"] for value in values_of(recorder.lines())] == ["recording", "end"]
    assert Replay(recorder.lines()).first_difference() is None
    session = PlayedFlow(cast(Flow, recorder))
    session.start(ENTROPY, SECRET_ENTROPY)
    for event in (ResponseStarted(1, 200, ()), BodyReceived(1, b"abc"), Cancel()):
        session.deliver(event)
        lines = recorder.lines()
        assert len(lines) == 2 + len(recorder._session)
        assert Replay(lines).first_difference() is None


def test_a_recorder_returns_what_the_flow_returns() -> None:
    plain, recorder = CromicleChat(messages="Hello"), Recorder(CromicleChat(messages="Hello"))
    for event in (Start(ENTROPY, SECRET_ENTROPY), ResponseStarted(1, 200, ()), BodyReceived(1, b"abc"), Cancel()):
        assert recorder.handle(event, NOW) == plain.handle(event, NOW)
        assert recorder.deadline == plain.deadline


def test_a_later_change_of_an_item_is_not_recorded() -> None:
    @dataclass(kw_only=True)
    class Emitting(Forwarding):
        def start(self) -> Steps:
            self.emit(ConversationChanged({"id": ["before"]}))
            yield from self.sleep(1)

    recorder = Recorder(Emitting())
    output = recorder.handle(Start(ENTROPY, SECRET_ENTROPY), NOW)[0]
    assert isinstance(output, ConversationChanged)
    output.conversation["id"].append("after")
    assert "before" in recorder.lines()[1]
    assert "after" not in recorder.lines()[1]


# Secrets.


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("status", [200, 403, 500])
def test_no_secret_is_written(name: str, status: int) -> None:
    flow, responses, canaries = scenarios()[name]
    session, recorder = begun(flow, *responses)
    secrets = list(flow.secrets)
    assert set(canaries) <= set(secrets)
    # The server echoes every secret, the generated ones too, a byte at a time.
    session.respond(
        ScriptedResponse(
            status=status, chunks=bytewise(echo(secrets)), headers=(("x-echo", secrets[0]),) if secrets else ()
        )
    )
    lines = recorder.lines()
    assert_no_secret(lines, [*canaries, *flow.secrets, SECRET_ENTROPY.decode()])
    difference = Replay(lines).first_difference()
    assert difference is None, str(difference)


@pytest.mark.parametrize("text", ["no: {0}&more", "no: {1}...", "no: {0}{0}, {1}&more"])
def test_a_long_secret_that_is_echoed_plays_as_it_was(text: str) -> None:
    token = "canary-" + "0123456789abcdef" * 5
    lines = recorded(Forwarding(credentials=token, limits=ONCE), say(text.format(token, token[:70]), 403))
    assert_no_secret(lines, [token, token[:70]])
    assert "[secret]" in lines[-2]
    difference = Replay(lines, flow=Forwarding).first_difference()
    assert difference is None, str(difference)


def test_generated_secrets_have_placeholders_and_fingerprints() -> None:
    for name, learnt in (("fakegpt", 4), ("hailuo", 3), ("magickpen", 2)):
        flow, responses, canaries = scenarios()[name]
        _, recorder = begun(flow, *responses)
        (generated,) = [secret for secret in flow.secrets if secret not in canaries]
        head, *_ = values_of(recorder.lines())
        assert list(head["fingerprints"]) == [head["placeholders"][list(flow.secrets).index(generated)]]
        assert len(head["placeholders"]) == learnt + 1


def test_a_secret_that_is_learnt_late_is_removed_from_earlier_lines() -> None:
    early = "It begins with ABCDEFGHIJ, and here it is again: ABCDEFGHIJ"
    lines = recorded(
        Learning(limits=ONCE), ScriptedResponse(chunks=[early[:20].encode(), early[20:].encode()]), say("ABCDEFGHIJ")
    )
    assert_no_secret(lines, ["ABCDEFGHIJ"])
    assert values_of(lines)[3]["event"]["data"] == {"text": "It begins with SECRET0001X"}
    assert Replay(lines, flow=Learning).first_difference() is None


@given(st.data())
def test_a_secret_in_a_body_is_found_wherever_it_is_cut(data: st.DataObject) -> None:
    text = data.draw(st.lists(st.sampled_from(["ü", "x", TOKEN, TOKEN[:5], " "]), min_size=1, max_size=6).map("".join))
    chunks = data.draw(cuts(text.encode()))
    session, recorder = begun(Forwarding(credentials=TOKEN))
    session.respond(ScriptedResponse(chunks=chunks))
    lines = recorder.lines()
    assert_no_secret(lines, [TOKEN])
    difference = Replay(lines, flow=Forwarding).first_difference()
    assert difference is None, str(difference)
    recorded_text = "".join(
        item["text"] for value in values_of(lines)[1:-1] for item in value["items"] if "text" in item
    )
    assert recorded_text == session.text.replace(TOKEN, "SECRET0001X")
    again = Replay(lines, flow=Forwarding, rechunk=data.draw(st.integers(0, 99))).first_difference()
    assert again is None, str(again)


def test_chunks_are_cut_in_the_same_places_except_in_placeholders() -> None:
    chunks = [b"one ", b"tw", b"o cana", "ry-tö".encode(), b"k/1 th", b"ree"]
    lines = recorded(Forwarding(credentials=TOKEN), ScriptedResponse(chunks=chunks))
    bodies = [value["event"]["data"] for value in values_of(lines)[3:-2]]
    assert [body["text"] for body in bodies] == ["one ", "tw", "o SECRET0001X", "", " th", "ree"]
    deltas = [value["items"] for value in values_of(lines)[3:-2]]
    assert [[item["text"] for item in items] for items in deltas] == [
        ["one "],
        ["tw"],
        ["o SECRET0001X"],
        [],
        [" th"],
        ["ree"],
    ]


def test_a_cut_inside_the_first_character_of_a_secret_moves_before_it() -> None:
    secret = "öffentlich nicht"
    body = f"so: {secret}".encode()
    lines = recorded(Forwarding(credentials=secret), ScriptedResponse(chunks=[body[:5], body[5:]]))
    assert [value["event"]["data"]["text"] for value in values_of(lines)[3:5]] == ["so: ", "SECRET0001X"]
    assert Replay(lines, flow=Forwarding).first_difference() is None


def test_a_recording_needs_secret_entropy() -> None:
    recorder = Recorder(FakeGptChat(messages="Hello"))
    with pytest.raises(LocalProtocolError, match="secret_entropy"):
        recorder.handle(Start(ENTROPY), NOW)
    assert len(recorder.lines()) == 2


def test_bytes_among_credentials_are_left_empty() -> None:
    head = head_of(Forwarding(credentials={"key": b"binary", "keys": [b"more"], "number": 5, "token": TOKEN}))
    assert head["credentials"] == {"key": "", "keys": [""], "number": 5, "token": "SECRET0001X"}


def test_a_password_in_an_address_is_hidden() -> None:
    base = CromicleEndpoints(site="http://someone:canary%40pass@127.0.0.1:9")
    lines = recorded(CromicleChat(messages="Hello", endpoints=base), say("Hi"))
    assert_no_secret(lines, ["canary%40pass"])
    assert "http://someone:SECRET0001X@127.0.0.1:9" in lines[0]
    assert Replay(lines).first_difference() is None


def test_cookies_that_the_flow_ignores_are_masked() -> None:
    cookies = (
        ("Set-Cookie", "track=canary.tracking-1; Domain=other.example; Path=/some/path"),
        ("Set-Cookie", "long=" + "canary" * 1000),
        ("Set-Cookie", "a=b; Secure"),
        ("Set-Cookie", "consent=true"),
    )
    _, responses, _ = scenarios()["fakegpt"]
    offers, login, session = responses
    assert isinstance(offers, ScriptedResponse)
    offers = ScriptedResponse(body=offers.body, headers=cookies)
    lines = recorded(FakeGptChat(messages="Hello", limits=ONCE), offers, login, session, say("no", 500))
    assert_no_secret(lines, ["canary.tracking-1", "canarycanary", COOKIE, ACCESS_TOKEN])
    headers = [header[1] for header in values_of(lines)[2]["event"]["headers"]]
    assert headers[0] == "track=xxxxxx.xxxxxxxx-x; Domain=other.example; Path=/some/path"
    assert headers[1] == "long=" + "x" * 6000
    assert headers[2:] == ["a=b; Secure", "consent=true"]
    assert Replay(lines).first_difference() is None


def test_cookies_that_the_flow_sends_without_concealing_them_are_masked() -> None:
    @dataclass(kw_only=True)
    class Careless(Forwarding):
        def request(self) -> Request:
            return Request(method="GET", url="https://a.example/", headers=(("Cookie", "a=canary-1; b=2; c=canary-3"),))

    lines = recorded(Careless(), say("Hi"))
    assert_no_secret(lines, ["canary-1", "canary-3"])
    assert '["Cookie","a=xxxxxx-x; b=2; c=xxxxxx-x"]' in lines[1]


def test_a_bug_is_recorded_without_secrets() -> None:
    recorder = Recorder(Buggy(credentials=TOKEN))
    with pytest.raises(ValueError, match=f"not expected: {TOKEN}"):
        recorder.handle(Start(ENTROPY, SECRET_ENTROPY), NOW)
    lines = recorder.lines()
    assert values_of(lines)[1] == {
        "type": "event",
        "at": 0.0,
        "event": {"type": "Start", "entropy": {"text": ENTROPY.decode()}},
        "items": [],
        "raised": "ValueError: not expected: SECRET0001X",
    }
    assert_no_secret(lines, [TOKEN])
    assert Replay(lines, flow=Buggy).first_difference() is None


def test_misuse_is_not_recorded() -> None:
    recorder = Recorder(CromicleChat(messages="Hello"))
    with pytest.raises(LocalProtocolError):
        recorder.handle(Start(ENTROPY, SECRET_ENTROPY), float("nan"))
    assert len(recorder.lines()) == 2


def test_a_flow_that_cannot_be_restored_is_recorded_without_fingerprints() -> None:
    lines = recorded(Unsaved(needed="this"), say("Hi"))
    assert "fingerprints" in values_of(lines)[0]
    assert values_of(lines)[0]["fingerprints"] is None
    with pytest.raises(RecordingError, match=r"Unsaved cannot play this recording: .*needed"):
        Replay(lines, flow=Unsaved)


def test_commands_are_returned_as_they_are() -> None:
    # The recorder returns the flow's own items: a driver distinguishes them by their class.
    recorder = Recorder(CromicleChat(messages="Hello"))
    (command,) = recorder.handle(Start(ENTROPY, SECRET_ENTROPY), NOW)
    assert isinstance(command, SendRequest)
