"""Browser exports: requests, cookies and localStorage are found in each format."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.formats import browser_export
from modelwire.formats.browser_export import BrowserExport, SentRequest, parse_export
from modelwire.formats.cookies import Cookie
from modelwire.login import LoginFlow

# As Chrome's developer tools save it, shortened.
HAR = {
    "log": {
        "version": "1.2",
        "creator": {"name": "WebInspector", "version": "537.36"},
        "pages": [],
        "entries": [
            {
                "startedDateTime": "2025-01-01T00:00:00.000Z",
                "time": 12.5,
                "request": {
                    "method": "POST",
                    "url": "https://www.hailuo.ai/v4/api/chat/msg?uuid=U-1",
                    "httpVersion": "http/2.0",
                    "headers": [
                        {"name": ":authority", "value": "www.hailuo.ai"},
                        {"name": "token", "value": "T-12345678"},
                        {"name": "cookie", "value": "session=C-1"},
                    ],
                    "cookies": [{"name": "session", "value": "C-1", "path": "/", "expires": "2025-01-01T00:00:00Z"}],
                    "postData": {"mimeType": "multipart/form-data", "text": "…"},
                },
                "response": {"status": 200, "content": {"size": 3, "text": "abc"}},
            },
            {"request": {"method": "GET", "url": "https://b.example/"}},
        ],
    }
}
# As browser extensions export cookies (with the names of Chrome's `chrome.cookies`).
LISTED = [
    {
        "domain": ".hailuo.ai",
        "expirationDate": 1_900_000_000.5,
        "hostOnly": False,
        "httpOnly": True,
        "name": "wide",
        "path": "/app",
        "sameSite": "lax",
        "secure": True,
        "session": False,
        "storeId": "0",
        "value": "W-1",
        "id": 1,
    },
    {"domain": "WWW.hailuo.ai", "hostOnly": True, "name": "session", "path": "/", "session": True, "value": "C-1"},
    {"domain": "www.hailuo.ai", "name": "bare", "value": ""},
]
# As Playwright's `storage_state` writes it.
STATE = {
    "cookies": [
        {
            "name": "session",
            "value": "C-1",
            "domain": "www.hailuo.ai",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        }
    ],
    "origins": [{"origin": "https://www.hailuo.ai", "localStorage": [{"name": "_token", "value": "T-12345678"}]}],
}


def parse(value: object) -> BrowserExport:
    return parse_export(msgspec.json.encode(value))


def test_the_requests_of_a_har() -> None:
    export = parse(HAR)
    assert export.requests == (
        SentRequest(
            "https://www.hailuo.ai/v4/api/chat/msg?uuid=U-1", (("token", "T-12345678"), ("cookie", "session=C-1"))
        ),
        SentRequest("https://b.example/", ()),
    )
    assert (export.cookies, export.local_storage) == ((), {})


@pytest.mark.parametrize(
    "wrap", [lambda listed: listed, lambda listed: {"url": "https://x.example", "cookies": listed}]
)
def test_a_list_of_cookies(wrap: Any) -> None:
    assert parse(wrap(LISTED)).cookies == (
        Cookie(
            name="wide",
            value="W-1",
            domain="hailuo.ai",
            host_only=False,
            path="/app",
            secure=True,
            expires=1_900_000_000.5,
        ),
        Cookie(name="session", value="C-1", domain="www.hailuo.ai"),
        Cookie(name="bare", value="", domain="www.hailuo.ai"),
    )


def test_the_state_of_a_browser() -> None:
    export = parse(STATE)
    assert export.cookies == (Cookie(name="session", value="C-1", domain="www.hailuo.ai"),)
    assert export.local_storage == {"https://www.hailuo.ai": {"_token": "T-12345678"}}


def test_a_cookie_without_expiry_and_without_path() -> None:
    [cookie] = parse([{"domain": ".a.example", "name": "a", "value": "b", "expires": 0, "path": ""}]).cookies
    assert cookie == Cookie(name="a", value="b", domain="a.example", host_only=False)


def test_a_byte_order_mark_and_blanks_are_skipped() -> None:
    assert parse_export(b"\xef\xbb\xbf \r\n" + msgspec.json.encode(LISTED)) == parse(LISTED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither a HAR nor a JSON export of cookies"),
        (b"# Netscape HTTP Cookie File\n.a.example\tTRUE\t/\tTRUE\t0\ta\tS-secret", "neither a HAR nor"),
        (b"\x89PNG\r\n", "neither a HAR nor a JSON export"),
        (b'"S-secret"', "neither a HAR nor a JSON export"),
        (b"{}", "the file is JSON, but neither a HAR nor an export of cookies"),
        (b'{"token": "S-secret"}', "the file is JSON, but neither"),
        (msgspec.json.encode(HAR)[:-20], "damaged or incomplete"),
        (b'[{"name": "a", "value": "S-secret"', "damaged or incomplete"),
        (b'[{"name": "\xff"}]', "damaged or incomplete"),
        (b'{"creator": ' + b"[" * 100_000, "damaged or incomplete"),
        (b'{"log": {}}', "the shape of a browser's export: Object missing required field `entries`"),
        (b'[{"name": "a", "value": "S-secret"}]', "missing required field `domain`"),
        (b'[{"name": "a", "value": 5, "domain": "S-secret"}]', "Expected `str`, got `int` - at `$[0].value`"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_export(data)
    assert message in str(caught.value)
    assert "S-secret" not in str(caught.value)


def test_a_file_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_export, "LONGEST_EXPORT", 2**20)
    assert parse_export(b"[]".ljust(2**20)) == BrowserExport()
    with pytest.raises(InvalidInput, match="the file is longer than 1 MiB: export the requests of one page only"):
        parse_export(b"[]".ljust(2**20 + 1))


def test_the_repr_shows_no_contents() -> None:
    shown = repr([parse(HAR), parse(HAR).requests, parse(LISTED), parse(STATE)])
    assert not any(secret in shown for secret in ("T-12345678", "C-1", "W-1", "U-1"))


@given(st.binary(max_size=300))
def test_anything_else_is_refused_or_empty(data: bytes) -> None:
    found = BrowserExport()
    with suppress(InvalidInput):
        found = parse_export(data)
    assert found == BrowserExport()


def test_a_login_flow_has_to_define_its_url_and_how_to_read_an_export() -> None:
    for use in (lambda: LoginFlow().login_url, lambda: LoginFlow().credentials_from_export(BrowserExport(), 0.0)):
        with pytest.raises(NotImplementedError):
            use()
