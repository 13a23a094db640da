"""The other side of FakeGpt: shared tokens on offer, a login with one of them, and answers as an event stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from modelwire.sse import encode_event

from .emulator import DEFAULT_BEHAVIOUR, Behaviour, EmulatorRequest, EmulatorResponse
from .parts.answers import answer_to, growing, quote
from .parts.incoming import Route, StrictRequest, answer, expect_recent, required, whole_number
from .parts.memory import Memory, TokenFactory
from .parts.responses import HttpRefusal, event_stream, json_event, json_response

SHARED_TOKENS = 3
MOST_SESSIONS = 1000
COOKIE = "credential"

_HEADERS = (
    ("Accept-Language", "en-US"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117.0.0.0 Safari/537.36",
    ),
    ("sec-ch-ua", '"Google Chrome";v="117", "Not;A=Brand";v="8", "Chromium";v="117"'),
    ("sec-ch-ua-platform", '"Linux"'),
    ("sec-ch-ua-mobile", "?0"),
)
_PASSWORD = re.compile(r"[a-z0-9]{10}")

# The question, as it must come.


class Author(msgspec.Struct):
    """Who asks."""

    role: Literal["user"]


class Content(msgspec.Struct):
    """What is asked."""

    content_type: Literal["text"]
    parts: Annotated[list[str], Meta(min_length=1, max_length=1)]


class QuestionMessage(msgspec.Struct):
    """The one message of a question."""

    id: UUID
    author: Author
    content: Content
    metadata: dict[str, msgspec.Raw]


class Question(msgspec.Struct):
    """The body of `POST /api/conversation`."""

    action: Literal["next"]
    messages: Annotated[list[QuestionMessage], Meta(min_length=1, max_length=1)]
    parent_message_id: UUID
    model: Literal["text-davinci-002-render-sha"]
    plugin_ids: list[str]
    timezone_offset_min: int
    suggestions: list[str]
    history_and_training_disabled: bool
    arkose_token: str
    force_paragen: bool


# The answer, as it goes.


class SaidAuthor(msgspec.Struct):
    """Who says a message of the answer."""

    role: str


class SaidContent(msgspec.Struct):
    """What it says, whole each time."""

    parts: tuple[str, ...]
    content_type: str = "text"


class SaidMetadata(msgspec.Struct, omit_defaults=True):
    """Messages of type `next` are the answer."""

    message_type: str | None = None


class SaidMessage(msgspec.Struct):
    """One message of the answer."""

    id: str
    author: SaidAuthor
    content: SaidContent
    metadata: SaidMetadata


class Said(msgspec.Struct):
    """The data of one event."""

    message: SaidMessage | None
    conversation_id: str
    error: str | None = None


class FakeGptEmulator:
    """FakeGpt, emulated: it knows its sessions by their cookies, and hands out access tokens that expire."""

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"fakegpt") -> None:
        self._behaviour = behaviour
        self._mint = TokenFactory(entropy)
        self._offered = tuple(self._mint.make("shared token") for _ in range(SHARED_TOKENS))
        self._sessions: Memory[bool] = Memory(MOST_SESSIONS)
        self._tokens: Memory[bool] = Memory(MOST_SESSIONS)
        self._routes = (
            Route("GET", "/api/loads", self._loads),
            Route("POST", "/auth/login", self._login),
            Route("GET", "/api/auth/session", self._session),
            Route("POST", "/api/conversation", self._converse),
        )

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        """Answer one request. Never raises."""
        return answer(request, now, self._routes)

    def _loads(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(incoming)
        moment = whole_number(incoming.query_field("t"), "the query's field 't'")
        expect_recent(moment, now, "the query's field 't'")
        return json_response({"loads": [{"token_id": token_id, "count": 1} for token_id in self._offered]})

    def _login(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(incoming)
        form = incoming.form()
        token_id = required(form, "token_key", "the form")
        if not _PASSWORD.fullmatch(required(form, "session_password", "the form")):
            raise HttpRefusal(400, "the form's field 'session_password' must be 10 characters of a-z and 0-9")
        if token_id not in self._offered:
            raise HttpRefusal(403, "the form's field 'token_key' is not a token on offer")
        session = self._mint.make("session")
        self._sessions.put(session, True, now)
        cookies = (f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax", "locale=en; Path=/; Max-Age=86400")
        return json_response({"message": "welcome"}, headers=tuple(("set-cookie", cookie) for cookie in cookies))

    def _session(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(incoming)
        if not self._sessions.get(_cookie(incoming), now):
            raise HttpRefusal(401, f"the cookie {COOKIE!r} is not that of a login")
        token = self._mint.make("access token")
        self._tokens.put(token, True, now, self._behaviour.token_life)
        return json_response({"user": {"id": "user-emulated", "name": "Shared"}, "accessToken": token})

    def _converse(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(incoming)
        incoming.expect_headers((("Accept", "text/event-stream"),))
        scheme, _, token = incoming.header("X-Authorization", 401).partition(" ")
        if scheme != "Bearer" or not self._tokens.get(token, now):
            raise HttpRefusal(401, "the header 'X-Authorization' holds no access token, or one that has expired")
        question = incoming.json(Question)
        if not question.history_and_training_disabled or question.force_paragen:
            raise HttpRefusal(400, "'history_and_training_disabled' must be true, and 'force_paragen' false")
        prompt = question.messages[0].content.parts[0]
        if not prompt.strip():
            raise HttpRefusal(400, "the message's part is empty")
        return event_stream(self._events(prompt), self._behaviour)

    def _events(self, prompt: str) -> Iterator[bytes]:
        """What is not the answer, then the answer as it grows, then the mark of its end."""
        conversation, system, asked, said = (self._mint.make("id") for _ in range(4))
        yield json_event(Said(_message(system, "system", ""), conversation))
        yield json_event(Said(_message(asked, "user", quote(prompt), "prompt"), conversation))
        yield json_event(Said(None, conversation))
        for text in growing(answer_to(prompt)):
            yield json_event(Said(_message(said, "assistant", text, "next"), conversation))
        yield encode_event("[DONE]")


def _message(id: str, role: str, text: str, message_type: str | None = None) -> SaidMessage:
    return SaidMessage(id, SaidAuthor(role), SaidContent((text,)), SaidMetadata(message_type))


def _expect_browser(incoming: StrictRequest) -> None:
    """What every request carries."""
    incoming.expect_headers(_HEADERS)
    incoming.expect_site("Referer", "/?v=2")


def _cookie(incoming: StrictRequest) -> str:
    """The value of the login's cookie, empty where it is not among those that came."""
    pairs = (pair.strip().partition("=") for pair in incoming.header("Cookie", 401).split(";"))
    return {name: value for name, _, value in pairs}.get(COOKIE, "")
