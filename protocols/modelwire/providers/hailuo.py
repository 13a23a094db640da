"""Hailuo AI: a signed multipart request for those who have logged in, answered with named events.

The wire is described in `docs/wires.md`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar
from urllib.parse import quote, urlencode

import msgspec

from modelwire.chat import ChatFlow
from modelwire.errors import LoginRequiredError, NoAnswer
from modelwire.flow import NOT_SAVED, Steps, credentials_field
from modelwire.formats.cookies import cookie_header
from modelwire.http import Request, join_url, multipart_body, without_query
from modelwire.json import convert_input
from modelwire.messages import last_user_message
from modelwire.models import Models
from modelwire.outputs import ConversationChanged, CredentialsChanged, LoginRequired, TitleChanged
from modelwire.provider import Provider
from modelwire.sse import ServerSentEvent
from modelwire.text import CumulativeText, EventSink

from .hailuo_login import LABEL as LABEL
from .hailuo_login import HailuoCredentials as HailuoCredentials
from .hailuo_login import HailuoEndpoints as HailuoEndpoints
from .hailuo_login import HailuoLogin
from .hailuo_login import HailuoOptions as HailuoOptions

# Statuses of a login that is no longer valid.
REFUSED = (401, 403)
NEW_CHAT = "0"


class HailuoConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A chat that the login which began it can continue."""

    token: str
    chat_id: str = msgspec.field(name="chatID")
    character_id: str = msgspec.field(name="characterID")

    def __repr__(self) -> str:
        return "HailuoConversation(<token, chatID, characterID>)"


# The wire: the named events.


class SendResult(msgspec.Struct, rename={"chat_title": "chatTitle", "chat_id": "chatID"}):
    """The service received the question, which began or continued a chat."""

    chat_title: str | None = None
    chat_id: str | int | None = None


class SendResultData(msgspec.Struct):
    """Inside `data`."""

    send_result: SendResult = msgspec.field(name="sendResult")


class SendResultEvent(msgspec.Struct):
    """Event `send_result`."""

    data: SendResultData


class MessageResult(msgspec.Struct):
    """The whole answer so far; some messages have none."""

    content: str | None = None


class MessageResultData(msgspec.Struct):
    """Inside `data`."""

    message_result: MessageResult = msgspec.field(name="messageResult")


class MessageResultEvent(msgspec.Struct):
    """Event `message_result`."""

    data: MessageResultData


