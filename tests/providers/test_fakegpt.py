"""FakeGpt's wire, as its page uses it."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.events import BodyReceived, CredentialsReplaced, ResponseStarted
from modelwire.formats.cookies import Cookie
from modelwire.limits import Limits
from modelwire.outputs import CredentialsChanged, Restarted, TextDelta, TextReplaced
from modelwire.providers.fakegpt import PROVIDER, FakeGptChat, FakeGptCredentials, FakeGptEndpoints, FakeGptOptions
from played_flow import (
    ENTROPY,
    Broken,
    PlayedFlow,
    ScriptedResponse,
    begin,
    bytewise,
    cuts,
    form,
    header_map,
    play,
    query,
    say,
    say_json,
    through_json,
    two_part_cuts,
)

SITE = "https://chat-shared2.zhile.io"
COMMON = {
    "accept-language": "en-US",
    "user-agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117.0.0.0 Safari/537.36"
    ),
    "referer": f"{SITE}/?v=2",
    "sec-ch-ua": '"Google Chrome";v="117", "Not;A=Brand";v="8", "Chromium";v="117"',
    "sec-ch-ua-platform": '"Linux"',
    "sec-ch-ua-mobile": "?0",
}
LOADS = say_json({"loads": [{"token_id": "load-token-1", "count": 3}]})
LOGGED_IN = say("", 200, set_cookie="session=cookie-value-1; Path=/; HttpOnly")
SESSION = say_json({"accessToken": "access-token-1", "user": {"id": 5}})
LOGIN = (LOADS, LOGGED_IN, SESSION)

STORED = FakeGptCredentials(
    access_token="stored-token-1",
    cookies=(Cookie(name="session", value="stored-cookie-1", domain="chat-shared2.zhile.io"),),
)


def message(text: object, message_type: object = "next") -> bytes:
    """An event with the text so far."""
    body = {"message": {"metadata": {"message_type": message_type}, "content": {"parts": [text]}}, "error": None}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def stream(*events: bytes) -> ScriptedResponse:
    return say(b"".join(events), content_type="text/event-stream")


def answered(*events: bytes) -> PlayedFlow:
    """A session with stored credentials whose answer is these events."""
    return play(FakeGptChat(messages="Hello", credentials=STORED), stream(*events))


# The steps.


def test_the_four_steps() -> None:
    session = play(FakeGptChat(messages="Hello"), *LOGIN)
    assert [(request.method, request.url) for request in session.requests] == [
        ("GET", f"{SITE}/api/loads?t=1700000000"),
        ("POST", f"{SITE}/auth/login"),
        ("GET", f"{SITE}/api/auth/session"),
        ("POST", f"{SITE}/api/conversation"),
    ]
    loads, login, session_request, ask = map(header_map, session.requests)
    assert loads == COMMON
    assert login == COMMON | {"content-type": "application/x-www-form-urlencoded"}
    assert session_request == COMMON | {"cookie": "session=cookie-value-1"}
    assert ask == COMMON | {
        "cookie": "session=cookie-value-1",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "x-authorization": "Bearer access-token-1",
    }
    assert session.requests[0].body == session.requests[2].body == b""


def test_the_login() -> None:
    session = play(FakeGptChat(messages="Hello"), LOADS)
    (_, token_id), (_, password) = fields = form(session.request)
    assert [name for name, _ in fields] == ["token_key", "session_password"]
    assert token_id == "load-token-1"
    assert re.fullmatch(r"[a-z0-9]{10}", password)


def test_the_password_is_drawn_from_the_secret_entropy() -> None:
    def password(secret_entropy: bytes) -> str:
        session = PlayedFlow(FakeGptChat(messages="x"))
        session.start(ENTROPY, secret_entropy)
        session.respond(LOADS)
        return form(session.request)[1][1]

    assert password(b"one") == password(b"one") != password(b"two")


def test_the_shared_token_is_drawn_at_random() -> None:
    loads = say_json({"loads": [{"token_id": f"load-token-{i}"} for i in range(4)]})
    drawn = {form(play(FakeGptChat(messages="x"), loads, entropy=b"entropy %d" % i).request)[0][1] for i in range(60)}
    assert drawn == {f"load-token-{i}" for i in range(4)}


def test_the_chat_request() -> None:
    session = begin(FakeGptChat(messages="Привет", credentials=STORED))
    body = json.loads(session.request.body)
    ids = [uuid.UUID(body["messages"][0].pop("id")), uuid.UUID(body.pop("parent_message_id"))]
    assert {one.version for one in ids} == {4}
    assert ids[0] != ids[1]
    assert body == {
        "action": "next",
        "messages": [
            {
                "author": {"role": "user"},
                "content": {"content_type": "text", "parts": ["Привет"]},
                "metadata": {},
            }
        ],
        "model": "text-davinci-002-render-sha",
        "plugin_ids": [],
        "timezone_offset_min": -120,
        "suggestions": [],
        "history_and_training_disabled": True,
        "arkose_token": "",
        "force_paragen": False,
    }


def test_the_chat_request_has_new_ids_at_each_attempt() -> None:
    session = play(FakeGptChat(messages="x", credentials=STORED), say("", 503))
    first, second = (json.loads(request.body) for request in session.requests)
    assert first["messages"][0]["id"] != second["messages"][0]["id"]
    assert first["parent_message_id"] != second["parent_message_id"]


def test_the_request_of_the_loads_has_the_time_of_each_attempt() -> None:
    session = play(FakeGptChat(messages="x"), say("", 503, retry_after="10"))
    first, second = (int(dict(query(request))["t"]) for request in session.requests)
    assert second >= first + 10


def test_the_constants_are_options_and_the_endpoints_are_fields() -> None:
    flow = FakeGptChat(
        messages="x",
        options=FakeGptOptions(user_agent="ua", accept_language="ru", wire_model="m", timezone_offset_min=0),
        endpoints=FakeGptEndpoints(site="http://127.0.0.1:8000/fakegpt"),
    )
    session = play(flow, *LOGIN)
    assert [request.url.partition("?")[0] for request in session.requests] == [
        f"http://127.0.0.1:8000/fakegpt/{path}"
        for path in ("api/loads", "auth/login", "api/auth/session", "api/conversation")
    ]
    headers = header_map(session.request)
    assert headers["referer"] == "http://127.0.0.1:8000/fakegpt/?v=2"
    assert (headers["user-agent"], headers["accept-language"]) == ("ua", "ru")
    body = json.loads(session.request.body)
    assert (body["model"], body["timezone_offset_min"]) == ("m", 0)


def test_one_cookie_store_for_all_requests() -> None:
    session = play(
        FakeGptChat(messages="x"),
        say_json({"loads": [{"token_id": "load-token-1"}]}, set_cookie="a=1; Path=/"),
        ScriptedResponse(
            headers=(("Set-Cookie", "b=2; Path=/"), ("set-cookie", "c=3; Path=/api"), ("set-cookie", "d=4"))
        ),
        say_json({"accessToken": "access-token-1"}, set_cookie="a=5; Path=/"),
    )
    cookies = [header_map(request).get("cookie", "") for request in session.requests]
    assert cookies[0] == ""
    assert cookies[1] == "a=1"
    # d belongs to /auth, which set it.
    assert sorted(cookies[2].split("; ")) == ["a=1", "b=2", "c=3"]
    assert sorted(cookies[3].split("; ")) == ["a=5", "b=2", "c=3"]


@pytest.mark.parametrize("status", [200, 204, 301, 302, 303, 307, 308])
def test_a_login_may_respond_with_a_redirect(status: int) -> None:
    logged_in = say("", status, set_cookie="session=cookie-value-1; Path=/", location="/")
    session = play(FakeGptChat(messages="x"), LOADS, logged_in, SESSION)
    assert header_map(session.request)["cookie"] == "session=cookie-value-1"


# Credentials.


def test_credentials_are_emitted_before_they_are_used() -> None:
    session = play(FakeGptChat(messages="x"), LOADS, LOGGED_IN)
    batch = session.respond(SESSION)
    (changed,) = session.outputs
    assert batch[0] == changed
    assert isinstance(changed, CredentialsChanged)
    assert changed.credentials is not None
    assert changed.credentials["access_token"] == "access-token-1"
    assert [cookie["value"] for cookie in changed.credentials["cookies"]] == ["cookie-value-1"]
    # The next flow takes the emitted credentials.
    held = msgspec.convert(json.loads(json.dumps(changed.credentials)), FakeGptCredentials)
    again = begin(FakeGptChat(messages="x", credentials=held))
    assert header_map(again.request) == header_map(session.request)


def test_stored_credentials_are_used_without_a_login() -> None:
    session = answered(message("Hi"), DONE)
    assert [request.url for request in session.requests] == [f"{SITE}/api/conversation"]
    headers = header_map(session.requests[0])
    assert headers["x-authorization"] == "Bearer stored-token-1"
    assert headers["cookie"] == "session=stored-cookie-1"
    assert session.outputs == [TextDelta("Hi")]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_stored_credentials_are_dropped_and_replaced_once(status: int) -> None:
    session = play(
        FakeGptChat(messages="x", credentials=STORED), say("no", status), *LOGIN, stream(message("Hi"), DONE)
    )
    assert session.succeeded
    dropped, issued, text = session.outputs
    assert dropped == CredentialsChanged(None)
    assert isinstance(issued, CredentialsChanged)
    assert issued.credentials is not None
    assert text == TextDelta("Hi")
    assert "stored" not in str(session.requests[-1].headers)


def test_a_refused_login_of_its_own_is_a_failure() -> None:
    session = play(FakeGptChat(messages="x", credentials=STORED), say("", 401), *LOGIN, say("blocked", 403))
    assert (session.failure.kind, session.failure.status) == ("refused", 403)
    assert "blocked" in session.failure.message
    assert session.outputs[-1] == CredentialsChanged(None)
    assert len(session.requests) == 5


def test_no_second_login_if_the_first_was_its_own() -> None:
    session = play(FakeGptChat(messages="x"), *LOGIN, say("", 401))
    assert session.failure.kind == "refused"
    assert len(session.requests) == 4


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_login_that_is_refused(step: int) -> None:
    session = play(FakeGptChat(messages="x"), *LOGIN[:step], say("", 403))
    assert session.failure.kind == "refused"


def test_nothing_of_a_login_is_shown() -> None:
    session = play(FakeGptChat(messages="x"), *LOGIN)
    password = form(session.requests[1])[1][1]
    session.respond(say(f"load-token-1 {password} cookie-value-1 access-token-1", 400))
    assert session.failure.message == (
        f"{SITE}/api/conversation answered with status 400: [secret] [secret] [secret] [secret]"
    )
    assert "token-1" not in session.flow.snapshot()


def test_a_snapshot_after_a_login_needs_its_credentials_or_logs_in_again() -> None:
    session = play(FakeGptChat(messages="x"), *LOGIN)
    with_credentials = begin(through_json(session.flow, STORED))
    assert header_map(with_credentials.request)["x-authorization"] == "Bearer stored-token-1"
    without = play(through_json(session.flow), *LOGIN, stream(message("Hi"), DONE))
    assert without.succeeded


# The answer.


def test_the_answer_grows() -> None:
    session = answered(message("Hel"), message("Hello"), message("Hello"), message("Hello!"), DONE)
    assert session.outputs == [TextDelta("Hel"), TextDelta("lo"), TextDelta("!")]
    assert session.succeeded


def test_defect_done_is_an_end_with_any_line_end() -> None:
    for end in (b"\n\n", b"\r\n\r\n", b"\r\r"):
        session = play(
            FakeGptChat(messages="x", credentials=STORED),
            ScriptedResponse(body=message("Hi") + b"data: [DONE]" + end, stays_open=True),
        )
        assert session.succeeded


def test_nothing_after_done_is_emitted() -> None:
    assert answered(message("Hi"), DONE, message("Hi there"), b"data: garbage\n\n").text == "Hi"


def test_defect_a_shrinking_text_emits_nothing_until_it_is_longer_than_the_shown_one() -> None:
    session = answered(message("Hello"), message("Hel"), message(""), message("Hello w"), DONE)
    assert session.outputs == [TextDelta("Hello"), TextDelta(" w")]


def test_a_text_that_changes_is_replaced() -> None:
    session = answered(message("Hello"), message("Help"), message("Help!"), DONE)
    assert session.outputs == [TextDelta("Hello"), TextReplaced("Help"), TextDelta("!")]
    assert session.text == "Help!"


@given(st.lists(st.text("ab🐉", max_size=4), min_size=1, max_size=6), st.data())
def test_the_longest_of_the_last_texts_is_shown_for_any_chunks(texts: list[str], data: st.DataObject) -> None:
    body = b"".join(map(message, texts)) + DONE
    chunks = data.draw(cuts(body))
    session = play(FakeGptChat(messages="x", credentials=STORED), ScriptedResponse(chunks=chunks))
    assert session.succeeded
    assert session.text.startswith(texts[-1])
    assert session.text in texts or session.text == ""


def test_other_events_are_skipped() -> None:
    session = answered(
        b": comment\n\n",
        message("not this", "continue"),
        message({"image": 1}, "image"),
        message("nor this", None),
        b'data: {"message": null, "error": null}\n\n',
        b'data: {"conversation_id": "x"}\n\n',
        b'data: {"message": {"metadata": {}}}\n\n',
        b'data: {"message": {"content": {"content_type": "code", "text": "x"}}}\n\n',
        message("Hi"),
        DONE,
    )
    assert session.outputs == [TextDelta("Hi")]


@pytest.mark.parametrize("events", [[DONE], [message("x", "other"), DONE], [b": ping\n\n", DONE]])
def test_no_valid_message_at_all_is_a_failure(events: list[bytes]) -> None:
    failure = answered(*events).failure
    assert failure.kind == "no_answer"
    assert "no valid response" in failure.message


def test_an_empty_message_is_a_message() -> None:
    assert answered(message(""), DONE).succeeded


def test_a_stream_that_ends_without_done_is_a_failure_with_its_text() -> None:
    failure = answered(message("Hel")).failure
    assert (failure.kind, failure.text) == ("truncated", "Hel")


def test_defect_html_instead_of_events_is_reported() -> None:
    session = play(FakeGptChat(messages="x", credentials=STORED), say("<!DOCTYPE html><title>Just a moment</title>"))
    assert session.failure.kind == "no_answer"
    assert "an HTML page (a login, captcha or maintenance page?)" in session.failure.message


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"{", "not JSON"),
        (b'{"message": 5}', "$.message"),
        (b'{"message": {"metadata": {"message_type": 5}}}', "$.message.metadata.message_type"),
        (b'{"message": {"content": {"parts": "x"}}}', "$.message.content.parts"),
        (b'{"message": {"metadata": {"message_type": "next"}}}', "$.message.content.parts[0]"),
        (b'{"message": {"metadata": {"message_type": "next"}, "content": {"parts": [5]}}}', "parts[0]"),
        (b'{"message": {"content": {"parts": ' + b"[" * 100_000 + b"}}}", "nested too deeply"),
    ],
)
def test_defect_an_event_of_another_shape_is_reported(data: bytes, path: str) -> None:
    session = answered(message("Hel"), b"data: " + data + b"\n\n")
    assert session.failure.kind == "protocol"
    assert path in session.failure.message
    assert session.failure.text == "Hel"


def test_invalid_utf8_in_an_event_is_replaced() -> None:
    assert answered(message("a@b").replace(b"@", b"\xff"), DONE).text == "a\ufffdb"


def test_chunking_does_not_matter() -> None:
    body = b"\xef\xbb\xbf: hi\r\n\r\n" + message("Grüße 🐉").replace(b"\n", b"\r\n") + message("Grüße 🐉!") + DONE
    for chunks in (bytewise(body), *two_part_cuts(body)):
        session = play(FakeGptChat(messages="x", credentials=STORED), ScriptedResponse(chunks=chunks))
        assert session.outputs == [TextDelta("Grüße 🐉"), TextDelta("!")]


def test_keep_alive_comments_do_not_keep_a_stalled_answer_alive() -> None:
    session = begin(FakeGptChat(messages="x", credentials=STORED, limits=Limits(idle=10.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    for _ in range(10):
        session.deliver(BodyReceived(1, b": ping\n\n"), after=1)
    assert session.failure.kind == "timeout"


# Failures of the other steps.


def test_defect_empty_loads_are_a_failure() -> None:
    failure = play(FakeGptChat(messages="x"), say_json({"loads": []})).failure
    assert failure.kind == "no_answer"
    assert "no shared token" in failure.message


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"loads": null}', b'{"loads": [{}]}', b'{"loads": [{"token_id": 5}]}', b"<html>"]
)
def test_loads_of_another_shape_are_a_failure(body: bytes) -> None:
    assert play(FakeGptChat(messages="x"), say(body)).failure.kind == "protocol"


@pytest.mark.parametrize("body", [{}, {"accessToken": None}, {"accessToken": 5}, {"error": "expired"}])
def test_a_session_without_a_token_is_a_failure(body: dict[str, Any]) -> None:
    session = play(FakeGptChat(messages="x"), LOADS, LOGGED_IN, say_json(body))
    assert session.failure.kind == "protocol"
    assert session.outputs == []


def test_an_empty_token_is_a_failure() -> None:
    session = play(FakeGptChat(messages="x"), LOADS, LOGGED_IN, say_json({"accessToken": ""}))
    assert session.failure.kind == "protocol"


@pytest.mark.parametrize("token", ["a\r\nx: y", "a\nb", "тест", "a\0b"])
def test_a_token_that_no_header_can_carry_is_a_failure(token: str) -> None:
    session = play(FakeGptChat(messages="x"), LOADS, LOGGED_IN, say_json({"accessToken": token}))
    assert session.failure.kind == "protocol"
    assert token not in session.failure.message


def test_a_flow_restored_in_the_middle_of_an_answer_restarts() -> None:
    session = begin(FakeGptChat(messages="x", credentials=STORED))
    session.respond(ScriptedResponse(body=message("Hel"), stays_open=True))
    restored = play(through_json(session.flow, STORED), stream(message("Hello"), DONE))
    assert restored.outputs == [Restarted(), TextDelta("Hello")]


def test_a_broken_answer_is_not_requested_twice() -> None:
    flow = FakeGptChat(messages="x", credentials=STORED)
    session = play(flow, Broken(kind="network", after=stream(message("Hel"))))
    assert (session.failure.kind, session.failure.text) == ("network", "Hel")


def test_messages_name_the_host_despite_stored_cookies() -> None:
    failure = play(FakeGptChat(messages="x", credentials=STORED), say("", 404)).failure
    assert failure.message == f"{SITE}/api/conversation answered with status 404"


def test_there_is_one_cookie_store_for_all() -> None:
    answer = ScriptedResponse(
        body=message("Hello") + DONE,
        headers=(("content-type", "text/event-stream"), ("set-cookie", "seen=cookie-two; Path=/")),
    )
    (changed,) = play(FakeGptChat(messages="x", credentials=STORED), answer).all(CredentialsChanged)
    assert changed.credentials is not None
    assert [cookie["value"] for cookie in changed.credentials["cookies"]] == ["stored-cookie-1", "cookie-two"]


def test_emitted_credentials_are_accepted_by_the_next_flow() -> None:
    emitted = msgspec.to_builtins(STORED)
    assert FakeGptChat(messages="x", credentials=emitted).credentials == STORED
    with pytest.raises(InvalidInput, match="the credentials do not fit"):
        FakeGptChat(messages="x", credentials={"token": "x"})  # type: ignore[arg-type]


def test_a_login_of_another_process_is_not_a_login_of_its_own() -> None:
    session = begin(FakeGptChat(messages="x")).play(LOADS, LOGGED_IN, SESSION)
    restored = play(through_json(session.flow, STORED), say("", 401))
    assert restored.request.url.startswith(f"{SITE}/api/loads")


def test_the_repr_of_credentials_shows_nothing() -> None:
    assert repr(STORED) == "FakeGptCredentials(<access_token, cookies>)"
    assert "stored" not in repr(FakeGptChat(messages="x", credentials=STORED))


def test_another_model_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"did you mean 'gpt-3\.5-turbo'"):
        FakeGptChat(messages="x", model="gpt-3.5")


def test_what_the_catalog_says() -> None:
    assert (PROVIDER.name, PROVIDER.status, PROVIDER.website) == ("fakegpt", "gone", SITE)
    assert PROVIDER.credentials is FakeGptCredentials


def test_the_login_of_another_flow_is_used_instead_of_a_new_one() -> None:
    for responses in ((), (LOADS,), (LOADS, LOGGED_IN)):
        session = play(FakeGptChat(messages="Hello"), *responses)
        before = session.flow.awaits_credentials
        session.deliver(CredentialsReplaced({"access_token": "another-token"}))
        assert (before, session.flow.awaits_credentials) == (True, False)
        assert header_map(session.request)["x-authorization"] == "Bearer another-token"
        assert session.all(CredentialsChanged) == []
