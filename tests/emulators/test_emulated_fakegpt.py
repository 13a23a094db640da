from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given

from emulator_requests import NOW, Ask, answered, asks, check_any, events_of, form_of, json_of, moments, refused
from modelwire.emulators import Behaviour, EmulatorRequest, FakeGptEmulator
from modelwire.json import JsonObject

HEADERS = {
    "Accept-Language": "en-US",
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117.0.0.0 Safari/537.36"
    ),
    "Referer": "https://elsewhere.example/prefix/?v=2",
    "sec-ch-ua": '"Google Chrome";v="117", "Not;A=Brand";v="8", "Chromium";v="117"',
    "sec-ch-ua-platform": '"Linux"',
    "sec-ch-ua-mobile": "?0",
}
LOADS = Ask("GET", "/api/loads?t=1700000000", HEADERS)
SESSION = Ask("GET", "/api/auth/session", HEADERS)


def login(token_id: str, password: str = "abcdef0123") -> Ask:
    headers = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
    return Ask("POST", "/auth/login", headers, form_of({"token_key": token_id, "session_password": password}))


def question(token: str, prompt: str = "Où est la 図書館?") -> JsonObject:
    message = {
        "id": str(uuid.UUID(int=1)),
        "author": {"role": "user"},
        "content": {"content_type": "text", "parts": [prompt]},
        "metadata": {},
    }
    return {
        "action": "next",
        "messages": [message],
        "parent_message_id": str(uuid.UUID(int=2)),
        "model": "text-davinci-002-render-sha",
        "plugin_ids": [],
        "timezone_offset_min": -120,
        "suggestions": [],
        "history_and_training_disabled": True,
        "arkose_token": "",
        "force_paragen": False,
    }


def conversation(token: str, body: JsonObject | None = None) -> Ask:
    headers = {
        **HEADERS,
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "X-Authorization": f"Bearer {token}",
    }
    return Ask("POST", "/api/conversation", headers, json_of(body or question(token)))


def shared_token(emulator: FakeGptEmulator) -> str:
    token: str = answered(LOADS.of(emulator))["loads"][0]["token_id"]
    return token


def cookie(emulator: FakeGptEmulator) -> str:
    response = login(shared_token(emulator)).of(emulator)
    answered(response)
    return "; ".join(value.partition(";")[0] for name, value in response.headers if name == "set-cookie")


def access_token(emulator: FakeGptEmulator, now: float = NOW) -> str:
    token: str = answered(SESSION.having(Cookie=cookie(emulator)).of(emulator, now))["accessToken"]
    return token


@pytest.fixture
def emulator() -> FakeGptEmulator:
    return FakeGptEmulator()


def test_several_shared_tokens_are_listed(emulator: FakeGptEmulator) -> None:
    loads = answered(LOADS.of(emulator))["loads"]
    assert len({load["token_id"] for load in loads}) == 3


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "the query has no field 't'"),
        ("?t=", 400, "an empty field 't'"),
        ("?t=now", 400, "'t' must be a whole number"),
        ("?t=1699999699", 403, "'t' is more than 300 s off"),
        ("?t=1700000301", 403, "'t' is more than 300 s off"),
        ("?t=1700000000&t=1700000000", 400, "the field 't' twice"),
    ],
)
def test_loads_requires_the_time(emulator: FakeGptEmulator, query: str, status: int, words: str) -> None:
    refused(LOADS._replace(target=f"/api/loads{query}").of(emulator), status, words)


@pytest.mark.parametrize("name", [*HEADERS])
@pytest.mark.parametrize("ask", [LOADS, login("x"), SESSION, conversation("x")], ids=lambda ask: ask.target)
def test_every_request_needs_the_headers_of_the_browser(emulator: FakeGptEmulator, ask: Ask, name: str) -> None:
    refused(ask.without(name).of(emulator), 400, f"the header {name!r} is missing")
    refused(ask.having(**{name: "other"}).of(emulator), 400, f"the header {name!r} must be")


def test_a_login_sets_cookies_for_all_paths(emulator: FakeGptEmulator) -> None:
    response = login(shared_token(emulator)).of(emulator)
    cookies = [value for name, value in response.headers if name == "set-cookie"]
    assert len(cookies) == 2
    assert all("; Path=/" in text and "Secure" not in text for text in cookies)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"token_key": ""}, 400, "an empty field 'token_key'"),
        ({"token_key": "0"}, 403, "'token_key' is not one of the shared tokens"),
        ({"session_password": "abcdef012"}, 400, "'session_password' must be 10 characters"),
        ({"session_password": "abcdef01234"}, 400, "'session_password' must be 10 characters"),
        ({"session_password": "Abcdef0123"}, 400, "'session_password' must be 10 characters"),
    ],
)
def test_a_login_with_a_wrong_field(emulator: FakeGptEmulator, change: dict[str, str], status: int, words: str) -> None:
    fields = {"token_key": shared_token(emulator), "session_password": "abcdef0123"} | change
    refused(login("x")._replace(body=form_of(fields)).of(emulator), status, words)


@pytest.mark.parametrize("name", ["token_key", "session_password"])
def test_a_login_without_a_field(emulator: FakeGptEmulator, name: str) -> None:
    fields = {"token_key": shared_token(emulator), "session_password": "abcdef0123"}
    del fields[name]
    refused(login("x")._replace(body=form_of(fields)).of(emulator), 400, f"the form has no field {name!r}")


def test_a_login_must_be_a_form(emulator: FakeGptEmulator) -> None:
    ask = login(shared_token(emulator)).having(Content_Type="application/json")
    refused(ask.of(emulator), 400, "must be 'application/x-www-form-urlencoded'")


