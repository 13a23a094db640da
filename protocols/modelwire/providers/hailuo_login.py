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
from modelwire.http import find_header, join_url, origin, without_query
from modelwire.json import decode
from modelwire.login import LoginFlow
from modelwire.outputs import CredentialsChanged, LoginRequired
from modelwire.redaction import printable

LABEL = "Hailuo AI"

# Seconds: between two reads of the page, and how long the device's ids may come after the token.
LOOK_INTERVAL = 0.5
DEVICE_WAIT = 3.0

# Field of the credentials -> its key in the site's localStorage.
LOCAL_STORAGE_KEYS = {"token": "_token", "uuid": "UNIQUE_USER_ID", "device_id": "USER_HARD_WARE_INFO"}

# Field of `PageState` -> the JavaScript expression for it, evaluated in the page.
_EXPRESSIONS = {
    "origin": "location.origin",
    **{name: f"stored({msgspec.json.encode(key).decode()})" for name, key in LOCAL_STORAGE_KEYS.items()},
    "os_name": "navigator.userAgentData?.platform || navigator.platform",
    "browser_language": "navigator.language",
    "browser_platform": "navigator.platform",
    "cpu_core_num": "navigator.hardwareConcurrency",
    "screen_width": "screen.width",
    "screen_height": "screen.height",
    "user_agent": "navigator.userAgent",
}
# localStorage throws on a page that has none, such as about:blank.
READ_PAGE = (
    "(() => { const stored = (name) => { try { return localStorage.getItem(name) } catch { return null } };"
    f" return {{ {', '.join(f'{name}: {expression}' for name, expression in _EXPRESSIONS.items())} }}; }})()"
)

_TOKEN = re.compile(r"[!-~]{1,8192}")
_USER_AGENT = re.compile(r"(?! )[ -~]{0,512}(?<! )")
_VALUE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,512}")
# In this order, because each browser's user agent also names the ones below it.
_BROWSERS = {"Edg/": "edge", "Firefox/": "firefox", "Chrome/": "chrome", "Safari/": "safari"}


class HailuoEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The host of the service, the path of a chat, which is signed, and the path of the login page."""

    site: str = "https://www.hailuo.ai"
    chat_path: str = "/v4/api/chat/msg"
    login_path: str = "/"


class HailuoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options.

    `login_url` is the page on which a person logs in, by default the site itself. `character_id` is the character that
    answers. The others are constants that the site's own script sends.
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
    """The result of a login in a browser: the token, and the device that it was issued to.

    A token alone is enough: a chat then draws `uuid` and `device_id` once, and emits them.
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
    """The value of `READ_PAGE`. A page may lack any of its fields."""

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


# Fields that go from a page's state, and from a chat's query, into the credentials under the same name.
_ON_PAGE = tuple(name for name in PageState.__struct_fields__ if name != "origin")
_IN_QUERY = tuple(
    name for name in HailuoCredentials.__struct_fields__ if name not in ("token", "user_agent", "cookies")
)
_IN_HEADER = {"token": "token", "user_agent": "user-agent"}


