from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given

from emulator_requests import NOW, Ask, asks, check_any, events_of, moments, multipart_of, refused
from modelwire.emulators import Behaviour, EmulatorRequest, EmulatorResponse, HailuoEmulator

QUERY = {
    "device_platform": "web",
    "biz_id": "2",
    "app_id": "3001",
    "version_code": "22201",
    "lang": "en",
    "uuid": "00000000-0000-0000-0000-000000000001",
    "device_id": "4711",
    "os_name": "Linux",
    "browser_name": "chrome",
    "cpu_core_num": "8",
    "browser_language": "en-US",
    "browser_platform": "Linux x86_64",
    "screen_width": "1920",
    "screen_height": "1080",
    "unix": "1700000000250",
}
FORM = {"characterID": "1", "msgContent": "Grüße\r\naus 東京\n", "chatID": "0", "searchMode": "0"}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def message(form: Mapping[str, str] = FORM, query: Mapping[str, str] = QUERY) -> Ask:
    """A correctly signed message with any form and query."""
    target = f"/v4/api/chat/msg?{urlencode(query)}"
    one_line = form.get("msgContent", "").replace("\r", "").replace("\n", "")
    body = md5(form.get("characterID", "")) + md5(one_line) + md5(form.get("chatID", "")) + md5("")
    yy = md5(quote(target, safe="") + "_" + body + md5(query.get("unix", "")) + "ooui")
    headers = {"token": "emulated-token", "yy": yy, "content-type": "multipart/form-data; boundary=limit"}
    return Ask("POST", target, headers, multipart_of(form))


def later(milliseconds: int) -> dict[str, str]:
    return QUERY | {"unix": str(1700000000250 + milliseconds)}


@pytest.fixture
def emulator() -> HailuoEmulator:
    return HailuoEmulator()


def test_a_signature_calculated_by_hand(emulator: HailuoEmulator) -> None:
    target = (
        "/v4/api/chat/msg?device_platform=web&biz_id=2&app_id=3001&version_code=22201&lang=en&uuid=u&device_id=d"
        "&os_name=Linux&browser_name=chrome&cpu_core_num=8&browser_language=en-US&browser_platform=Linux+x86_64"
        "&screen_width=1920&screen_height=1080&unix=1700000000000"
    )
    encoded = target
    for character in "%/?=&+":
        encoded = encoded.replace(character, f"%{ord(character):02X}")
    # MD5 of "1", "Hi", "0" and the empty string.
    hashes = (
        "c4ca4238a0b923820dcc509a6f75849b"
        "c1a5298f939e87e8f962a5edfc206918"
        "cfcd208495d565ef66e7dff9f98764da"
        "d41d8cd98f00b204e9800998ecf8427e"
    )
    yy = md5(f"{encoded}_{hashes}{md5('1700000000000')}ooui")
    form = multipart_of({"characterID": "1", "msgContent": "Hi", "chatID": "0", "searchMode": "0"})
    headers = {"Token": "emulated-token", "YY": yy, "Content-Type": 'multipart/form-data; boundary="limit"'}
    assert Ask("POST", target, headers, form).of(emulator).status == 200


def test_the_answer_is_named_events_and_stays_open(emulator: HailuoEmulator) -> None:
    response = message().of(emulator)
    assert response.stays_open
    (first, opening), *growing, (last, _) = events_of(response)
    assert (first, last) == ("send_result", "close_chunk")
    assert opening["data"]["sendResult"]["chatTitle"] == "Grüße aus 東京"
    assert opening["data"]["sendResult"]["chatID"].isdigit()
    assert {name for name, _ in growing} == {"message_result"}
    texts = [data["data"]["messageResult"]["content"] for _, data in growing]
    assert texts == sorted(texts, key=len)
    assert all(texts[-1].startswith(text) for text in texts)
    assert "Grüße\r\naus 東京" in texts[-1]
    assert [data["data"]["messageResult"]["isEnd"] for _, data in growing] == [0] * (len(growing) - 1) + [1]


def test_the_chunks_split_characters() -> None:
    response = message().of(HailuoEmulator(Behaviour(chunk_size=3)))
    with pytest.raises(UnicodeDecodeError):
        [chunk.data.decode() for chunk in response.chunks]


