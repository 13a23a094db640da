"""The other side of Hailuo AI: a signed form for who has logged in, answered with named events."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from .emulator import DEFAULT_BEHAVIOUR, NONCE_LIFE, Behaviour, EmulatorRequest, EmulatorResponse
from .hailuo_page import Device, login_page, welcome_page
from .parts.answers import answer_to, growing, quote
from .parts.incoming import Route, StrictRequest, answer, expect_recent, required, whole_number
from .parts.memory import Memory, TokenFactory
from .parts.responses import HttpRefusal, event_stream, json_event

# The one login there is.
LOGIN_TOKEN = "emulated-token"
COOKIE = "hailuo_session"
NEW_CHAT = "0"
MOST_LOGINS = 1000
MOST_CHATS = 1000
MOST_SIGNATURES = 100_000
LONGEST_TITLE = 40

# The query, in the order in which it must come: what each field must be, or None for anything but nothing.
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

# The events, as they go.


class SendResult(msgspec.Struct, rename={"chat_id": "chatID", "chat_title": "chatTitle"}):
    """The question has arrived."""

    chat_id: str
    chat_title: str


class SendResultData(msgspec.Struct):
    """Inside `data`."""

    send_result: SendResult = msgspec.field(name="sendResult")


class MessageResult(msgspec.Struct, rename={"chat_id": "chatID", "is_end": "isEnd"}):
    """The answer so far, whole."""

    chat_id: str
    content: str
    is_end: int


class MessageResultData(msgspec.Struct):
    """Inside `data`."""

    message_result: MessageResult = msgspec.field(name="messageResult")


class Event(msgspec.Struct):
    """The data of any event."""

    data: SendResultData | MessageResultData | None


class _Login(NamedTuple):
    """A device that logged in on the page, and the cookie that it was issued."""

    device: Device
    cookie: str


class HailuoEmulator:
    """Hailuo AI, emulated: it remembers how many messages each chat has had, and which device logged in with it.

    A token alone will do for a chat. The device of a login on its page is known, though: it has to come with the
    cookie that it was issued with.
    """

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"hailuo") -> None:
        self._behaviour = behaviour
        self._mint = TokenFactory(entropy)
        self._chats: Memory[int] = Memory(MOST_CHATS)
        self._signatures: Memory[bool] = Memory(MOST_SIGNATURES)
        self._logins: Memory[_Login] = Memory(MOST_LOGINS)  # by the uuid of the device
        self._routes = (
            Route("GET", "/", self._show_login),
            Route("POST", "/", self._log_in),
            Route("POST", "/v4/api/chat/msg", self._send),
        )

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        """Answer one request. Never raises."""
        return answer(request, now, self._routes)

    def _show_login(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        return login_page()

    def _log_in(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        form = incoming.form()
        for name in ("email", "password"):
            required(form, name, "the form")
        device = Device(uuid=_as_uuid(self._mint.make("uuid")), device_id=str(int(self._mint.make("device")[:15], 16)))
        cookie = self._mint.make("cookie")
        self._logins.put(device.uuid, _Login(device, cookie), now)
        issued = (("set-cookie", f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax"),)
        return welcome_page(LOGIN_TOKEN, device, self._behaviour.sign_in, issued)

    def _check_device(self, incoming: StrictRequest, now: float) -> None:
        sent, came = dict(incoming.query_pairs()), incoming.cookies().get(COOKIE)
        login = self._logins.get(sent["uuid"], now)
        if login is None and came is None:
            return  # nobody has logged in with this device here: the token alone has to do
        if login is None or came != login.cookie:
            raise HttpRefusal(403, f"the cookie {COOKIE!r} is not the one that this device was issued")
        if sent["device_id"] != login.device.device_id:
            raise HttpRefusal(403, "the query's field 'device_id' is not that of the device that logged in")

    def _send(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        unix = _check_query(incoming, now)
        if incoming.header("token", 401) != LOGIN_TOKEN:
            raise HttpRefusal(401, "the header 'token' is not that of a login")
        self._check_device(incoming, now)
        form = incoming.multipart()
        _check_form(form)
        signature = incoming.header("yy")
        if signature != _signature(incoming.target, form, unix):
            raise HttpRefusal(403, "the header 'yy' does not sign this path, query and form")
        if self._signatures.get(signature, now):
            raise HttpRefusal(409, "the header 'yy' was used before")
        chat_id, count = self._enter(form["chatID"], now)
        self._signatures.put(signature, True, now, NONCE_LIFE)
        return event_stream(_events(form["msgContent"], chat_id, count), self._behaviour, stays_open=True)

    def _enter(self, chat_id: str, now: float) -> tuple[str, int]:
        """The chat, and which of its messages this one is."""
        if chat_id == NEW_CHAT:
            chat_id, count = str(int(self._mint.make("chat")[:12], 16)), 0
        else:
            count = self._chats.get(chat_id, now) or 0
            if not count:
                raise HttpRefusal(404, "the form's field 'chatID' is not that of a chat here")
        self._chats.put(chat_id, count + 1, now)
        return chat_id, count + 1


def _check_query(incoming: StrictRequest, now: float) -> str:
    """`unix` as it was sent, of a query that holds what it must, in the order in which it must."""
    pairs = incoming.query_pairs()
    names = [name for name, _ in pairs]
    if names != [name for name, _ in QUERY]:
        raise HttpRefusal(400, f"the query must hold, in this order: {', '.join(name for name, _ in QUERY)}")
    for (name, value), (_, expected) in zip(pairs, QUERY, strict=True):
        if not value or expected not in (value, None):
            raise HttpRefusal(400, f"the query's field {name!r} must be {repr(expected) if expected else 'something'}")
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
    """What `yy` must be: MD5 over MD5s. The target is path and query as they came, without any base's prefix."""
    texts = (form["characterID"], _LINE_ENDS.sub("", form["msgContent"]), form["chatID"], "", unix)
    hashed = "".join(_hexdigest(text.encode()) for text in texts)
    return _hexdigest(f"{_percent_encoded(target)}_{hashed}ooui".encode())


def _as_uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _percent_encoded(text: str) -> str:
    """Every byte escaped but the unreserved (RFC 3986, 2.3)."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode("ascii"))


def _hexdigest(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def _events(prompt: str, chat_id: str, count: int) -> Iterator[bytes]:
    """The chat and its title, the answer as it grows, and the end of it; the connection stays open after that."""
    title = quote(" ".join(prompt.split()), LONGEST_TITLE)
    yield json_event(Event(SendResultData(SendResult(chat_id, title))), "send_result")
    whole = f"(This is message {count} of chat {chat_id}.) {answer_to(prompt)}"
    for text in growing(whole):
        is_end = int(text == whole)
        yield json_event(Event(MessageResultData(MessageResult(chat_id, text, is_end))), "message_result")
    yield json_event(Event(None), "close_chunk")