@pytest.mark.parametrize("value", ["locale=en", "credential=0", "credential", "other=credential"])
def test_a_session_requires_the_cookie_of_a_login(emulator: FakeGptEmulator, value: str) -> None:
    refused(SESSION.having(Cookie=value).of(emulator), 401, "is not from a login")


def test_a_session_without_cookies(emulator: FakeGptEmulator) -> None:
    refused(SESSION.of(emulator), 401, "'Cookie' is missing")


def test_a_session_returns_a_new_token_each_time(emulator: FakeGptEmulator) -> None:
    ask = SESSION.having(Cookie=f"a=b; {cookie(emulator)}")
    first, second = (answered(ask.of(emulator))["accessToken"] for _ in range(2))
    assert first != second
    assert conversation(first).of(emulator).status == 200


def test_the_answer_grows(emulator: FakeGptEmulator) -> None:
    events = events_of(conversation(access_token(emulator)).of(emulator))
    assert events[-1] == ("", "[DONE]")
    messages = [data["message"] for _, data in events[:-1]]
    types = [message and message["metadata"].get("message_type") for message in messages]
    assert types[:4] == [None, "prompt", None, "next"]
    assert messages[2] is None
    texts = [message["content"]["parts"][0] for message in messages[3:]]
    assert all(longer.startswith(text) and len(longer) > len(text) for text, longer in pairwise(texts))
    assert "Où est la 図書館?" in texts[-1]


def test_the_chunks_split_characters_and_pause_before_each_event() -> None:
    emulator = FakeGptEmulator(Behaviour(pause=1.0, chunk_size=5))
    response = conversation(access_token(emulator)).of(emulator)
    with pytest.raises(UnicodeDecodeError):
        [chunk.data.decode() for chunk in response.chunks]
    events = len(events_of(response))
    assert sum(chunk.pause for chunk in response.chunks) == events
    assert not response.stays_open


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer 0", "Basic {}", "{}"])
def test_a_wrong_token(emulator: FakeGptEmulator, value: str) -> None:
    token = access_token(emulator)
    refused(conversation(token).having(X_Authorization=value.format(token)).of(emulator), 401, "'X-Authorization'")


def test_a_token_expires(emulator: FakeGptEmulator) -> None:
    token = access_token(emulator, NOW)
    assert conversation(token).of(emulator, NOW + 3599).status == 200
    refused(conversation(token).of(emulator, NOW + 3600), 401, "an expired one")


@pytest.mark.parametrize("name", [*question("")])
def test_a_question_without_a_field(emulator: FakeGptEmulator, name: str) -> None:
    token = access_token(emulator)
    body = question(token)
    del body[name]
    refused(conversation(token, body).of(emulator), 400, f"missing required field `{name}`")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body.update(action="variant"), "$.action"),
        (lambda body: body.update(messages=[]), "$.messages"),
        (lambda body: body.update(parent_message_id="1"), "$.parent_message_id"),
        (lambda body: body.update(model="gpt-4"), "$.model"),
        (lambda body: body.update(plugin_ids=[1]), "$.plugin_ids"),
        (lambda body: body.update(timezone_offset_min="-120"), "$.timezone_offset_min"),
        (lambda body: body.update(history_and_training_disabled=False), "'history_and_training_disabled' must be true"),
        (lambda body: body.update(force_paragen=True), "'force_paragen' false"),
        (lambda body: body["messages"][0].update(id="1"), ".id"),
        (lambda body: body["messages"][0].update(metadata=[]), ".metadata"),
        (lambda body: body["messages"][0]["author"].update(role="system"), ".author.role"),
        (
            lambda body: body["messages"][0]["content"].update(content_type="code"),
            ".content.content_type",
        ),
        (lambda body: body["messages"][0]["content"].update(parts=[]), ".content.parts"),
        (lambda body: body["messages"][0]["content"].update(parts=[" "]), "the message's part is empty"),
        (lambda body: body["messages"][0].pop("metadata"), "missing required field `metadata`"),
    ],
)
def test_a_question_with_a_wrong_field(
    emulator: FakeGptEmulator, change: Callable[[JsonObject], None], words: str
) -> None:
    token = access_token(emulator)
    body = question(token)
    change(body)
    refused(conversation(token, body).of(emulator), 400, words)


@pytest.mark.parametrize(("name", "status"), [("Accept", 400), ("Content-Type", 400), ("X-Authorization", 401)])
def test_a_question_without_a_header(emulator: FakeGptEmulator, name: str, status: int) -> None:
    refused(conversation(access_token(emulator)).without(name).of(emulator), status, "the header ")


def test_other_methods(emulator: FakeGptEmulator) -> None:
    refused(login("x")._replace(method="GET").of(emulator), 405, "POST")


@given(request=asks([LOADS, login("x"), SESSION.having(Cookie="credential=x"), conversation("x")]), now=moments)
def test_never_raises(request: EmulatorRequest, now: float) -> None:
    check_any(FakeGptEmulator(), request, now)


@given(request=asks([conversation("TOKEN")]), now=moments)
def test_never_raises_with_a_live_token(request: EmulatorRequest, now: float) -> None:
    emulator = FakeGptEmulator()
    token = access_token(emulator)
    headers = tuple((name, value.replace("TOKEN", token)) for name, value in request.headers)
    ask = EmulatorRequest(
        method=request.method, target=request.target, headers=headers, body=request.body, base_url=request.base_url
    )
    check_any(emulator, ask, now)
