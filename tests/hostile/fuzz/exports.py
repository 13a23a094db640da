"""Exports of a browser, and values of its page: each yields credentials or is refused."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.target import DEEP, Target
from modelwire.commands import Evaluate, SendRequest
from modelwire.errors import InvalidInput
from modelwire.events import PageEvaluated, Start
from modelwire.formats.browser_export import parse_export
from modelwire.outputs import CredentialsChanged
from modelwire.providers.hailuo import HailuoChat, HailuoCredentials
from modelwire.providers.hailuo_login import HailuoLogin
from played_flow import ENTROPY, NOW, PlayedFlow

ALLOWED_OF_EXPORTS = (InvalidInput,)
# None: the page is the server's, so any value of it ends in a failure, not in an exception.
ALLOWED_OF_PAGES = ()
# Seconds: longer than the flow waits for the ids of the device.
LATER = 5.0


def play_export(data: bytes) -> None:
    """An input is a file."""
    check_login(HailuoLogin().credentials_from_export(parse_export(data), NOW))


def play_page(data: bytes) -> None:
    """An input is the value of every script in the page."""
    session = PlayedFlow(HailuoLogin())
    session.start()
    for _ in range(2):
        if session.is_over:
            break
        session.sleep_on()
        request_id = session.all(Evaluate)[-1].request_id
        session.deliver(PageEvaluated(request_id, data.decode("utf-8", "surrogateescape")), after=LATER)
    for changed in session.all(CredentialsChanged):
        check_login(msgspec.convert(changed.credentials, HailuoCredentials))


def check_login(credentials: HailuoCredentials) -> None:
    """Assert that a chat can begin with these credentials."""
    flow = HailuoChat(messages="Hello", credentials=credentials)
    (*_, send) = flow.handle(Start(ENTROPY), NOW)
    assert isinstance(send, SendRequest), f"credentials that no request can carry: {send!r}"


SITE = "https://www.hailuo.ai"
HEADERS = [{"name": "token", "value": "T-12345678"}, {"name": "cookie", "value": "session=C-1; wide=W-1"}]
REQUEST = {"url": f"{SITE}/v4/api/chat/msg?uuid=U-1&device_id=7&screen_width=1920", "headers": HEADERS}
COOKIE = {"name": "wide", "value": "W", "domain": ".hailuo.ai", "path": "/", "secure": True, "hostOnly": False}
KEPT = [{"name": "_token", "value": "T-12345678"}, {"name": "UNIQUE_USER_ID", "value": "U-1"}]
EXPORTS_AS_JSON = (
    {"log": {"version": "1.2", "entries": [{"request": REQUEST}, {"request": {"url": "https://b.example/"}}]}},
    {"cookies": [COOKIE], "origins": [{"origin": SITE, "localStorage": [{"name": "_token", "value": "T\r\nx: y"}]}]},
    [COOKIE | {"expirationDate": 1_900_000_000.5}, COOKIE | {"expires": -1}],
    {"cookies": [COOKIE], "origins": [{"origin": SITE, "localStorage": KEPT}]},
)
PAGES_AS_JSON = (
    {"origin": SITE, "token": "T-12345678", "uuid": "U-1", "device_id": "7", "cpu_core_num": 8, "screen_width": 1920},
    {"origin": SITE, "token": "T-12345678", "os_name": "Linux", "user_agent": "Chrome/150", "uuid": None},
    {"origin": SITE, "token": "T\r\nx: y", "uuid": "U-1", "device_id": "7"},
    {"origin": "https://accounts.example", "token": None},
)


def seeds_of_exports() -> Iterator[bytes]:
    """A file of each kind, and a very long one."""
    yield from map(msgspec.json.encode, EXPORTS_AS_JSON)
    yield b'{"log":{"entries":[' + DEEP


def seeds_of_pages() -> Iterator[bytes]:
    """Values of pages: logged in, without device ids, with an invalid token, and of another site."""
    return map(msgspec.json.encode, PAGES_AS_JSON)


WORDS = (
    *(b'"log":{', b'"entries":[', b'"request":{', b'"url":"', b'"headers":[', b'"name":"token"', b'"name":"cookie"'),
    *(b'"cookies":[', b'"origins":[', b'"origin":"', b'"localStorage":[', b'"_token"', b"https://www.hailuo.ai"),
    *(b'"domain":"', b'"path":"', b'"expires":', b'"expirationDate":', b'"hostOnly":', b"uuid=", b"cpu_core_num="),
    *(b"\\ud800", b"\\u0000", b"[::1", b":99999", b"1e308", b"-1", b"null", b"\xef\xbb\xbf", b"\xff"),
)
EXPORTS = Target("exports", play_export, ALLOWED_OF_EXPORTS, seeds_of_exports, WORDS)
PAGES = Target("pages", play_page, ALLOWED_OF_PAGES, seeds_of_pages, WORDS)
