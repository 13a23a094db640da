"""Logging in to Hailuo AI, and what the login and a chat have in common.

A person logs in on the site's own page. What the page then keeps in localStorage, and what the browser says of itself,
are the credentials. `docs/wires.md` has the table of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from modelwire.errors import InvalidInput, RemoteProtocolError
from modelwire.flow import NOT_SAVED, Steps
from modelwire.formats.browser_export import BrowserExport, SentRequest
from modelwire.formats.cookies import Cookie, Cookies, site_cookies
from modelwire.http import find_header, join_url, origin
from modelwire.json import decode
from modelwire.login import LoginFlow
from modelwire.outputs import CredentialsChanged, LoginRequired
from modelwire.redaction import printable

LABEL = "Hailuo AI"

# Seconds: between two looks at the page, and for which the device's ids may come later than the token.
LOOK_INTERVAL = 0.5
DEVICE_WAIT = 3.0

# Under which names the site keeps what in localStorage.
KEPT_AS = {"token": "_token", "uuid": "UNIQUE_USER_ID", "device_id": "USER_HARD_WARE_INFO"}

# What is looked at; each expression is evaluated in the page.
_EXPRESSIONS = {
    "origin": "location.origin",
    **{name: f"kept({msgspec.json.encode(key).decode()})" for name, key in KEPT_AS.items()},
    "os_name": "navigator.userAgentData?.platform || navigator.platform",
    "browser_language": "navigator.language",
    "browser_platform": "navigator.platform",
    "cpu_core_num": "navigator.hardwareConcurrency",
    "screen_width": "screen.width",
    "screen_height": "screen.height",
    "user_agent": "navigator.userAgent",
}
# localStorage itself throws where a page has none: about:blank, say.
READ_PAGE = (
    "(() => { const kept = (name) => { try { return localStorage.getItem(name) } catch { return null } };"
    f" return {{ {', '.join(f'{name}: {expression}' for name, expression in _EXPRESSIONS.items())} }}; }})()"
)

_TOKEN = re.compile(r"[!-~]{1,8192}")
_USER_AGENT = re.compile(r"(?! )[ -~]{0,512}(?<! )")
_VALUE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,512}")
# In the order in which they are looked for: each of these browsers also calls itself by the names below its own.
_BROWSERS = {"Edg/": "edge", "Firefox/": "firefox", "Chrome/": "chrome", "Safari/": "safari"}


class HailuoEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service is: the host, the path of a chat, which is part of what is signed, and that of the login."""

    site: str = "https://www.hailuo.ai"
    chat_path: str = "/v4/api/chat/msg"
    login_path: str = "/"


class HailuoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set.

    `login_url` is where a person is told to log in (the site itself, if empty); `character_id` is who answers.
    The others are constants that the site's own script sends.
    """

    login_url: str = ""
    character_id: str = "1"
    search_mode: str = "0"
    device_platform: str = "web"
    biz_id: str = "2"
    app_id: str = "3001"
    version_code: str = "22201"
    lang: str = "en"


class HailuoCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a login in a browser yields: the token, and the device that it was issued to.

    A token alone will do: `uuid` and `device_id` are drawn then, once, and kept.
    """

    token: str
    uuid: str = ""
    device_id: str = ""
    os_name: str = "Linux"
    browser_name: str = "chrome"
    cpu_core_num: int = 8
    browser_language: str = "en-US"
    browser_platform: str = "Linux x86_64"
    screen_width: int = 1920
    screen_height: int = 1080
    user_agent: str = ""
    cookies: Cookies = ()

    def __repr__(self) -> str:
        return "HailuoCredentials(<token, device, cookies>)"


class PageState(msgspec.Struct, kw_only=True):
    """What `READ_PAGE` comes to. A page may lack any of it."""

    origin: str
    token: str | None = None
    uuid: str | None = None
    device_id: str | None = None
    os_name: str | None = None
    browser_language: str | None = None
    browser_platform: str | None = None
    cpu_core_num: int | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    user_agent: str | None = None

    def __repr__(self) -> str:
        return "PageState(<origin, token, device>)"


# What of a page's state, and what of a chat's query, goes into the credentials under the same name.
_ON_PAGE = tuple(name for name in PageState.__struct_fields__ if name != "origin")
_IN_QUERY = tuple(
    name for name in HailuoCredentials.__struct_fields__ if name not in ("token", "user_agent", "cookies")
)
_IN_HEADER = {"token": "token", "user_agent": "user-agent"}


