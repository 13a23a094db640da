"""The emulator of Hailuo AI: a login page, and chats as signed forms. The response is a stream of named events."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from .emulator import DEFAULT_BEHAVIOUR, NONCE_LIFE, Behaviour, EmulatorRequest, EmulatorResponse
from .hailuo_page import Device, login_page, welcome_page
from .parts.expiring_dict import ExpiringDict
from .parts.model_answers import answer_to, cumulative_texts, quote
from .parts.requests import EmulatorRoute, StrictRequest, expect_recent, required, respond, whole_number
from .parts.responses import HttpRefusal, event_stream, json_event
from .parts.token_factory import TokenFactory

# The token of every login.
LOGIN_TOKEN = "emulated-token"
COOKIE = "hailuo_session"
NEW_CHAT = "0"
# Logins, chats and signatures remembered: beyond that the oldest are dropped.
MAX_LOGINS = 1000
MAX_CHATS = 1000
MAX_SIGNATURES = 100_000
# Characters of a chat's title, which is the beginning of the message.
MAX_TITLE_CHARS = 40

# The query's fields in the required order: name and value. None stands for any value but an empty one.
QUERY: tuple[tuple[str, str | None], ...] = (
    ("device_platform", "web"),
    ("biz_id", "2"),
    ("app_id", "3001"),
    ("version_code", "22201"),
    ("lang", "en"),
    ("uuid", None),
    ("device_id", None),
    ("os_name", None),
    ("browser_name", None),
    ("cpu_core_num", None),
    ("browser_language", None),
    ("browser_platform", None),
    ("screen_width", None),
    ("screen_height", None),
    ("unix", None),
)
_NUMBERS = ("cpu_core_num", "screen_width", "screen_height", "unix")
_LINE_ENDS = re.compile(r"[\r\n]")
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")

# The events of a response.


class SendResult(msgspec.Struct, rename={"chat_id": "chatID", "chat_title": "chatTitle"}):
    """The receipt for a question: its chat."""

    chat_id: str
    chat_title: str


class SendResultData(msgspec.Struct):
    """The field `data` of a `send_result`."""

    send_result: SendResult = msgspec.field(name="sendResult")


class MessageResult(msgspec.Struct, rename={"chat_id": "chatID", "is_end": "isEnd"}):
    """The answer so far, whole."""

    chat_id: str
    content: str
    is_end: int


class MessageResultData(msgspec.Struct):
    """The field `data` of a `message_result`."""

    message_result: MessageResult = msgspec.field(name="messageResult")


class Event(msgspec.Struct):
    """The JSON of any event."""

    data: SendResultData | MessageResultData | None


class _Login(NamedTuple):
    """A device that logged in on the page, and the cookie that it got."""

    device: Device
    cookie: str


class HailuoEmulator:
    """Hailuo AI, emulated. It remembers the number of messages in each chat, and the devices that logged in.

    For a chat the token is enough, unless the device logged in on the page: then the request also needs its cookie.
    """

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"hailuo") -> None:
        self._behaviour = behaviour
        self._token_factory = TokenFactory(entropy)
        self._chats: ExpiringDict[int] = ExpiringDict(MAX_CHATS)
        self._signatures: ExpiringDict[bool] = ExpiringDict(MAX_SIGNATURES)
        self._logins: ExpiringDict[_Login] = ExpiringDict(MAX_LOGINS)  # by the device's uuid
        self._routes = (
            EmulatorRoute("GET", "/", self._show_login),
            EmulatorRoute("POST", "/", self._log_in),
            EmulatorRoute("POST", "/v4/api/chat/msg", self._send),
        )

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return respond(request, now, self._routes)

    def _show_login(self, request: StrictRequest, now: float) -> EmulatorResponse:
        return login_page()

    def _log_in(self, request: StrictRequest, now: float) -> EmulatorResponse:
        form = request.form()
        for name in ("email", "password"):
            required(form, name, "the form")
        device = Device(
            uuid=_as_uuid(self._token_factory.make("uuid")),
            device_id=str(int(self._token_factory.make("device")[:15], 16)),
        )
        cookie = self._token_factory.make("cookie")
        self._logins.put(device.uuid, _Login(device, cookie), now)
        headers = (("set-cookie", f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax"),)
        return welcome_page(LOGIN_TOKEN, device, self._behaviour.sign_in, headers)

    def _check_device(self, request: StrictRequest, now: float) -> None:
        query, cookie = dict(request.query_pairs()), request.cookies().get(COOKIE)
        login = self._logins.get(query["uuid"], now)
        if login is None and cookie is None:
            return  # this device did not log in on the page: the token is enough
        if login is None or cookie != login.cookie:
            raise HttpRefusal(403, f"the cookie {COOKIE!r} is not the one of this device's login")
        if query["device_id"] != login.device.device_id:
            raise HttpRefusal(403, "the query's field 'device_id' does not match the device that logged in")

    def _send(self, request: StrictRequest, now: float) -> EmulatorResponse:
        unix = _check_query(request, now)
        if request.header("token", 401) != LOGIN_TOKEN:
            raise HttpRefusal(401, "the header 'token' is not from a login")
        self._check_device(request, now)
        form = request.multipart()
        _check_form(form)
        signature = request.header("yy")
        if signature != _signature(request.target, form, unix):
            raise HttpRefusal(403, "the header 'yy' does not sign this path, query and form")
        if self._signatures.get(signature, now):
            raise HttpRefusal(409, "the header 'yy' was used before")
        chat_id, count = self._count_message(form["chatID"], now)
        self._signatures.put(signature, True, now, NONCE_LIFE)
        return event_stream(_events(form["msgContent"], chat_id, count), self._behaviour, stays_open=True)

    def _count_message(self, chat_id: str, now: float) -> tuple[str, int]:
        """Count a message in a chat, which may be new. Returns the chat's id and the message's number, from 1."""
        if chat_id == NEW_CHAT:
            chat_id, count = str(int(self._token_factory.make("chat")[:12], 16)), 0
        else:
            count = self._chats.get(chat_id, now) or 0
            if not count:
                raise HttpRefusal(404, "the form's field 'chatID' is not the id of a chat")
        self._chats.put(chat_id, count + 1, now)
        return chat_id, count + 1


def _check_query(request: StrictRequest, now: float) -> str:
    """The field `unix` as text. Raises `HttpRefusal` unless the query has the required fields, values and order."""
    pairs = request.query_pairs()
    names = [name for name, _ in pairs]
    if names != [name for name, _ in QUERY]:
        raise HttpRefusal(
            400, f"the query must have these fields, in this order: {', '.join(name for name, _ in QUERY)}"
        )
    for (name, value), (_, expected) in zip(pairs, QUERY, strict=True):
        if not value or expected not in (value, None):
            raise HttpRefusal(400, f"the query's field {name!r} must be {repr(expected) if expected else 'set'}")
        if name in _NUMBERS:
            whole_number(value, f"the query's field {name!r}")
    unix = pairs[-1][1]
    expect_recent(int(unix) / 1000, now, "the query's field 'unix'")
    return unix


def _check_form(form: dict[str, str]) -> None:
    whole_number(required(form, "characterID", "the form"), "the form's field 'characterID'")
    required(form, "msgContent", "the form")
    whole_number(required(form, "chatID", "the form"), "the form's field 'chatID'")
    if required(form, "searchMode", "the form") != "0":
        raise HttpRefusal(400, "the form's field 'searchMode' must be '0'")


def _signature(target: str, form: dict[str, str], unix: str) -> str:
    """The expected header `yy`: an MD5 over MD5s. `target`: path and query as sent, without the path of a base URL."""
    texts = (form["characterID"], _LINE_ENDS.sub("", form["msgContent"]), form["chatID"], "", unix)
    hashed = "".join(_hexdigest(text.encode()) for text in texts)
    return _hexdigest(f"{_percent_encoded(target)}_{hashed}ooui".encode())


def _as_uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _percent_encoded(text: str) -> str:
    """The text with every character escaped that is not unreserved (RFC 3986, 2.3)."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode("ascii"))


def _hexdigest(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def _events(prompt: str, chat_id: str, count: int) -> Iterator[bytes]:
    """The chat with its title, then the growing answer, then `close_chunk`. The connection stays open after that."""
    title = quote(" ".join(prompt.split()), MAX_TITLE_CHARS)
    yield json_event(Event(SendResultData(SendResult(chat_id, title))), "send_result")
    whole = f"(This is message {count} of chat {chat_id}.) {answer_to(prompt)}"
    for text in cumulative_texts(whole):
        is_end = int(text == whole)
        yield json_event(Event(MessageResultData(MessageResult(chat_id, text, is_end))), "message_result")
    yield json_event(Event(None), "close_chunk")
