"""The emulator of FakeGpt: a list of shared tokens, a login with one of them, and answers as event streams."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from modelwire.sse import encode_event

from .emulator import DEFAULT_BEHAVIOUR, Behaviour, EmulatorRequest, EmulatorResponse
from .parts.expiring_dict import ExpiringDict
from .parts.model_answers import answer_to, cumulative_texts, quote
from .parts.requests import EmulatorRoute, StrictRequest, expect_recent, required, respond, whole_number
from .parts.responses import HttpRefusal, event_stream, json_event, json_response
from .parts.token_factory import TokenFactory

SHARED_TOKENS = 3
# Sessions and access tokens remembered: beyond that the oldest are dropped.
MAX_SESSIONS = 1000
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

# The body of a question.


class Author(msgspec.Struct):
    """The author of a question."""

    role: Literal["user"]


class Content(msgspec.Struct):
    """The text of a question."""

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


# The events of an answer.


class AnswerAuthor(msgspec.Struct):
    """The author of a message in an answer: `role` is system, user or assistant."""

    role: str


class AnswerContent(msgspec.Struct):
    """The whole text so far."""

    parts: tuple[str, ...]
    content_type: str = "text"


class AnswerMetadata(msgspec.Struct, omit_defaults=True):
    """The kind of message: `next` is the answer itself, `prompt` repeats the question."""

    message_type: str | None = None


class AnswerMessage(msgspec.Struct):
    """One message of an answer."""

    id: str
    author: AnswerAuthor
    content: AnswerContent
    metadata: AnswerMetadata


class AnswerEvent(msgspec.Struct):
    """The data of one event."""

    message: AnswerMessage | None
    conversation_id: str
    error: str | None = None


class FakeGptEmulator:
    """FakeGpt, emulated. It recognises a session by its cookie, and issues access tokens that expire."""

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"fakegpt") -> None:
        self._behaviour = behaviour
        self._token_factory = TokenFactory(entropy)
        self._offered = tuple(self._token_factory.make("shared token") for _ in range(SHARED_TOKENS))
        self._sessions: ExpiringDict[bool] = ExpiringDict(MAX_SESSIONS)
        self._tokens: ExpiringDict[bool] = ExpiringDict(MAX_SESSIONS)
        self._routes = (
            EmulatorRoute("GET", "/api/loads", self._loads),
            EmulatorRoute("POST", "/auth/login", self._login),
            EmulatorRoute("GET", "/api/auth/session", self._session),
            EmulatorRoute("POST", "/api/conversation", self._converse),
        )

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return respond(request, now, self._routes)

    def _loads(self, request: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(request)
        moment = whole_number(request.query_field("t"), "the query's field 't'")
        expect_recent(moment, now, "the query's field 't'")
        return json_response({"loads": [{"token_id": token_id, "count": 1} for token_id in self._offered]})

    def _login(self, request: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(request)
        form = request.form()
        token_id = required(form, "token_key", "the form")
        if not _PASSWORD.fullmatch(required(form, "session_password", "the form")):
            raise HttpRefusal(400, "the form's field 'session_password' must be 10 characters of a-z and 0-9")
        if token_id not in self._offered:
            raise HttpRefusal(403, "the form's field 'token_key' is not one of the shared tokens")
        session = self._token_factory.make("session")
        self._sessions.put(session, True, now)
        cookies = (f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax", "locale=en; Path=/; Max-Age=86400")
        return json_response({"message": "welcome"}, headers=tuple(("set-cookie", cookie) for cookie in cookies))

    def _session(self, request: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(request)
        if not self._sessions.get(_cookie(request), now):
            raise HttpRefusal(401, f"the cookie {COOKIE!r} is not from a login")
        token = self._token_factory.make("access token")
        self._tokens.put(token, True, now, self._behaviour.token_life)
        return json_response({"user": {"id": "user-emulated", "name": "Shared"}, "accessToken": token})

    def _converse(self, request: StrictRequest, now: float) -> EmulatorResponse:
        _expect_browser(request)
        request.expect_headers((("Accept", "text/event-stream"),))
        scheme, _, token = request.header("X-Authorization", 401).partition(" ")
        if scheme != "Bearer" or not self._tokens.get(token, now):
            raise HttpRefusal(401, "the header 'X-Authorization' holds no access token, or an expired one")
        question = request.json(Question)
        if not question.history_and_training_disabled or question.force_paragen:
            raise HttpRefusal(400, "'history_and_training_disabled' must be true, and 'force_paragen' false")
        prompt = question.messages[0].content.parts[0]
        if not prompt.strip():
            raise HttpRefusal(400, "the message's part is empty")
        return event_stream(self._events(prompt), self._behaviour)

    def _events(self, prompt: str) -> Iterator[bytes]:
        """Three events that a client must skip, then the growing answer, then `[DONE]`."""
        conversation, system, question, answer = (self._token_factory.make("id") for _ in range(4))
        yield json_event(AnswerEvent(_message(system, "system", ""), conversation))
        yield json_event(AnswerEvent(_message(question, "user", quote(prompt), "prompt"), conversation))
        yield json_event(AnswerEvent(None, conversation))
        for text in cumulative_texts(answer_to(prompt)):
            yield json_event(AnswerEvent(_message(answer, "assistant", text, "next"), conversation))
        yield encode_event("[DONE]")


def _message(id: str, role: str, text: str, message_type: str | None = None) -> AnswerMessage:
    return AnswerMessage(id, AnswerAuthor(role), AnswerContent((text,)), AnswerMetadata(message_type))


def _expect_browser(request: StrictRequest) -> None:
    """Require the headers that the site's page sends with every request."""
    request.expect_headers(_HEADERS)
    request.expect_site("Referer", "/?v=2")


def _cookie(request: StrictRequest) -> str:
    """The value of the login's cookie, or an empty string if the request has only others."""
    pairs = (pair.strip().partition("=") for pair in request.header("Cookie", 401).split(";"))
    return {name: value for name, _, value in pairs}.get(COOKIE, "")
