"""FakeGpt: draw one of the site's shared tokens, log in with it, ask; the answer is an event stream.

The wire is described in `docs/wires.md`; the service no longer answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from modelwire.chat import ChatFlow
from modelwire.errors import NoAnswer, Refused, RemoteProtocolError
from modelwire.flow import NOT_SAVED, Steps, credentials_field
from modelwire.formats.cookies import Cookies, cookie_header, store_cookies
from modelwire.http import Headers, Request, Response, form_body, join_url, json_body, without_query
from modelwire.json import JsonValue
from modelwire.models import Models
from modelwire.outputs import CredentialsChanged
from modelwire.provider import Provider
from modelwire.sse import ServerSentEvent
from modelwire.text import CumulativeText, EventSink

# Statuses of refused credentials.
REFUSED = (401, 403)
REDIRECTS = (301, 302, 303, 307, 308)
MOST_CONCEALED = 100
PASSWORD_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class FakeGptEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The host of the service, and the paths on it."""

    site: str = "https://chat-shared2.zhile.io"
    loads_path: str = "/api/loads"
    login_path: str = "/auth/login"
    session_path: str = "/api/auth/session"
    conversation_path: str = "/api/conversation"


class FakeGptOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options: constants that the site's own page sends."""

    user_agent: str = (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117.0.0.0 Safari/537.36"
    )
    accept_language: str = "en-US"
    sec_ch_ua: str = '"Google Chrome";v="117", "Not;A=Brand";v="8", "Chromium";v="117"'
    sec_ch_ua_platform: str = '"Linux"'
    sec_ch_ua_mobile: str = "?0"
    wire_model: str = "text-davinci-002-render-sha"
    timezone_offset_min: int = -120


class FakeGptCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a login, which is reused until the service refuses it."""

    access_token: str
    cookies: Cookies = ()

    def __repr__(self) -> str:
        return "FakeGptCredentials(<access_token, cookies>)"


# The wire: requests and responses.


class Load(msgspec.Struct):
    """One shared token on offer."""

    token_id: str


class LoadsResponse(msgspec.Struct):
    """`GET /api/loads`."""

    loads: list[Load]


class SessionResponse(msgspec.Struct, rename="camel"):
    """`GET /api/auth/session`. An empty token, or one with characters that no header can carry, is refused."""

    access_token: Annotated[str, Meta(pattern=r"^[!-~]+\Z")]


class Author(msgspec.Struct, frozen=True):
    """The author of a message."""

    role: str = "user"


class AskContent(msgspec.Struct, kw_only=True):
    """The text of a message."""

    content_type: str = "text"
    parts: list[str]


class AskMessage(msgspec.Struct, kw_only=True):
    """One message of a question."""

    id: str
    author: Author = Author()
    content: AskContent
    metadata: dict[str, str] = {}


class AskBody(msgspec.Struct, kw_only=True):
    """The body of `POST /api/conversation`."""

    action: str = "next"
    messages: list[AskMessage]
    parent_message_id: str
    model: str
    plugin_ids: list[str] = []
    timezone_offset_min: int
    suggestions: list[str] = []
    history_and_training_disabled: bool = True
    arkose_token: str = ""
    force_paragen: bool = False


class AnswerMetadata(msgspec.Struct, frozen=True):
    """Only messages of type `next` carry text."""

    message_type: str | None = None


class AnswerContent(msgspec.Struct, frozen=True):
    """The first part is the whole text so far. Other messages may have parts of any kind."""

    parts: list[JsonValue] = []


class AnswerMessage(msgspec.Struct):
    """One message of the answer."""

    metadata: AnswerMetadata | None = None
    content: AnswerContent | None = None


class AnswerEvent(msgspec.Struct):
    """The data of one event of the answer."""

    message: AnswerMessage | None = None


@dataclass(kw_only=True)
class FakeGptChat(ChatFlow):
    """A chat with FakeGpt. It emits `CredentialsChanged` if it had to log in."""

    models: ClassVar[Models] = {"gpt-3.5-turbo": ("gpt-3.5-turbo",)}
    default_model: ClassVar[str | None] = "gpt-3.5-turbo"

    credential_phases: ClassVar[frozenset[str]] = frozenset({"start"})

    credentials: FakeGptCredentials | None = credentials_field()
    options: FakeGptOptions = FakeGptOptions()
    endpoints: FakeGptEndpoints = FakeGptEndpoints()
    # This flow has logged in itself: logging in again would not help.
    is_fresh: bool = field(default=False, init=False, metadata=NOT_SAVED)

    def start(self) -> Steps:
        """Log in with one of the shared tokens, unless there are credentials already."""
        if self.credentials is not None:
            return self.ask
        response = yield from self.fetch(self.loads_request)
        cookies = self.gather((), response, self.endpoints.loads_path)
        loads = response.decode(LoadsResponse).loads
        if not loads:
            raise NoAnswer("the service offers no shared token now: try again later")
        # All of them are secret. The number is bounded, because each makes every message slower.
        for load in loads[:MOST_CONCEALED]:
            self.conceal(load.token_id)
        token_id = self.conceal(self.choice(loads).token_id)
        password = self.secret_text(PASSWORD_ALPHABET, 10)
        # The response may be a redirect. Only its cookies are needed.
        response = yield from self.fetch(partial(self.login_request, token_id, password, cookies), allow=REDIRECTS)
        cookies = self.gather(cookies, response, self.endpoints.login_path)
        response = yield from self.fetch(partial(self.get_request, self.endpoints.session_path, {}, cookies))
        cookies = self.gather(cookies, response, self.endpoints.session_path)
        token = self.conceal(response.decode(SessionResponse).access_token)
        self.credentials = FakeGptCredentials(access_token=token, cookies=cookies)
        self.emit(CredentialsChanged(msgspec.to_builtins(self.credentials)))
        self.is_fresh = True
        return self.ask

    def ask(self) -> Steps:
        """Ask, and emit the answer as it arrives. Refused credentials are replaced once."""
        if self.credentials is None:
            return self.start
        response = yield from self.stream(self.ask_request, self.open_answer, allow=REFUSED, limit=self.limits.stream)
        if response.status not in REFUSED:
            self.keep_cookies(self.credentials, response)
            return None
        self.credentials = None
        self.emit(CredentialsChanged(None))
        if self.is_fresh:
            raise Refused(
                f"the service refuses a login that it has just issued: {self.excerpt(response)}", status=response.status
            )
        return self.start

    def keep_cookies(self, held: FakeGptCredentials, response: Response) -> None:
        """Store the cookies of the answer, too."""
        cookies = self.gather(held.cookies, response, self.endpoints.conversation_path)
        if cookies != held.cookies:
            self.credentials = msgspec.structs.replace(held, cookies=cookies)
            self.emit(CredentialsChanged(msgspec.to_builtins(self.credentials)))

    def gather(self, cookies: Cookies, response: Response, path: str) -> Cookies:
        """The cookies after a response. Their values are concealed."""
        cookies = store_cookies(cookies, join_url(self.endpoints.site, path), response.headers, self.now)
        for cookie in cookies:
            self.conceal(cookie.value)
        return cookies

    def open_answer(self) -> EventSink:
        """A sink for one attempt."""
        return EventSink(partial(self.take, CumulativeText(self.emit)), self.limits)

    def take(self, text: CumulativeText, event: ServerSentEvent) -> bool:
        """Take one event of the answer. True for the last one."""
        if event.raw == b"[DONE]":
            if not text.was_updated:
                raise NoAnswer("no valid response: the stream held no message")
            return True
        message = event.decode(AnswerEvent).message
        if message is not None and message.metadata is not None and message.metadata.message_type == "next":
            parts = message.content.parts if message.content is not None else []
            if not parts or not isinstance(parts[0], str):
                raise RemoteProtocolError("a message of the answer holds no text - at `$.message.content.parts[0]`")
            text.update(parts[0])
        return False

    def headers(self, path: str, cookies: Cookies) -> Headers:
        """The headers of every request."""
        options, site = self.options, self.endpoints.site
        return (
            ("Accept-Language", options.accept_language),
            ("User-Agent", options.user_agent),
            ("Referer", f"{without_query(site)}/?v=2"),
            ("sec-ch-ua", options.sec_ch_ua),
            ("sec-ch-ua-platform", options.sec_ch_ua_platform),
            ("sec-ch-ua-mobile", options.sec_ch_ua_mobile),
            *cookie_header(cookies, join_url(site, path), self.now),
        )

    def loads_request(self) -> Request:
        """The shared tokens on offer now."""
        return self.get_request(self.endpoints.loads_path, {"t": str(int(self.now))})

    def get_request(self, path: str, query: dict[str, str], cookies: Cookies = ()) -> Request:
        """A page of the API."""
        url = join_url(self.endpoints.site, path + (f"?{urlencode(query)}" if query else ""))
        return Request(method="GET", url=url, headers=self.headers(path, cookies))

    def login_request(self, token_id: str, password: str, cookies: Cookies) -> Request:
        """The login with a shared token, under a password of our own."""
        path = self.endpoints.login_path
        return Request(
            method="POST",
            url=join_url(self.endpoints.site, path),
            headers=(*self.headers(path, cookies), ("Content-Type", "application/x-www-form-urlencoded")),
            body=form_body({"token_key": token_id, "session_password": password}),
        )

    def ask_request(self) -> Request:
        """The prompt, with fresh ids."""
        path = self.endpoints.conversation_path
        held = self.credentials or FakeGptCredentials(access_token="")
        body = AskBody(
            messages=[AskMessage(id=self.uuid(), content=AskContent(parts=[self.prompt]))],
            parent_message_id=self.uuid(),
            model=self.options.wire_model,
            timezone_offset_min=self.options.timezone_offset_min,
        )
        return Request(
            method="POST",
            url=join_url(self.endpoints.site, path),
            headers=(
                *self.headers(path, held.cookies),
                ("Content-Type", "application/json"),
                ("Accept", "text/event-stream"),
                ("X-Authorization", f"Bearer {held.access_token}"),
            ),
            body=json_body(body),
        )


PROVIDER = Provider(
    name="fakegpt",
    label="FakeGpt",
    chat=FakeGptChat,
    endpoints=FakeGptEndpoints(),
    website="https://chat-shared2.zhile.io",
    status="gone",
    note="The service is gone; the protocol is kept whole, and runs against the emulator.",
)