@dataclass(kw_only=True)
class HailuoChat(ChatFlow):
    """A chat with Hailuo AI. It emits the chat's title, and the conversation that continues it.

    Without credentials it emits `LoginRequired` and fails.
    """

    models: ClassVar[Models] = {"MiniMax": ("MiniMax",), "minimax": ("MiniMax",)}
    default_model: ClassVar[str | None] = "MiniMax"

    credentials: HailuoCredentials | None = credentials_field()
    conversation: HailuoConversation | None = field(default=None, metadata=NOT_SAVED, repr=False)
    options: HailuoOptions = HailuoOptions()
    endpoints: HailuoEndpoints = HailuoEndpoints()
    chat_id: str = field(default=NEW_CHAT, init=False)
    character_id: str = field(default="", init=False)
    chat_login: str = field(default="", init=False, repr=False)  # a digest of the token that the chat belongs to

    def __post_init__(self) -> None:
        super().__post_init__()
        self.character_id = self.options.character_id
        if self.conversation is not None:
            self.conversation = convert_input(self.conversation, HailuoConversation, "parts of the conversation")
            self.chat_id, self.character_id = self.conversation.chat_id, self.conversation.character_id
            self.chat_login = fingerprint(self.conversation.token)

    def start(self) -> Steps:
        """Check the login, draw a device for it if it has none, then ask."""
        credentials = self.require_login()
        if self.chat_login != fingerprint(credentials.token):
            # A chat belongs to the login that began it: under another token it cannot be continued.
            self.chat_id, self.character_id = NEW_CHAT, self.options.character_id
        if not (credentials.uuid and credentials.device_id):
            self.credentials = msgspec.structs.replace(
                credentials,
                uuid=credentials.uuid or self.uuid(),
                device_id=credentials.device_id or self.nonce(),
            )
            self.emit(CredentialsChanged(msgspec.to_builtins(self.credentials)))
        response = yield from self.stream(self.chat_request, self.open_answer, allow=REFUSED, limit=self.limits.stream)
        if response.status in REFUSED:
            self.emit_login_required()
            raise LoginRequiredError(f"{LABEL} no longer accepts the login: log in again", status=response.status)

    def require_login(self) -> HailuoCredentials:
        """The credentials. Raises `LoginRequiredError` if there are none."""
        if self.credentials is None or not self.credentials.token:
            self.emit_login_required()
            raise LoginRequiredError(f"{LABEL} answers only after a login: log in first")
        return self.credentials

    def emit_login_required(self) -> None:
        """Emit the page on which a person logs in."""
        self.emit(LoginRequired(LABEL, self.options.login_url or without_query(self.endpoints.site)))

    def open_answer(self) -> EventSink:
        """A sink for one attempt."""
        return EventSink(partial(self.take, CumulativeText(self.emit)), self.limits)

    def take(self, text: CumulativeText, event: ServerSentEvent) -> bool:
        """Take one event of the answer. `close_chunk` ends it, although the connection may stay open."""
        match event.event:
            case "message_result":
                content = event.decode(MessageResultEvent).data.message_result.content
                if content is not None:
                    text.update(content)
            case "send_result":
                self.take_send_result(event.decode(SendResultEvent).data.send_result)
            case "close_chunk":
                if not text.was_updated:
                    raise NoAnswer("no valid response: the service closed the answer before it began")
                return True
        return False

    def take_send_result(self, result: SendResult) -> None:
        """Emit the title of the chat, and the conversation that continues it."""
        if result.chat_title:
            self.emit(TitleChanged(result.chat_title))
        if result.chat_id is not None:
            conversation = HailuoConversation(
                token=self.require_login().token, chat_id=str(result.chat_id), character_id=self.character_id
            )
            self.emit(ConversationChanged(msgspec.to_builtins(conversation)))

    @property
    def question(self) -> str:
        """In a continued chat only the last user message, in a new one the whole prompt."""
        return self.prompt if self.chat_id == NEW_CHAT else last_user_message(self.history) or self.prompt

    def path_and_query(self, unix: str) -> str:
        """The path with the device in its query, as it is sent and signed. `unix` is milliseconds since 1970."""
        options, device = self.options, self.require_login()
        query = {
            "device_platform": options.device_platform,
            "biz_id": options.biz_id,
            "app_id": options.app_id,
            "version_code": options.version_code,
            "lang": options.lang,
            "uuid": device.uuid,
            "device_id": device.device_id,
            "os_name": device.os_name,
            "browser_name": device.browser_name,
            "cpu_core_num": str(device.cpu_core_num),
            "browser_language": device.browser_language,
            "browser_platform": device.browser_platform,
            "screen_width": str(device.screen_width),
            "screen_height": str(device.screen_height),
            "unix": unix,
        }
        return f"{self.endpoints.chat_path}?{urlencode(query)}"

    def chat_request(self) -> Request:
        """The question, signed for this moment."""
        device = self.require_login()
        unix = str(int(self.now * 1000))
        path_and_query = self.path_and_query(unix)
        form = {
            "characterID": self.character_id,
            "msgContent": self.question,
            "chatID": self.chat_id,
            "searchMode": self.options.search_mode,
        }
        boundary = f"----modelwire{self.nonce()}"
        url = join_url(self.endpoints.site, path_and_query)
        return Request(
            method="POST",
            url=url,
            headers=(
                ("token", device.token),
                ("yy", self.conceal(sign(path_and_query, form, unix))),
                ("content-type", f"multipart/form-data; boundary={boundary}"),
                *((("user-agent", device.user_agent),) if device.user_agent else ()),
                *cookie_header(device.cookies, url, self.now),
            ),
            body=multipart_body(form, boundary),
        )


def sign(path_and_query: str, form: dict[str, str], unix: str) -> str:
    """The header `yy`: MD5 over MD5s of the form's texts, as the site's own script makes it."""
    one_line = form["msgContent"].replace("\r", "").replace("\n", "")
    body = md5(form["characterID"]) + md5(one_line) + md5(form["chatID"]) + md5("")
    return md5(f"{quote(path_and_query, safe='')}_{body}{md5(unix)}ooui")


def fingerprint(token: str) -> str:
    """A digest that identifies a login without revealing it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:16]


def md5(text: str) -> str:
    """MD5 of UTF-8 text, in hexadecimal digits."""
    return hashlib.md5(text.encode()).hexdigest()


PROVIDER = Provider(
    name="hailuo",
    label=LABEL,
    chat=HailuoChat,
    secret_field="token",
    login=HailuoLogin,
    endpoints=HailuoEndpoints(),
    environment={"options.login_url": ("HAILUO_LOGIN_URL",)},
    website="https://www.hailuo.ai",
    status="unknown",
    note="Needs a login with the operator's own page. An unofficial protocol: use it with the operator's permission.",
)
