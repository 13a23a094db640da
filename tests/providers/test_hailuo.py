"""Hailuo AI's wire, as its page uses it."""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import json
import uuid
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.formats.cookies import Cookie
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.messages import Messages
from modelwire.outputs import (
    ConversationChanged,
    CredentialsChanged,
    LoginRequired,
    Restarted,
    TextDelta,
    TextReplaced,
    TitleChanged,
)
from modelwire.providers.hailuo import (
    PROVIDER,
    HailuoChat,
    HailuoConversation,
    HailuoCredentials,
    HailuoEndpoints,
    HailuoOptions,
)
from played_flow import (
    NOW,
    Broken,
    PlayedFlow,
    ScriptedResponse,
    begin,
    bytewise,
    header,
    header_map,
    play,
    query,
    say,
    through_json,
    two_part_cuts,
)

SITE = "https://www.hailuo.ai"
KEPT = HailuoCredentials(token="token-12345", uuid="uuid-12345", device_id="device-12345")
HISTORY = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "And\r\nnow?"},
]


def hailuo(messages: Messages = "Hello", **fields: Any) -> HailuoChat:
    given: dict[str, Any] = {"credentials": KEPT}
    return HailuoChat(messages=messages, **given | fields)


def event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def said(text: object) -> bytes:
    """An event with the text so far."""
    return event("message_result", {"data": {"messageResult": {"content": text, "msgID": "1"}}, "type": 2})


def sent(**result: object) -> bytes:
    return event("send_result", {"data": {"sendResult": result}, "type": 1})


CLOSE = event("close_chunk", {})


def answered(*events: bytes, **fields: Any) -> PlayedFlow:
    return play(hailuo(**fields), say(b"".join(events), content_type="text/event-stream"))


def multipart(request: Request) -> dict[str, str]:
    """The fields of a multipart body, which are all plain text, read by the standard library."""
    parser = email.parser.BytesParser(EmailMessage, policy=email.policy.HTTP)
    parsed = parser.parsebytes(f"content-type: {header(request, 'content-type')}\r\n\r\n".encode() + request.body)
    assert parsed.get_content_type() == "multipart/form-data"
    fields = {}
    for part in parsed.iter_parts():
        assert part.keys() == ["Content-Disposition"]
        assert part.get_content_disposition() == "form-data"
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        fields[str(part.get_param("name", header="content-disposition"))] = payload.decode()
    return fields


# The request.


def test_the_request() -> None:
    request = begin(hailuo()).request
    assert request.method == "POST"
    assert request.url.startswith(f"{SITE}/v4/api/chat/msg?")
    assert query(request) == [
        ("device_platform", "web"),
        ("biz_id", "2"),
        ("app_id", "3001"),
        ("version_code", "22201"),
        ("lang", "en"),
        ("uuid", "uuid-12345"),
        ("device_id", "device-12345"),
        ("os_name", "Linux"),
        ("browser_name", "chrome"),
        ("cpu_core_num", "8"),
        ("browser_language", "en-US"),
        ("browser_platform", "Linux x86_64"),
        ("screen_width", "1920"),
        ("screen_height", "1080"),
        ("unix", "1700000000250"),
    ]
    assert list(multipart(request).items()) == [
        ("characterID", "1"),
        ("msgContent", "Hello"),
        ("chatID", "0"),
        ("searchMode", "0"),
    ]
    assert set(header_map(request)) == {"token", "yy", "content-type"}
    assert header(request, "token") == "token-12345"


def h(text: str) -> str:
    return hashlib.md5(text.encode("utf-8")).hexdigest()


def signed_by_hand(path_and_query: str, content: str, unix: str, chat: str = "0", character: str = "1") -> str:
    one_line = "".join(letter for letter in content if letter not in "\r\n")
    body = h(character) + h(one_line) + h(chat) + "d41d8cd98f00b204e9800998ecf8427e"
    return h(quote(path_and_query, safe="") + "_" + body + h(unix) + "ooui")