@dataclass(kw_only=True)
class HailuoLogin(LoginFlow):
    """A person logs in to Hailuo AI in a browser: `LoginRequired` says where, `CredentialsChanged` what came of it.

    The device's ids may come a little later than the token; where they do not come, a chat draws its own.
    """

    console_expressions: ClassVar[Mapping[str, str]] = {
        **{name: f'localStorage["{key}"]' for name, key in KEPT_AS.items()},
        "user_agent": "navigator.userAgent",
    }

    options: HailuoOptions = HailuoOptions()
    endpoints: HailuoEndpoints = HailuoEndpoints()
    elsewhere: str = field(default="", init=False, metadata=NOT_SAVED)  # the origin of a page that is not the site's

    def start(self) -> Steps:
        """Open the site, and look at the page until somebody has logged in."""
        self.emit(LoginRequired(LABEL, self.login_url))
        self.open_page(self.page_url)
        give_up = 0.0  # waiting for the device, once there is a token
        while True:
            answer = yield from self.evaluate(READ_PAGE)
            page = decode(answer.value, PageState)
            for value in (page.token, page.uuid, page.device_id):
                self.conceal(value or "")
            if self.is_of_site(page.origin):
                self.elsewhere = ""
                if page.token:
                    give_up = give_up or self.now + DEVICE_WAIT
                    if (page.uuid and page.device_id) or self.now >= give_up:
                        self.emit(CredentialsChanged(self.credentials_in(page, answer.cookies)))
                        return None
            else:
                self.elsewhere = page.origin if page.origin.startswith("http") else ""
            yield from self.sleep(LOOK_INTERVAL)

    @property
    def login_url(self) -> str:
        """Where a person is told to log in: the site, unless the user has said another place."""
        return self.options.login_url or self.endpoints.site

    @property
    def page_url(self) -> str:
        """The page that is opened."""
        return join_url(self.endpoints.site, self.endpoints.login_path)

    def timeout_message(self, seconds: float) -> str:
        """The message if nobody has logged in in time."""
        place = f" (the page last open was {printable(self.elsewhere, 80)})" if self.elsewhere else ""
        return f"nobody has logged in to {LABEL} within {seconds:g} seconds{place}: log in again, and allow more time"

    def is_of_site(self, url: str) -> bool:
        """Whether a page is the site's: of its scheme and port, and of its host, with or without `www.`, or below."""
        try:
            scheme, host, port = origin(url)
            own_scheme, own_host, own_port = origin(self.endpoints.site)
        except InvalidInput:
            return False
        domain = own_host.removeprefix("www.")
        return (scheme, port) == (own_scheme, own_port) and (host == domain or host.endswith(f".{domain}"))

    def credentials_in(self, page: PageState, cookies: Cookies) -> dict[str, object]:
        """The credentials as they are told. Raises `RemoteProtocolError` for values that no request can carry."""
        given = {name: value for name in _ON_PAGE if (value := getattr(page, name))}
        try:
            credentials = _checked(given | {"cookies": site_cookies(cookies, self.page_url, self.now)})
        except InvalidInput as error:
            raise RemoteProtocolError(f"the page does not hold a login that can be used: {error}") from None
        told: dict[str, object] = msgspec.to_builtins(credentials)
        return told

    def credentials_from_export(self, export: BrowserExport, now: float, *, token: str = "") -> HailuoCredentials:
        """The credentials in what a browser has written to a file; `token` is one that was brought besides.

        The latest request with a token counts, and localStorage before that. Raises `InvalidInput`.
        """
        requests = [request for request in export.requests if self.is_of_site(request.url)]
        found: dict[str, object] = {}
        for request in requests:
            found |= _device_in(request)
        for place, kept in export.local_storage.items():
            if self.is_of_site(place):
                found |= {name: kept[key] for name, key in KEPT_AS.items() if kept.get(key)}
        found |= {"token": token} if token else {}
        if "token" not in found:
            raise InvalidInput(self._missing(export, requests))
        cookies = (*export.cookies, *(cookie for request in requests[-1:] for cookie in _cookies_in(request)))
        return _checked(found | {"cookies": site_cookies(cookies, self.page_url, now)})

    def _missing(self, export: BrowserExport, requests: list[SentRequest]) -> str:
        host = urlsplit(self.endpoints.site).hostname
        if requests:
            what = (
                f"none of its {len(requests)} requests to {host} has a header 'token': send a message while recording"
            )
        elif export.requests:
            what = f"it has no request to {host}: record one, logged in"
        elif export.local_storage:
            what = f"its localStorage has no {KEPT_AS['token']!r} of {host}: log in before it is saved"
        else:
            what = "it has only cookies: supply the token as well, or import a HAR"
        return f"there is no login to {LABEL} in the file: {what}"


def _device_in(request: SentRequest) -> dict[str, object]:
    """What one request to the site tells: the token in a header, the device in the query."""
    sent = dict(parse_qsl(urlsplit(request.url).query))
    found: dict[str, object] = {name: sent[name] for name in _IN_QUERY if sent.get(name)}
    return found | {
        name: value for name, header in _IN_HEADER.items() if (value := find_header(request.headers, header))
    }


def _cookies_in(request: SentRequest) -> Iterator[Cookie]:
    """The cookies that went with a request."""
    host = urlsplit(request.url).hostname or ""
    for pair in (find_header(request.headers, "cookie") or "").split(";"):
        name, separator, value = pair.strip().partition("=")
        if separator:
            yield Cookie(name=name, value=value, domain=host)


def _checked(found: Mapping[str, object]) -> HailuoCredentials:
    """Credentials, seen to be such as a request can carry. Raises `InvalidInput`, without any of their values."""
    try:
        credentials = msgspec.convert(found, HailuoCredentials, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the values do not fit: {error}") from None
    if "browser_name" not in found and credentials.user_agent:
        credentials = msgspec.structs.replace(credentials, browser_name=browser_name(credentials.user_agent))
    for name in HailuoCredentials.__struct_fields__:
        value = getattr(credentials, name)
        pattern = {"token": _TOKEN, "user_agent": _USER_AGENT}.get(name, _VALUE)
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise InvalidInput(f"the {name} holds a character that it cannot hold, or is too long")
        if isinstance(value, int) and not 0 <= value < 2**31:
            raise InvalidInput(f"the {name} is not a number that it can be")
    return credentials


def browser_name(user_agent: str) -> str:
    """What the site's own script calls a browser."""
    return next((name for mark, name in _BROWSERS.items() if mark in user_agent), "unknown")
