"""The emulator of Cromicle: one signed request; the response is the answer as raw text."""

from __future__ import annotations

import hashlib

import msgspec

from .emulator import DEFAULT_BEHAVIOUR, Behaviour, EmulatorRequest, EmulatorResponse
from .parts.model_answers import answer_to
from .parts.requests import EmulatorRoute, StrictRequest, respond
from .parts.responses import HttpRefusal, text_stream

# The constant that the site's own page sends as its token, and puts into the hash.
PAGE_TOKEN = "abc"


class Question(msgspec.Struct):
    """The body of `POST /chat`."""

    message: str
    token: str
    hash: str


class CromicleEmulator:
    """Cromicle, emulated. It has no state between requests."""

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"cromicle") -> None:
        self._behaviour = behaviour
        self._routes = (EmulatorRoute("POST", "/chat", self._chat),)

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return respond(request, now, self._routes)

    def _chat(self, request: StrictRequest, now: float) -> EmulatorResponse:
        request.expect_headers((("accept", "*/*"),))
        question = request.json(Question)
        if not question.message.strip():
            raise HttpRefusal(400, "the field 'message' is empty")
        if question.token != PAGE_TOKEN:
            raise HttpRefusal(403, "the field 'token' is not the token of the page")
        digest = hashlib.sha256(PAGE_TOKEN.encode())
        digest.update(question.message.encode())
        if question.hash != digest.hexdigest():
            raise HttpRefusal(403, "the field 'hash' is not the SHA-256 of token and message")
        return text_stream(answer_to(question.message), self._behaviour)