def assert_signed(request: Request, prefix: str = SITE) -> None:
    fields = multipart(request)
    path_and_query = request.url.removeprefix(prefix)
    unix = dict(query(request))["unix"]
    expected = signed_by_hand(path_and_query, fields["msgContent"], unix, fields["chatID"], fields["characterID"])
    assert header(request, "yy") == expected


def test_a_signature_worked_out_by_hand() -> None:
    # Each step is the output of `printf %s ... | md5sum`.
    path = (
        "%2Fv4%2Fapi%2Fchat%2Fmsg%3Fdevice_platform%3Dweb%26biz_id%3D2%26app_id%3D3001%26version_code%3D22201%26lang"
        "%3Den%26uuid%3Duuid-12345%26device_id%3Ddevice-12345%26os_name%3DLinux%26browser_name%3Dchrome%26"
        "cpu_core_num%3D8%26browser_language%3Den-US%26browser_platform%3DLinux%2Bx86_64%26screen_width%3D1920%26"
        "screen_height%3D1080%26unix%3D1700000000250"
    )
    body = (
        "c4ca4238a0b923820dcc509a6f75849b"  # 1
        "8b1a9953c4611296a827abf8c47804d7"  # Hello
        "cfcd208495d565ef66e7dff9f98764da"  # 0
        "d41d8cd98f00b204e9800998ecf8427e"  # nothing
    )
    assert header(begin(hailuo()).request, "yy") == h(f"{path}_{body}{h('1700000000250')}ooui")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    st.integers(10**9, 2 * 10**9),
)
def test_any_text_is_signed_and_sent_unchanged(text: str, now: int) -> None:
    request = begin(hailuo(text), now=now).request
    content = request.body.split(b'name="msgContent"\r\n\r\n', 1)[1].split(b"\r\n------modelwire", 1)[0].decode()
    assert content == text
    path_and_query = request.url.removeprefix(SITE)
    assert header(request, "yy") == signed_by_hand(path_and_query, text, f"{now}000")


def test_line_ends_are_sent_but_not_signed() -> None:
    request = begin(hailuo("a\r\nb\nc\rd")).request
    assert b"\r\n\r\na\r\nb\nc\rd\r\n" in request.body
    yy = header(request, "yy")
    assert yy == signed_by_hand(request.url.removeprefix(SITE), "abcd", "1700000000250")


def test_the_signature_leaves_out_the_path_of_a_base_url() -> None:
    base = "http://127.0.0.1:8000/hailuo"
    request = begin(hailuo(endpoints=HailuoEndpoints(site=base))).request
    assert request.url.startswith(f"{base}/v4/api/chat/msg?")
    assert_signed(request, base)


def test_defect_each_attempt_has_a_new_signature() -> None:
    session = begin(hailuo())
    session.respond(say("", 503, retry_after="5"))
    session.sleep_on()
    first, second = session.requests
    assert int(dict(query(second))["unix"]) >= int(dict(query(first))["unix"]) + 5000
    assert_signed(second)
    assert header(first, "content-type") != header(second, "content-type"), "each attempt has its own boundary"


def test_defect_the_signature_has_the_time_of_the_request() -> None:
    request = begin(hailuo(), now=NOW + 86_400).request
    assert dict(query(request))["unix"] == "1700086400250"
    assert_signed(request)