@dataclass(kw_only=True)
class HailuoLogin(LoginFlow):
    """A person logs in to Hailuo AI in a browser: first `LoginRequired`, in the end `CredentialsChanged`.

    The device's ids may come a little later than the token. If they do not come, a chat draws its own.
    """

    console_expressions: ClassVar[Mapping[str, str]] = {
        **{name: f'localStorage["{key}"]' for name, key in LOCAL_STORAGE_KEYS.items()},
        "user_agent": "navigator.userAgent",
    }

    options: HailuoOptions = HailuoOptions()
    endpoints: HailuoEndpoints = HailuoEndpoints()
    # The origin of the open page if it is not the site's.
    foreign_origin: str = field(default="", init=False, metadata=NOT_SAVED)

    def start(self) -> Steps:
        """Open the site, and read the page until somebody has logged in."""
        self.emit(LoginRequired(LABEL, self.login_url))
        self.open_page(self.page_url)
        device_deadline = 0.0  # set once there is a token
        while True:
            evaluated = yield from self.evaluate(READ_PAGE)
            page = decode(evaluated.value, PageState)
            for value in (page.token, page.uuid, page.device_id):
                self.conceal(value or "")
            if self.is_of_site(page.origin):
                self.foreign_origin = ""
                if page.token:
                    device_deadline = device_deadline or self.now + DEVICE_WAIT
                    if (page.uuid and page.device_id) or self.now >= device_deadline:
                        self.emit(CredentialsChanged(self.credentials_in(page, evaluated.cookies)))
                        return None
            else:
                self.foreign_origin = page.origin if page.origin.startswith("http") else ""
            yield from self.sleep(LOOK_INTERVAL)

    @property
    def login_url(self) -> str:
        """The page on which a person logs in: the option `login_url`, or the site."""
        return self.options.login_url or without_query(self.endpoints.site)

    @property
    def page_url(self) -> str:
        """The page that the flow opens."""
        return join_url(self.endpoints.site, self.endpoints.login_path)

    def timeout_message(self, seconds: float) -> str:
        """The message if nobody has logged in in time."""
        place = f" (the page last open was {printable(self.foreign_origin, 80)})" if self.foreign_origin else ""
        return f"nobody has logged in to {LABEL} within {seconds:g} seconds{place}: log in again, and allow more time"

    def is_of_site(self, url: str) -> bool:
        """True for a page of the site: same scheme and port, and its host, with or without `www.`, or a subdomain."""
        try:
            scheme, host, port = origin(url)
            own_scheme, own_host, own_port = origin(self.endpoints.site)
        except InvalidInput:
            return False
        domain = own_host.removeprefix("www.")
        return (scheme, port) == (own_scheme, own_port) and (host == domain or host.endswith(f".{domain}"))

    def credentials_in(self, page: PageState, cookies: Cookies) -> dict[str, object]:
        """The credentials to emit. Raises `RemoteProtocolError` for values that no request can carry."""
        given = {name: value for name in _ON_PAGE if (value := getattr(page, name))}
        try:
            credentials = _checked(given | {"cookies": site_cookies(cookies, self.page_url, self.now)})
        except InvalidInput as error:
            raise RemoteProtocolError(f"the page has no usable login: {error}") from None
        fields: dict[str, object] = msgspec.to_builtins(credentials)
        return fields

    def credentials_from_export(self, export: BrowserExport, now: float, *, token: str = "") -> HailuoCredentials:
        """The credentials in a file that a browser exported. `token` is one that the caller supplies besides.

        localStorage comes before requests, and a later request before an earlier one. Raises `InvalidInput`.
        """
        requests = [request for request in export.requests if self.is_of_site(request.url)]
        found: dict[str, object] = {}
        for request in requests:
            found |= _device_in(request)
        for page, stored in export.local_storage.items():
            if self.is_of_site(page):
                found |= {name: stored[key] for name, key in LOCAL_STORAGE_KEYS.items() if stored.get(key)}
        found |= {"token": token} if token else {}
        if "token" not in found:
            raise InvalidInput(self._missing(export, requests))
        cookies = (*export.cookies, *(cookie for request in requests[-1:] for cookie in _cookies_in(request)))
        return _checked(found | {"cookies": site_cookies(cookies, self.page_url, now)})

    def _missing(self, export: BrowserExport, requests: list[SentRequest]) -> str:
        host = urlsplit(self.endpoints.site).hostname
        if requests:
            problem = (
                f"none of its {len(requests)} requests to {host} has a header 'token': send a message while recording"
            )
        elif export.requests:
            problem = f"it has no request to {host}: record one, logged in"
        elif export.local_storage:
            problem = f"its localStorage has no {LOCAL_STORAGE_KEYS['token']!r} of {host}: log in before it is saved"
        else:
            problem = "it has only cookies: supply the token as well, or import a HAR"
        return f"there is no login to {LABEL} in the file: {problem}"


def _device_in(request: SentRequest) -> dict[str, object]:
    """The fields in one request to the site: the token in a header, the device in the query."""
    sent = dict(parse_qsl(urlsplit(request.url).query))
    found: dict[str, object] = {name: sent[name] for name in _IN_QUERY if sent.get(name)}
    return found | {
        name: value for name, header in _IN_HEADER.items() if (value := find_header(request.headers, header))
    }


def _cookies_in(request: SentRequest) -> Iterator[Cookie]:
    """The cookies in a request."""
    host = urlsplit(request.url).hostname or ""
    for pair in (find_header(request.headers, "cookie") or "").split(";"):
        name, separator, value = pair.strip().partition("=")
        if separator:
            yield Cookie(name=name, value=value, domain=host)


def _checked(found: Mapping[str, object]) -> HailuoCredentials:
    """Credentials that a request can carry. Raises `InvalidInput`, without any of the values, for others."""
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
            raise InvalidInput(f"the {name} contains a character that is not allowed there, or is too long")
        if isinstance(value, int) and not 0 <= value < 2**31:
            raise InvalidInput(f"the {name} is out of range")
    return credentials


def browser_name(user_agent: str) -> str:
    """The name that the site's own script has for a browser."""
    return next((name for mark, name in _BROWSERS.items() if mark in user_agent), "unknown")