def test_a_chat_is_remembered(emulator: HailuoEmulator) -> None:
    chat_id = events_of(message().of(emulator))[0][1]["data"]["sendResult"]["chatID"]
    for count in (2, 3):
        ask = message(FORM | {"chatID": chat_id}, later(count))
        *_, (_, result), _ = events_of(ask.of(emulator))
        assert f"This is message {count} of chat {chat_id}." in result["data"]["messageResult"]["content"]
        assert result["data"]["messageResult"]["chatID"] == chat_id


def test_each_new_chat_has_an_id_of_its_own(emulator: HailuoEmulator) -> None:
    ids = {events_of(message(query=later(n)).of(emulator))[0][1]["data"]["sendResult"]["chatID"] for n in range(3)}
    assert len(ids) == 3


def test_an_unknown_chat(emulator: HailuoEmulator) -> None:
    refused(message(FORM | {"chatID": "12"}).of(emulator), 404, "'chatID' is not the id of a chat")


def test_a_signature_can_be_used_once(emulator: HailuoEmulator) -> None:
    assert message().of(emulator).status == 200
    refused(message().of(emulator), 409, "'yy' was used before")
    refused(message().of(emulator, NOW + 300), 409, "'yy' was used before")
    assert message(query=later(1)).of(emulator).status == 200


@pytest.mark.parametrize(("name", "status"), [("token", 401), ("yy", 400), ("content-type", 400)])
def test_a_missing_header(emulator: HailuoEmulator, name: str, status: int) -> None:
    refused(message().without(name).of(emulator), status, f"the header {name!r}")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"token": "other"}, 401, "'token' is not from a login"),
        ({"yy": "0" * 32}, 403, "'yy' does not sign"),
        ({"content-type": "application/x-www-form-urlencoded"}, 400, "must be 'multipart/form-data'"),
        ({"content-type": "multipart/form-data"}, 400, "names no boundary"),
    ],
)
def test_a_wrong_header(emulator: HailuoEmulator, change: dict[str, str], status: int, words: str) -> None:
    refused(message().having(**change).of(emulator), status, words)


@pytest.mark.parametrize("name", [*QUERY])
def test_a_query_without_a_field(emulator: HailuoEmulator, name: str) -> None:
    query = {key: value for key, value in QUERY.items() if key != name}
    refused(
        message(query=query).of(emulator),
        400,
        "the query must have these fields, in this order: device_platform, biz_id",
    )
    refused(message(query=QUERY | {name: ""}).of(emulator), 400, f"the query's field {name!r} must be")


def test_a_query_in_another_order(emulator: HailuoEmulator) -> None:
    refused(message(query=dict(reversed(QUERY.items()))).of(emulator), 400, "in this order")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"device_platform": "app"}, 400, "'device_platform' must be 'web'"),
        ({"biz_id": "3"}, 400, "'biz_id' must be '2'"),
        ({"app_id": "1"}, 400, "'app_id' must be '3001'"),
        ({"version_code": "1"}, 400, "'version_code' must be '22201'"),
        ({"lang": "de"}, 400, "'lang' must be 'en'"),
        ({"cpu_core_num": "many"}, 400, "'cpu_core_num' must be a whole number"),
        ({"screen_width": "-1"}, 400, "'screen_width' must be a whole number"),
        ({"screen_height": "1.5"}, 400, "'screen_height' must be a whole number"),
        ({"unix": "now"}, 400, "'unix' must be a whole number"),
        ({"unix": "1700000301250"}, 403, "'unix' is more than 300 s off"),
        ({"unix": "1699999699000"}, 403, "'unix' is more than 300 s off"),
    ],
)
def test_a_query_with_a_wrong_field(emulator: HailuoEmulator, change: dict[str, str], status: int, words: str) -> None:
    refused(message(query=QUERY | change).of(emulator), status, words)


@pytest.mark.parametrize("name", [*FORM])
def test_a_form_without_a_field(emulator: HailuoEmulator, name: str) -> None:
    form = {key: value for key, value in FORM.items() if key != name}
    refused(message(form).of(emulator), 400, f"the form has no field {name!r}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"characterID": "one"}, "'characterID' must be a whole number"),
        ({"msgContent": " "}, "an empty field 'msgContent'"),
        ({"chatID": "x"}, "'chatID' must be a whole number"),
        ({"searchMode": "1"}, "'searchMode' must be '0'"),
    ],
)
def test_a_form_with_a_wrong_field(emulator: HailuoEmulator, change: dict[str, str], words: str) -> None:
    refused(message(FORM | change).of(emulator), 400, words)