def test_the_request_names_the_browser_of_the_login() -> None:
    device = HailuoCredentials(
        token="token-12345",
        uuid="u",
        device_id="d",
        os_name="Windows",
        browser_name="edge",
        cpu_core_num=16,
        browser_language="de-DE",
        browser_platform="Win32",
        screen_width=2560,
        screen_height=1440,
        user_agent="Mozilla/5.0 (Windows)",
        cookies=(
            Cookie(name="sid", value="cookie-1", domain="www.hailuo.ai"),
            Cookie(name="other", value="cookie-2", domain="elsewhere.example"),
        ),
    )
    request = begin(hailuo(credentials=device)).request
    sent_query = dict(query(request))
    assert {name: sent_query[name] for name in ("os_name", "browser_name", "cpu_core_num", "browser_language")} == {
        "os_name": "Windows",
        "browser_name": "edge",
        "cpu_core_num": "16",
        "browser_language": "de-DE",
    }
    assert (sent_query["browser_platform"], sent_query["screen_width"], sent_query["screen_height"]) == (
        "Win32",
        "2560",
        "1440",
    )
    assert header(request, "user-agent") == "Mozilla/5.0 (Windows)"
    assert header(request, "cookie") == "sid=cookie-1"
    assert_signed(request)


def test_the_constants_are_options() -> None:
    options = HailuoOptions(character_id="7", search_mode="1", lang="de", app_id="9")
    request = begin(hailuo(options=options)).request
    assert multipart(request)["characterID"] == "7"
    assert multipart(request)["searchMode"] == "1"
    assert dict(query(request))["lang"] == "de"
    assert dict(query(request))["app_id"] == "9"
    assert_signed(request)


# The login.


def test_without_credentials_a_login_is_required() -> None:
    session = begin(hailuo(credentials=None))
    assert session.log[0] == LoginRequired("Hailuo AI", SITE)
    assert len(session.log) == 2, "in the same batch"
    assert session.failure.kind == "login_required"
    assert session.requests == []


def test_an_empty_token_does_not_count_as_a_login() -> None:
    assert begin(hailuo(credentials=HailuoCredentials(token=""))).failure.kind == "login_required"


def test_the_page_of_the_login_may_be_set() -> None:
    options = HailuoOptions(login_url="https://login.example/")
    assert begin(hailuo(credentials=None, options=options)).log[0] == LoginRequired(
        "Hailuo AI", "https://login.example/"
    )
    assert PROVIDER.environment == {"options.login_url": ("HAILUO_LOGIN_URL",)}


def test_with_a_token_alone_a_device_is_drawn_once_and_stored() -> None:
    session = begin(hailuo(credentials=HailuoCredentials(token="token-12345")))
    (changed,) = session.outputs
    assert isinstance(changed, CredentialsChanged)
    held = msgspec.convert(changed.credentials, HailuoCredentials)
    assert uuid.UUID(held.uuid).version == 4
    assert len(held.device_id) == 32
    sent_query = dict(query(session.request))
    assert (sent_query["uuid"], sent_query["device_id"]) == (held.uuid, held.device_id)
    assert (held.token, held.os_name, held.browser_name) == ("token-12345", "Linux", "chrome")
    again = begin(hailuo(credentials=held))
    assert again.outputs == []
    assert dict(query(again.request))["device_id"] == held.device_id


def test_half_a_device_is_completed() -> None:
    session = begin(hailuo(credentials=HailuoCredentials(token="token-12345", uuid="mine")))
    assert dict(query(session.request))["uuid"] == "mine"
    assert dict(query(session.request))["device_id"]


@pytest.mark.parametrize("status", [401, 403])
def test_after_a_refused_login_a_login_is_required(status: int) -> None:
    session = play(hailuo(), say("expired", status))
    assert session.outputs == [LoginRequired("Hailuo AI", SITE)]
    assert (session.failure.kind, session.failure.status) == ("login_required", status)
    assert "log in again" in session.failure.message


def test_nothing_of_a_login_is_shown() -> None:
    session = begin(hailuo())
    yy = header(session.request, "yy")
    session.respond(say(f"token-12345 device-12345 {yy}", 400))
    assert session.failure.message == f"{SITE}/v4/api/chat/msg answered with status 400: [secret] [secret] [secret]"
    for shown in (KEPT, session.flow, HailuoConversation(token="token-12345", chat_id="1", character_id="1")):
        assert "token-12345" not in repr(shown)
    assert "token-12345" not in session.flow.snapshot()


