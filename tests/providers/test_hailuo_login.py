"""The login to Hailuo AI: the opened page, the values read from it, and the endings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.catalog import PROVIDERS
from modelwire.commands import Evaluate, Finished, OpenPage, Sleep
from modelwire.errors import InvalidInput
from modelwire.events import Cancel, PageClosed, PageEvaluated, Start
from modelwire.formats.browser_export import BrowserExport, SentRequest, parse_export
from modelwire.formats.cookies import Cookie
from modelwire.limits import Limits
from modelwire.outputs import CredentialsChanged, LoginRequired
from modelwire.provider import with_base_url
from modelwire.providers.hailuo import HailuoChat
from modelwire.providers.hailuo_login import (
    LABEL,
    READ_PAGE,
    HailuoCredentials,
    HailuoEndpoints,
    HailuoLogin,
    HailuoOptions,
    PageState,
    browser_name,
)
from modelwire.recording import Recorder
from modelwire.testing import assert_replays
from played_flow import ENTROPY, NOW, PlayedFlow, begin, header, query, through_json

SITE = "https://www.hailuo.ai"
TOKEN, UUID, DEVICE = "T-123456.abc", "00000000-0000-4000-8000-000000000001", "303959473214"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
NOBODY: dict[str, object] = {
    "origin": SITE,
    "token": None,
    "uuid": None,
    "device_id": None,
    "os_name": "Windows",
    "browser_language": "de-DE",
    "browser_platform": "Win32",
    "cpu_core_num": 16,
    "screen_width": 2560,
    "screen_height": 1440,
    "user_agent": CHROME,
}
SOMEBODY = NOBODY | {"token": TOKEN, "uuid": UUID, "device_id": DEVICE}
SESSION = Cookie(name="session", value="C-12345678", domain="www.hailuo.ai", secure=True)
WIDE = Cookie(name="wide", value="W-12345678", domain="hailuo.ai", host_only=False, expires=NOW + 1000.0)


def show(session: PlayedFlow, page: dict[str, object], *cookies: Cookie, after: float = 0.0) -> list[Any]:
    """Give the current script this value."""
    assert isinstance(session.wait, Evaluate), f"the flow waits for no script, but: {session.wait}"
    return session.deliver(
        PageEvaluated(session.wait.request_id, msgspec.json.encode(page).decode(), cookies), after=after
    )


def credentials_of(session: PlayedFlow) -> HailuoCredentials:
    (changed,) = session.all(CredentialsChanged)
    return msgspec.convert(changed.credentials, HailuoCredentials)


# A login.


def test_a_login_is_required_and_the_page_is_opened() -> None:
    session = begin(HailuoLogin())
    assert session.log == [
        LoginRequired("Hailuo AI", SITE),
        OpenPage(f"{SITE}/"),
        Evaluate(1, READ_PAGE, NOW + 300.0),
    ]


def test_another_page_of_the_login_is_emitted_and_the_site_is_opened() -> None:
    session = begin(HailuoLogin(options=HailuoOptions(login_url="https://desk.example/vnc")))
    assert session.log[:2] == [LoginRequired("Hailuo AI", "https://desk.example/vnc"), OpenPage(f"{SITE}/")]


def test_under_a_base_url_its_page_is_opened() -> None:
    endpoints = with_base_url(HailuoEndpoints(), "http://127.0.0.1:8000/hailuo/")
    session = begin(HailuoLogin(endpoints=endpoints))
    assert session.all(OpenPage) == [OpenPage("http://127.0.0.1:8000/hailuo/")]
    show(session, SOMEBODY | {"origin": "http://127.0.0.1:8000"})
    assert session.succeeded


def test_the_page_is_read_until_a_person_is_logged_in() -> None:
    session = begin(HailuoLogin())
    for number in range(1, 6):
        assert show(session, NOBODY) == [Sleep(session.now + 0.5)]
        session.wake()
        assert session.wait == Evaluate(number + 1, READ_PAGE, NOW + 300.0)
    show(session, SOMEBODY, SESSION, WIDE)
    assert session.succeeded
    assert credentials_of(session) == HailuoCredentials(
        token=TOKEN,
        uuid=UUID,
        device_id=DEVICE,
        os_name="Windows",
        browser_name="chrome",
        cpu_core_num=16,
        browser_language="de-DE",
        browser_platform="Win32",
        screen_width=2560,
        screen_height=1440,
        user_agent=CHROME,
        cookies=(SESSION, WIDE),
    )


@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_token_does_not_count(nothing: object) -> None:
    session = begin(HailuoLogin())
    show(session, SOMEBODY | {"token": nothing})
    assert isinstance(session.wait, Sleep)


def test_the_flow_waits_for_a_late_device() -> None:
    session = begin(HailuoLogin())
    for late in ({"uuid": None}, {"device_id": None}, {"uuid": "", "device_id": ""}):
        show(session, SOMEBODY | late)
        session.wake()
    show(session, SOMEBODY)
    assert (credentials_of(session).uuid, credentials_of(session).device_id) == (UUID, DEVICE)


def test_the_flow_does_not_wait_long_for_a_device() -> None:
    session = begin(HailuoLogin())
    for _ in range(6):
        show(session, SOMEBODY | {"device_id": None})
        session.wake()
    assert session.now == NOW + 3.0
    show(session, SOMEBODY | {"device_id": None})
    found = credentials_of(session)
    assert (found.token, found.uuid, found.device_id) == (TOKEN, UUID, "")
    chat = begin(HailuoChat(messages="Hi", credentials=found))
    assert dict(query(chat.request))["device_id"], "a chat draws its own device"


def test_missing_values_of_a_browser_have_defaults() -> None:
    session = begin(HailuoLogin())
    show(session, {"origin": SITE, "token": TOKEN, "uuid": UUID, "device_id": DEVICE, "screen_width": 0})
    assert credentials_of(session) == HailuoCredentials(token=TOKEN, uuid=UUID, device_id=DEVICE)


def test_a_chat_uses_the_values_that_were_read() -> None:
    session = begin(HailuoLogin())
    show(session, SOMEBODY, SESSION, WIDE)
    request = begin(HailuoChat(messages="Hi", credentials=credentials_of(session))).request
    assert header(request, "token") == TOKEN
    assert header(request, "user-agent") == CHROME
    assert header(request, "cookie") == "session=C-12345678; wide=W-12345678"
    assert dict(query(request)).items() >= {"uuid": UUID, "device_id": DEVICE, "cpu_core_num": "16"}.items()


# The origin of the page.


@pytest.mark.parametrize("place", [SITE, "https://hailuo.ai", "https://app.hailuo.ai", "https://WWW.hailuo.ai:443"])
def test_pages_of_the_site(place: str) -> None:
    session = begin(HailuoLogin())
    show(session, SOMEBODY | {"origin": place})
    assert session.succeeded


ELSEWHERE = [
    *("https://accounts.example", "http://www.hailuo.ai", "https://www.hailuo.ai:8443", "https://nothailuo.ai"),
    *("https://www.hailuo.ai.example", "null", "", "file://", "https://[", "chrome-error://chromewebdata"),
]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_page_of_another_site_is_not_read(place: str) -> None:
    session = begin(HailuoLogin())
    show(session, SOMEBODY | {"origin": place}, SESSION)
    assert isinstance(session.wait, Sleep)
    session.wake()
    show(session, SOMEBODY)
    assert session.succeeded


def test_cookies_of_another_site_are_ignored() -> None:
    session = begin(HailuoLogin())
    foreign = [
        Cookie(name="a", value="1", domain="accounts.example"),
        Cookie(name="b", value="1", domain="other.hailuo.ai"),
        Cookie(name="c", value="1", domain="ai", host_only=True),
        Cookie(name="gone", value="1", domain="www.hailuo.ai", expires=NOW - 1.0),
        Cookie(name="bad", value="1\r\nx: y", domain="www.hailuo.ai"),
        Cookie(name="b a d", value="1", domain="www.hailuo.ai"),
        Cookie(name="long", value="1" * 5000, domain="www.hailuo.ai"),
    ]
    show(session, SOMEBODY, *foreign, SESSION)
    assert credentials_of(session).cookies == (SESSION,)


# Logins that fail.


def test_the_failure_of_a_timeout_says_what_to_do() -> None:
    session = begin(HailuoLogin())
    while not session.is_over:
        if isinstance(session.wait, Evaluate):
            show(session, NOBODY)
        else:
            session.wake()
    assert session.now == NOW + 300.0
    assert session.failure.kind == "timeout"
    assert session.failure.message == (
        "nobody has logged in to Hailuo AI within 300 seconds: log in again, and allow more time"
    )


def test_the_failure_names_the_page_that_the_person_was_on() -> None:
    session = begin(HailuoLogin(limits=Limits(total=2.0)))
    show(session, NOBODY | {"origin": "https://accounts.example"})
    session.wake()
    session.wake()
    assert "within 2 seconds (the page last open was https://accounts.example): " in session.failure.message


def test_the_failure_does_not_name_an_earlier_page() -> None:
    session = begin(HailuoLogin(limits=Limits(total=2.0)))
    for place in ("https://accounts.example", SITE):
        show(session, NOBODY | {"origin": place})
        session.wake()
    session.wake()
    assert "within 2 seconds: log in again" in session.failure.message


def test_a_page_that_does_not_respond_is_a_timeout() -> None:
    session = begin(HailuoLogin())
    session.wake()
    assert session.failure.message.startswith("nobody has logged in to Hailuo AI within 300 seconds: ")


@pytest.mark.parametrize(("kind", "said"), [("closed", "was closed"), ("failed", "net::ERR_CONNECTION_REFUSED")])
def test_a_lost_page(kind: Any, said: str) -> None:
    session = begin(HailuoLogin())
    session.deliver(PageClosed(1, kind, "net::ERR_CONNECTION_REFUSED"))
    assert session.failure.kind == "page_lost"
    assert said in session.failure.message


def test_a_login_may_be_cancelled() -> None:
    session = begin(HailuoLogin())
    session.deliver(Cancel())
    assert session.failure.kind == "cancelled"


# Invalid values of a page.

BAD_VALUES = [
    ({"token": "T-1234\r\nx: y"}, "the token contains a character that is not allowed there"),
    ({"token": "T 123456"}, "the token contains a character that is not allowed there"),
    ({"token": "T-гость-123"}, "the token contains a character that is not allowed there"),
    ({"token": "T" * 8193}, "the token contains a character that is not allowed there, or is too long"),
    ({"uuid": "u\x00u"}, "the uuid contains a character that is not allowed there"),
    ({"device_id": "\x1b]0;owned\x07"}, "the device_id contains a character that is not allowed there"),
    ({"os_name": "o" * 513}, "the os_name contains a character that is not allowed there, or is too long"),
    ({"user_agent": "агент"}, "the user_agent contains a character that is not allowed there"),
    ({"user_agent": "Chrome/150 "}, "the user_agent contains a character that is not allowed there"),
    ({"user_agent": " Chrome/150"}, "the user_agent contains a character that is not allowed there"),
    ({"user_agent": "a\nb: c"}, "the user_agent contains a character that is not allowed there"),
    ({"cpu_core_num": -1}, "the cpu_core_num is out of range"),
    ({"screen_width": 2**31}, "the screen_width is out of range"),
]


@pytest.mark.parametrize(("values", "said"), BAD_VALUES)
def test_values_that_no_request_can_carry(values: dict[str, object], said: str) -> None:
    session = begin(HailuoLogin())
    show(session, SOMEBODY | values)
    assert session.failure.kind == "protocol"
    assert session.failure.message.startswith("the page has no usable login: ")
    assert said in session.failure.message
    assert not any(str(value)[:20] in session.failure.message for value in values.values())
    assert session.all(CredentialsChanged) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "not JSON"),
        ("undefined", "not JSON"),
        ("null", "Expected `object`, got `null`"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "missing required field `origin`"),
        ('{"origin": 5}', "`$.origin`"),
        ('{"origin": "https://www.hailuo.ai", "token": {"a": 1}}', "`$.token`"),
        ('{"origin": "https://www.hailuo.ai", "cpu_core_num": "many"}', "`$.cpu_core_num`"),
        ('{"origin": "https://www.hailuo.ai", "screen_width": 1e400}', ""),
        ('{"origin": "https://www.hailuo.ai", "token": "\\ud800"}', "not JSON"),
        ('{"origin": "\ud800"}', ""),
        ('{"a":' * 100_000, ""),
    ],
)
def test_values_that_are_not_a_state_of_a_page(value: str, said: str) -> None:
    session = begin(HailuoLogin())
    session.deliver(PageEvaluated(1, value))
    assert session.failure.kind == "protocol"
    assert said in session.failure.message
    assert session.failure.message.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
STATES = st.fixed_dictionaries(
    {"origin": st.sampled_from([SITE, "null", *ELSEWHERE]) | JSON},
    optional={name: st.sampled_from([SOMEBODY[name]]) | JSON for name in NOBODY if name != "origin"},
)
COOKIES = st.lists(
    st.builds(
        Cookie,
        name=st.text(max_size=8),
        value=st.text(max_size=8),
        domain=st.sampled_from(["www.hailuo.ai", "hailuo.ai"]) | st.text(max_size=8),
        host_only=st.booleans(),
        path=st.text(max_size=8),
        expires=st.none() | st.floats(),
    ),
    max_size=3,
)


@given(st.lists(st.tuples(STATES, COOKIES, st.sampled_from([0.0, 0.5, 3.0, 400.0])), max_size=8))
def test_any_page(pages: list[tuple[dict[str, object], list[Cookie], float]]) -> None:
    """The login ends with credentials that a chat can use or with a named failure, the same for the same page."""
    first, second = (begin(HailuoLogin()) for _ in range(2))
    for session in (first, second):
        for page, cookies, seconds in pages:
            while isinstance(session.wait, Sleep) and not session.is_over:
                session.wake()
            if not session.is_over:
                show(session, page, *cookies, after=seconds)
    assert first.log == second.log
    assert isinstance(first.log[-1], Sleep | Evaluate | Finished)
    if first.all(CredentialsChanged):
        request = begin(HailuoChat(messages="Hi", credentials=credentials_of(first))).request
        assert header(request, "token") in first.flow.secrets or len(header(request, "token")) < 4


# Secrets, snapshots, recordings.


def test_nothing_of_a_login_is_shown() -> None:
    session = begin(HailuoLogin())
    show(session, SOMEBODY, SESSION)
    assert set(session.flow.secrets) >= {TOKEN, UUID, DEVICE, SESSION.value}
    shown = repr((session.log, session.flow, session.flow.snapshot(), msgspec.convert(SOMEBODY, PageState)))
    assert not any(secret in shown for secret in (TOKEN, UUID, DEVICE, SESSION.value))


def test_values_of_another_page_are_not_shown() -> None:
    recorder = Recorder(HailuoLogin())
    recorder.handle(Start(ENTROPY, b"secret"), NOW)
    page = msgspec.json.encode(SOMEBODY | {"origin": "https://accounts.example"}).decode()
    recorder.handle(PageEvaluated(1, page, (Cookie(name="x", value="X-12345678", domain="accounts.example"),)), NOW)
    text = "\n".join(recorder.lines())
    assert not any(secret in text for secret in (TOKEN, UUID, DEVICE, "X-12345678"))


def test_a_recording_of_a_login_replays() -> None:
    recorder = Recorder(HailuoLogin())
    recorder.handle(Start(ENTROPY, b"secret"), NOW)
    recorder.handle(PageEvaluated(1, msgspec.json.encode(NOBODY).decode()), NOW + 0.1)
    recorder.handle(PageClosed(0, "closed"), NOW + 0.2)
    recorder.handle(PageEvaluated(1, "stale"), NOW + 0.3)
    assert_replays(recorder.lines())


def test_a_snapshot_begins_again() -> None:
    session = begin(HailuoLogin(options=HailuoOptions(login_url="https://desk.example")))
    show(session, SOMEBODY | {"uuid": None})
    restored = begin(through_json(session.flow))
    assert restored.log[:2] == [LoginRequired(LABEL, "https://desk.example"), OpenPage(f"{SITE}/")]


def test_the_catalog_knows_it() -> None:
    assert PROVIDERS["hailuo"].login is HailuoLogin
    assert next(iter(HailuoLogin.console_expressions)) == PROVIDERS["hailuo"].secret_field
    assert set(HailuoLogin.console_expressions) <= set(HailuoCredentials.__struct_fields__)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME, "chrome"),
        (f"{CHROME} Edg/150.0.0.0", "edge"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "firefox"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "safari"),
        ("curl/8", "unknown"),
    ],
)
def test_the_name_of_a_browser(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


# Exports of a browser.

QUERY = "biz_id=2&uuid=U-1&device_id=D-1&os_name=Mac+OS&browser_name=firefox&cpu_core_num=4&screen_width=1512"
ASKED = SentRequest(
    f"{SITE}/v4/api/chat/msg?{QUERY}&unix=1",
    (("Token", TOKEN), ("User-Agent", CHROME), ("Cookie", "session=C-1; lonely; seen=1"), ("accept", "*/*")),
)


def test_a_login_from_the_requests_of_a_har() -> None:
    elsewhere = SentRequest("https://tracker.example/?uuid=other", (("token", "other"), ("cookie", "a=b")))
    found = HailuoLogin().credentials_from_export(BrowserExport(requests=(ASKED, elsewhere)), NOW)
    assert found == HailuoCredentials(
        token=TOKEN,
        uuid="U-1",
        device_id="D-1",
        os_name="Mac OS",
        browser_name="firefox",
        cpu_core_num=4,
        screen_width=1512,
        user_agent=CHROME,
        cookies=(
            Cookie(name="session", value="C-1", domain="www.hailuo.ai"),
            Cookie(name="seen", value="1", domain="www.hailuo.ai"),
        ),
    )


def test_the_latest_request_counts() -> None:
    later = SentRequest(f"{SITE}/v4/api/user?uuid=U-2", (("token", "T-later"), ("cookie", "session=C-2")))
    found = HailuoLogin().credentials_from_export(BrowserExport(requests=(ASKED, later)), NOW)
    assert (found.token, found.uuid, found.device_id) == ("T-later", "U-2", "D-1")
    assert [cookie.value for cookie in found.cookies] == ["C-2"]


def test_a_login_from_the_storage_of_a_browser() -> None:
    stored = {"_token": TOKEN, "UNIQUE_USER_ID": UUID, "USER_HARD_WARE_INFO": DEVICE, "other": "x"}
    export = BrowserExport(
        local_storage={"https://accounts.example": {"_token": "other"}, SITE: stored},
        cookies=(SESSION, Cookie(name="a", value="1", domain="accounts.example")),
    )
    assert HailuoLogin().credentials_from_export(export, NOW) == HailuoCredentials(
        token=TOKEN, uuid=UUID, device_id=DEVICE, cookies=(SESSION,)
    )


def test_a_token_may_be_among_the_cookies() -> None:
    found = HailuoLogin().credentials_from_export(BrowserExport(cookies=(SESSION, WIDE)), NOW, token="T-supplied")
    assert (found.token, found.cookies) == ("T-supplied", (SESSION, WIDE))


@pytest.mark.parametrize(
    ("export", "said"),
    [
        (BrowserExport(), "it has only cookies: supply the token as well, or import a HAR"),
        (BrowserExport(cookies=(SESSION,)), "it has only cookies"),
        (BrowserExport(requests=(SentRequest("https://b.example", ()),)), "it has no request to www.hailuo.ai"),
        (BrowserExport(requests=(SentRequest(SITE, ()),) * 2), "none of its 2 requests to www.hailuo.ai has a header"),
        (BrowserExport(local_storage={SITE: {"_token": ""}}), "its localStorage has no '_token' of www.hailuo.ai"),
    ],
)
def test_a_file_without_a_login_says_what_is_missing(export: BrowserExport, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        HailuoLogin().credentials_from_export(export, NOW)
    assert str(caught.value).startswith(f"there is no login to Hailuo AI in the file: {said}")


@pytest.mark.parametrize(
    ("headers", "address", "said"),
    [
        ((("token", "T\x00secret"),), SITE, "the token contains a character"),
        ((("token", TOKEN),), f"{SITE}/?cpu_core_num=S-secret", "the values do not fit: Expected `int`, got `str`"),
        ((("token", TOKEN),), f"{SITE}/?uuid=%0D%0Asecret", "the uuid contains a character"),
    ],
)
def test_a_file_with_values_that_no_request_can_carry(headers: Any, address: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        HailuoLogin().credentials_from_export(BrowserExport(requests=(SentRequest(address, headers),)), NOW)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@given(data=st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_any_file(data: bytes) -> None:
    try:
        found = HailuoLogin().credentials_from_export(parse_export(data), NOW)
    except InvalidInput:
        return
    raise AssertionError(f"a login out of {data!r}: {found}")