@pytest.mark.parametrize("change", [{"characterID": "2"}, {"msgContent": "other"}])
def test_a_form_that_was_changed_after_it_was_signed(emulator: HailuoEmulator, change: dict[str, str]) -> None:
    refused(message()._replace(body=multipart_of(FORM | change)).of(emulator), 403, "'yy' does not sign")


def test_other_paths_and_methods(emulator: HailuoEmulator) -> None:
    refused(Ask("GET", "/v4/api/chat/msg").of(emulator), 405, "POST")
    refused(Ask("POST", "/v5").of(emulator), 404, "/v5")


# The page on which a person logs in.

FORM_TYPE = {"content-type": "application/x-www-form-urlencoded"}
FILLED_IN = Ask("POST", "/", FORM_TYPE, b"email=ada%40example.com&password=S-secret")


class Login(NamedTuple):
    """The values that the page's script stores, and the cookie of the same response."""

    token: str
    uuid: str
    device_id: str
    delay: float
    cookie: str

    def message(self, **change: str) -> Ask:
        """A message from the device that logged in."""
        query = QUERY | {"uuid": self.uuid, "device_id": self.device_id} | change
        return message(query=query).having(cookie=f"seen=1; {self.cookie}")


def log_in(emulator: HailuoEmulator) -> Login:
    response = FILLED_IN.of(emulator)
    assert (response.status, header_of(response, "content-type")) == (200, "text/html; charset=utf-8")
    cookie, *attributes = header_of(response, "set-cookie").split("; ")
    assert "HttpOnly" in attributes
    page = b"".join(chunk.data for chunk in response.chunks).decode()
    assert "S-secret" not in page
    assert 'localStorage.setItem("_token", token)' in page
    found = re.search(r"= (\{.*\});", page)
    assert found is not None
    values = json.loads(found[1])
    return Login(values["token"], **values["device"], delay=values["delay"], cookie=cookie)


def header_of(response: EmulatorResponse, name: str) -> str:
    (value,) = (value for key, value in response.headers if key == name)
    return value


def test_the_page_has_a_login_form(emulator: HailuoEmulator) -> None:
    response = Ask("GET", "/").of(emulator)
    assert response.status == 200
    page = b"".join(chunk.data for chunk in response.chunks).decode()
    assert '<form method="post">' in page
    assert 'type="email" name="email"' in page
    assert 'type="password" name="password"' in page
    assert "_token" not in page


def test_the_page_stores_the_login_after_a_delay(emulator: HailuoEmulator) -> None:
    assert log_in(emulator).delay == 1000.0
    assert log_in(HailuoEmulator(Behaviour(sign_in=0.25))).delay == 250.0


def test_a_device_that_has_logged_in_may_send_messages(emulator: HailuoEmulator) -> None:
    login = log_in(emulator)
    assert login.token == "emulated-token"
    assert login.message().of(emulator).status == 200
    other = log_in(emulator)
    assert {login.uuid, login.device_id, login.cookie}.isdisjoint({other.uuid, other.device_id, other.cookie})
    assert other.message().of(emulator).status == 200


def test_a_device_that_has_logged_in_needs_its_cookie(emulator: HailuoEmulator) -> None:
    login, other = log_in(emulator), log_in(emulator)
    words = "the cookie 'hailuo_session' is not the one of this device's login"
    refused(login.message().without("cookie").of(emulator), 403, words)
    refused(login.message().having(cookie=other.cookie).of(emulator), 403, words)
    refused(login.message().having(cookie=f"{login.cookie}0").of(emulator), 403, words)
    refused(login.message(uuid=QUERY["uuid"]).of(emulator), 403, words)
    refused(login.message(device_id="4711").of(emulator), 403, "'device_id' does not match the device that logged in")


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"", "no field 'email'"), (b"email=a", "no field 'password'"), (b"email=&password=b", "empty field 'email'")],
)
def test_a_form_that_is_not_filled_in(emulator: HailuoEmulator, body: bytes, words: str) -> None:
    refused(FILLED_IN._replace(body=body).of(emulator), 400, words)


@given(request=asks([message(), FILLED_IN, Ask("GET", "/")]), now=moments)
def test_never_raises(request: EmulatorRequest, now: float) -> None:
    check_any(HailuoEmulator(), request, now)
