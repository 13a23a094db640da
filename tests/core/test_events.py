"""Events, commands and outputs: a session can be written down, read back, and logged without a secret."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.errors import Failure
from modelwire.events import (
    BodyReceived,
    Cancel,
    CredentialsReplaced,
    Event,
    PageClosed,
    PageEvaluated,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.formats.cookies import Cookie
from modelwire.http import Request
from modelwire.outputs import (
    ConversationChanged,
    CredentialsChanged,
    ImageReady,
    ImageReceived,
    JobAccepted,
    LoginRequired,
    ModelsListed,
    Output,
    Restarted,
    StatusChanged,
    TextDelta,
    TextReplaced,
    TitleChanged,
    UsageReported,
)

SECRET = "S3cret"
EVENTS: list[Event] = [
    Start(b"\xffentropy", b"S3cret"),
    ResponseStarted(1, 200, (("set-cookie", f"a={SECRET}"), ("x", ""))),
    BodyReceived(1, b"S3cret\xff\x00"),
    ResponseEnded(1),
    RequestFailed(1, "network", "reset"),
    PageEvaluated(1, f'"{SECRET}"', (Cookie(name="a", value=SECRET, domain="a.example", expires=1.5),)),
    PageClosed(1, "failed", SECRET),
    CredentialsReplaced({"token": SECRET}),
    Woken(),
    Cancel(),
]
COMMANDS: list[Command] = [
    SendRequest(
        1,
        Request(
            method="POST",
            url=f"https://a.example/x?key={SECRET}",
            headers=(("authorization", SECRET),),
            body=b"S3cret\xff",
            repeatable=False,
        ),
        1_700_000_000.5,
    ),
    AbortRequest(1),
    OpenPage("https://a.example/"),
    Evaluate(1, "1 + 1", 1_700_000_000.5),
    Sleep(1_700_000_000.5),
    Finished(),
    Finished(Failure(kind="status", message="no", phase="start", status=404)),
]
OUTPUTS: list[Output] = [
    TextDelta("ж"),
    TextReplaced("ж"),
    StatusChanged("waiting", "Waiting"),
    TitleChanged("Title"),
    ConversationChanged({"token": SECRET, "chatID": "1"}),
    CredentialsChanged({"token": SECRET, "cookies": [{"value": SECRET}]}),
    CredentialsChanged(None),
    LoginRequired("Label", "https://a.example"),
    JobAccepted("job-1"),
    ImageReady("https://a.example/1.png", 0),
    ImageReceived("https://a.example/1.png", b"\x89PNGS3cret", "image/png"),
    UsageReported(1, 2),
    ModelsListed(("a", "b")),
    Restarted(),
]
EVERY = [
    *((item, Event) for item in EVENTS),
    *((item, Command) for item in COMMANDS),
    *((item, Output) for item in OUTPUTS),
]


@pytest.mark.parametrize(("item", "union"), EVERY, ids=lambda value: type(value).__name__)
def test_each_goes_through_json_as_one_line(item: msgspec.Struct, union: Any) -> None:
    line = msgspec.json.encode(item)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=union) == item


def test_the_lists_have_every_type() -> None:
    for items, union in ((EVENTS, Event), (COMMANDS, Command), (OUTPUTS, Output)):
        assert {type(item) for item in items} == set(union.__args__)


@pytest.mark.parametrize(("item", "union"), EVERY, ids=lambda value: type(value).__name__)
def test_no_repr_shows_a_secret(item: msgspec.Struct, union: Any) -> None:
    assert SECRET not in repr(item)


@pytest.mark.parametrize(("item", "union"), EVERY, ids=lambda value: type(value).__name__)
def test_each_is_immutable(item: msgspec.Struct, union: Any) -> None:
    assert item.__struct_config__.frozen
    for name in item.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(item, name, getattr(item, name))


def test_the_reprs() -> None:
    assert list(map(repr, EVENTS[:3])) == [
        "Start(entropy=<8 bytes>)",
        "ResponseStarted(request_id=1, status=200, headers=<set-cookie, x>)",
        "BodyReceived(request_id=1, data=<8 bytes>)",
    ]
    assert repr(EVENTS[5]) == "PageEvaluated(request_id=1, value=<8 characters>, cookies=<1>)"
    assert repr(COMMANDS[3]) == "Evaluate(request_id=1, script=<5 characters>, deadline=1700000000.5)"
    assert repr(OUTPUTS[4]) == "ConversationChanged(<token, chatID>)"
    assert repr(OUTPUTS[5]) == "CredentialsChanged(<token, cookies>)"
    assert repr(OUTPUTS[6]) == "CredentialsChanged(None)"
    assert repr(OUTPUTS[10]) == "ImageReceived(url='https://a.example/1.png', data=<10 bytes>, media_type='image/png')"


def test_the_repr_does_not_even_show_the_length_of_the_secret_entropy() -> None:
    assert repr(Start(b"x", b"")) == repr(Start(b"x", b"S3cret"))


def test_each_can_be_matched_by_its_fields() -> None:
    match EVENTS[1]:
        case ResponseStarted(request_id, status, headers):
            assert (request_id, status, len(headers)) == (1, 200, 2)
        case _:
            raise AssertionError