def test_texts_that_are_not_secret_stay_readable() -> None:
    cookies = (Cookie(name="sid", value="cookie-1", domain="www.hailuo.ai"),)
    flow = hailuo(credentials=msgspec.structs.replace(KEPT, cookies=cookies))
    failure = play(flow, say("chrome on Linux is not allowed", 400)).failure
    assert failure.message == f"{SITE}/v4/api/chat/msg answered with status 400: chrome on Linux is not allowed"


# The answer.


def test_the_answer() -> None:
    session = answered(sent(chatTitle="Greetings", chatID="42"), said("Hel"), said("Hello!"), CLOSE)
    assert session.outputs == [
        TitleChanged("Greetings"),
        ConversationChanged({"token": "token-12345", "chatID": "42", "characterID": "1"}),
        TextDelta("Hel"),
        TextDelta("lo!"),
    ]
    assert session.succeeded


def test_close_chunk_ends_the_answer_even_if_the_connection_stays_open() -> None:
    session = play(hailuo(), ScriptedResponse(body=said("Hi") + CLOSE + said("more"), stays_open=True))
    assert session.succeeded
    assert session.text == "Hi"


def test_defect_the_type_of_an_event_is_reset_at_a_blank_line() -> None:
    # The second event has the default type, so it is not a message_result.
    stray = b'data: {"data": {"messageResult": {"content": "stray"}}}\n\n'
    assert answered(said("Hi"), stray, CLOSE).outputs == [TextDelta("Hi")]


def test_defect_a_shrinking_text() -> None:
    session = answered(said("Hello"), said("Hell"), said("Hello w"), said("Help"), CLOSE)
    assert session.outputs == [TextDelta("Hello"), TextDelta(" w"), TextReplaced("Help")]


def test_chunking_does_not_matter() -> None:
    body = (sent(chatTitle="Grüße") + said("Grüße 🐉") + CLOSE).replace(b"\n", b"\r\n")
    for chunks in (bytewise(body), *two_part_cuts(body)):
        session = play(hailuo(), ScriptedResponse(chunks=chunks))
        assert session.outputs == [TitleChanged("Grüße"), TextDelta("Grüße 🐉")]


def test_a_message_without_text_is_skipped() -> None:
    assert (
        answered(said(None), said("Hi"), event("message_result", {"data": {"messageResult": {}}}), CLOSE).text == "Hi"
    )
    assert answered(said(None), CLOSE).failure.kind == "no_answer"


def test_unknown_events_are_skipped() -> None:
    assert answered(event("ping", 5), b"data: nonsense\n\n", said("Hi"), event("x", []), CLOSE).text == "Hi"


@pytest.mark.parametrize(
    ("result", "outputs"),
    [
        ({}, []),
        ({"chatTitle": "", "chatID": None}, []),
        ({"chatTitle": "T"}, [TitleChanged("T")]),
        ({"chatID": 42}, [ConversationChanged({"token": "token-12345", "chatID": "42", "characterID": "1"})]),
    ],
)
def test_a_send_result_may_lack_either(result: dict[str, object], outputs: list[object]) -> None:
    assert answered(sent(**result), said("Hi"), CLOSE).outputs == [*outputs, TextDelta("Hi")]


def test_an_answer_closed_before_it_began_is_a_failure() -> None:
    failure = answered(sent(chatTitle="T"), CLOSE).failure
    assert failure.kind == "no_answer"
    assert "no valid response" in failure.message


def test_an_answer_without_its_close_is_a_failure_with_its_text() -> None:
    failure = answered(said("Hel")).failure
    assert (failure.kind, failure.text) == ("truncated", "Hel")


