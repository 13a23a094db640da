"""Secrets in failures, representations and snapshots."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest

from modelwire.errors import Failure, JobFailed
from modelwire.events import BodyReceived, Event, ResponseEnded, ResponseStarted
from modelwire.flow import NOT_SAVED, Steps
from modelwire.formats.cookies import Cookie
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.text import TextSink
from played_flow import Broken, Item, begin, events_of, play, say
from toy_flows import SHOWN_URL, CustomFlow, FetchFlow, TextFlow

SECRET = 'S3cret/"key+ü&%\\é='
ECHOES: dict[str, bytes] = {
    "as it is": SECRET.encode(),
    "percent-encoded": quote(SECRET, safe="").encode(),
    "percent-encoded in lower case": b"S3cret%2f%22key%2b%c3%bc%26%25%5c%c3%a9%3d",
    "percent-encoded but for slashes": quote(SECRET).encode(),
    "percent-encoded as a form": quote_plus(SECRET).encode(),
    "in JSON": msgspec.json.encode({"hint": SECRET}),
    "in ASCII JSON": json.dumps({"hint": SECRET}).encode(),
    "in JSON with escaped slashes": json.dumps({"hint": SECRET}).replace("/", "\\/").encode(),
    "in JSON for HTML": json.dumps({"hint": SECRET}).replace("&", "\\u0026").encode(),
    "as the message of JSON": json.dumps({"error": {"message": f"bad key {SECRET}"}}).encode(),
    "in a title": f"<html><title>No {SECRET}</title>".encode(),
    "in a URL": f"https://api.example/?key={quote(SECRET, safe='')}".encode(),
}


@dataclass(kw_only=True)
class Keyed(TextFlow):
    """A flow that sends its key in the URL, a header and the body."""

    credentials: dict[str, Any] | None = field(default=None, metadata=NOT_SAVED, repr=False)

    def start(self) -> Steps:
        yield from self.stream(self.keyed_request, lambda: TextSink(self.emit))

    def keyed_request(self) -> Request:
        return Request(
            method="POST",
            url=f"https://user:{quote(SECRET, safe='')}@api.example/ask?key={quote(SECRET, safe='')}",
            headers=(("authorization", quote(SECRET, safe="")),),
            body=SECRET.encode(),
        )


def assert_no_secret(text: str) -> None:
    """No spelling of the secret, and not the parts that every encoding leaves alone."""
    assert "S3cret" not in text
    assert "key+" not in text


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("how", ["in a refusal", "in the reason of a failure"])
def test_no_secret_is_shown_even_if_the_server_echoes_it(echo: bytes, how: str) -> None:
    flow = Keyed(credentials={"accounts": [{"key": SECRET}], "n": 5}, limits=Limits(tries=1))
    session = begin(flow)
    response = say(echo, 404) if how == "in a refusal" else Broken(kind="network", detail=echo.decode())
    seen: list[Event | Item] = list(session.log)
    for event in events_of(response, 1):
        seen += [event] if isinstance(event, ResponseStarted | BodyReceived | ResponseEnded) else []
        seen += session.deliver(event)
    failure = session.failure
    assert "[secret]" in failure.message
    for item in [*seen, flow, failure.exception(), failure.exception().failure]:
        assert_no_secret(repr(item))
        assert_no_secret(str(item))
    assert_no_secret(msgspec.json.encode(failure).decode())
    assert_no_secret(flow.snapshot())


def test_a_secret_learnt_from_a_response_is_concealed() -> None:
    def learn(flow: CustomFlow) -> Steps:
        response = yield from flow.fetch(flow.request)
        flow.conceal(response.text())
        yield from flow.fetch(flow.request)

    session = play(CustomFlow(steps=learn), say("T-12345678"), say("bad token T-12345678", 401))
    assert session.failure.message.endswith("bad token [secret]")


def test_a_secret_in_an_error_of_a_phase_is_concealed() -> None:
    def blunder(flow: CustomFlow) -> Steps:
        yield from flow.sleep(0)
        raise JobFailed(f"no luck with {flow.conceal('T-12345678')}")

    assert play(CustomFlow(steps=blunder)).failure.message == "no luck with [secret]"


def test_a_message_of_a_phase_is_one_line_that_is_not_too_long() -> None:
    def blunder(flow: CustomFlow) -> Steps:
        yield from flow.sleep(0)
        raise JobFailed("no luck:\x1b[2J\r\n\u202e" + "x" * 5000)

    message = play(CustomFlow(steps=blunder)).failure.message
    assert message.startswith("no luck: [2J xxx")
    assert len(message) == 1000


def test_strings_too_short_for_a_secret_are_not_concealed() -> None:
    failure = play(FetchFlow(credentials={"a": "an", "b": ""}), say("not an answer", 404)).failure
    assert failure.message.endswith("not an answer")


class Account(msgspec.Struct):
    token: str
    scopes: tuple[str, ...]
    browser: str = "chrome"
    cookies: tuple[Cookie, ...] = ()


def test_credentials_are_concealed_whatever_their_shape() -> None:
    flow = FetchFlow(credentials=[Account("token-1", ("scope-1",)), {"token": "token-2"}, 5, None])
    assert flow.secrets == {"token-1", "scope-1", "token-2"}


def test_credential_fields_that_are_not_secret_are_not_concealed() -> None:
    # An error message must still name the host.
    cookie = Cookie(name="session", value="cookie-1", domain="api.example", path="/account")
    flow = FetchFlow(credentials=Account("token-1", (), cookies=(cookie,)))
    assert flow.secrets == {"token-1", "cookie-1"}
    assert play(flow, say("no chrome here", 404)).failure.message.endswith(
        f"{SHOWN_URL} answered with status 404: no chrome here"
    )
    assert FetchFlow(credentials=Account("token-1", (), browser="firefox")).secrets == {"token-1", "firefox"}


def test_a_url_is_shown_without_its_secrets() -> None:
    for response in (say("", 404), Broken(kind="protocol", detail="odd")):
        message = play(Keyed(), response).failure.message
        assert "https://api.example/ask" in message
        assert "user" not in message
        assert "?" not in message


FAILURE_TEXTS = {
    "connect": "could not connect to",
    "timeout": "no response in time from",
    "network": "the connection broke while talking to",
    "protocol": "no valid HTTP response from",
}


@pytest.mark.parametrize("kind", FAILURE_TEXTS)
def test_a_failed_request_says_what_happened_and_where(kind: Any) -> None:
    one_try = Limits(tries=1)
    failure = play(FetchFlow(limits=one_try), Broken(kind=kind, detail="odd\nthings")).failure
    assert failure == Failure(kind=kind, message=f"{FAILURE_TEXTS[kind]} {SHOWN_URL}: odd things", phase="start")
    silent = play(FetchFlow(limits=one_try), Broken(kind=kind)).failure
    assert silent.message == f"{FAILURE_TEXTS[kind]} {SHOWN_URL}: no reason given"