def test_html_instead_of_events() -> None:
    failure = play(hailuo(), say("<html>captcha</html>")).failure
    assert "an HTML page (a login, captcha or maintenance page?)" in failure.message


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (said(5), "$.data.messageResult.content"),
        (event("message_result", {}), "data"),
        (event("message_result", {"data": {}}), "messageResult"),
        (event("send_result", {"data": {"sendResult": {"chatID": []}}}), "$.data.sendResult.chatID"),
        (b"event: message_result\ndata: {\n\n", "not JSON"),
    ],
)
def test_an_event_of_another_shape_is_a_failure(bad: bytes, path: str) -> None:
    failure = answered(said("Hel"), bad).failure
    assert failure.kind == "protocol"
    assert path in failure.message
    assert failure.text == "Hel"


def test_a_stalled_answer_ends() -> None:
    session = begin(hailuo(limits=Limits(idle=10.0)))
    session.respond(ScriptedResponse(body=said("Hel"), stays_open=True))
    session.wake()
    assert (session.failure.kind, session.failure.text) == ("timeout", "Hel")


# Conversations.

BEGUN = HailuoConversation(token="token-12345", chat_id="42", character_id="7")


def test_a_chat_is_continued_by_the_login_that_began_it() -> None:
    request = begin(hailuo(HISTORY, conversation=BEGUN)).request
    fields = multipart(request)
    assert (fields["chatID"], fields["characterID"]) == ("42", "7")
    assert b'name="msgContent"\r\n\r\nAnd\r\nnow?\r\n--' in request.body
    yy = header(request, "yy")
    assert yy == signed_by_hand(request.url.removeprefix(SITE), "Andnow?", "1700000000250", "42", "7")


def test_with_another_login_it_is_a_new_chat_with_the_whole_prompt() -> None:
    other = HailuoCredentials(token="another-token", uuid="u", device_id="d")
    request = begin(hailuo(HISTORY, conversation=BEGUN, credentials=other)).request
    fields = multipart(request)
    assert (fields["chatID"], fields["characterID"]) == ("0", "1")
    assert fields["msgContent"].replace("\r\n", "\n") == "User: Hi\nAssistant: Hello!\nUser: And\nnow?\nAssistant:"


def test_a_chat_that_is_continued_without_a_user_message_takes_the_whole_prompt() -> None:
    request = begin(hailuo([{"role": "system", "content": "Go on."}], conversation=BEGUN)).request
    assert multipart(request)["msgContent"] == "Go on."


def test_the_next_flow_takes_the_emitted_conversation() -> None:
    session = answered(sent(chatID=42), said("Hi"), CLOSE)
    (changed,) = session.all(ConversationChanged)
    begun = msgspec.convert(json.loads(json.dumps(changed.conversation)), HailuoConversation)
    assert multipart(begin(hailuo("next", conversation=begun)).request)["chatID"] == "42"


def test_a_restored_chat_is_the_same_chat() -> None:
    session = begin(hailuo(HISTORY, conversation=BEGUN))
    session.respond(ScriptedResponse(body=said("Hel"), stays_open=True))
    restored = begin(through_json(session.flow, KEPT))
    assert restored.outputs == [Restarted()]
    fields = multipart(restored.request)
    assert (fields["chatID"], fields["characterID"]) == ("42", "7")


def test_a_flow_restored_without_a_login_requires_one() -> None:
    assert begin(through_json(begin(hailuo()).flow)).failure.kind == "login_required"


# Models, failures and the catalog.


@pytest.mark.parametrize("model", [None, "MiniMax", "minimax", "MINIMAX"])
def test_the_model(model: str | None) -> None:
    assert begin(hailuo(model=model)).requests


def test_another_model_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"did you mean '(MiniMax|minimax)'"):
        hailuo(model="MiniMix")


def test_a_broken_answer_is_not_requested_twice() -> None:
    session = play(hailuo(), Broken(kind="network", after=say(said("Hel"))))
    assert (session.failure.kind, session.failure.text) == ("network", "Hel")


def test_what_the_catalog_says() -> None:
    assert (PROVIDER.name, PROVIDER.label, HailuoChat.default_model) == ("hailuo", "Hailuo AI", "MiniMax")
    assert PROVIDER.credentials is HailuoCredentials
    assert PROVIDER.conversation is HailuoConversation
