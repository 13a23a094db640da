"""A provider to copy: a chat service with the format of OpenAI's chat completions, and a key in a header.

Copy this file, replace "Parrot" by the name of your service, and change what the comments say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from modelwire.chat import ChatFlow
from modelwire.errors import LoginRequiredError, NoAnswer
from modelwire.flow import Steps, credentials_field
from modelwire.http import Request, join_url, json_body
from modelwire.json import JsonValue
from modelwire.models import Models
from modelwire.outputs import TextDelta, UsageReported
from modelwire.provider import Provider
from modelwire.sse import ServerSentEvent
from modelwire.text import EventSink


# The addresses. A user's base URL replaces each field that holds a URL; the others are paths.
class ParrotEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    api: str = "https://api.parrot.example/v1"
    chat_path: str = "/chat/completions"


# What a user may set: here, fields of the request's body. `omit_defaults` leaves out those that are not set.
class ParrotOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    temperature: Annotated[float, Meta(ge=0)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None


# The key. The pattern refuses characters that a header cannot carry, such as a line end at the end of a copied key.
class ParrotCredentials(msgspec.Struct, frozen=True, kw_only=True):
    api_key: Annotated[str, Meta(pattern=r"^[!-~]+\Z")]

    def __repr__(self) -> str:
        return "ParrotCredentials(<api_key>)"


# One event of the answer: only what the flow reads. A field without a default is required.
class Delta(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class AnswerEvent(msgspec.Struct):
    choices: list[Choice] = []
    usage: Usage | None = None
    error: JsonValue = None


@dataclass(kw_only=True)
class ParrotChat(ChatFlow):
    """A chat with Parrot: `TextDelta`s, and `UsageReported`."""

    models: ClassVar[Models] = None  # open: any name is sent as it is. A fixed list: {"name": ("name on the wire",)}
    default_model: ClassVar[str | None] = "grey-1"  # None: the user must name a model

    credentials: ParrotCredentials | None = credentials_field()
    options: ParrotOptions = ParrotOptions()
    endpoints: ParrotEndpoints = ParrotEndpoints()

    def start(self) -> Steps:
        """Send the history, and emit the answer as it arrives."""
        yield from self.stream(self.chat_request, lambda: EventSink(self.take, self.limits))

    def chat_request(self) -> Request:
        """The history and the options, made for each attempt. Raises `LoginRequiredError` if there is no key."""
        if self.credentials is None:
            raise LoginRequiredError("Parrot needs an API key: set PARROT_API_KEY, or supply credentials")
        body = {
            "model": self.wire_model,
            "messages": [{"role": message.role, "content": message.text} for message in self.history],
            "stream": True,
            "stream_options": {"include_usage": True},
            **msgspec.to_builtins(self.options),
        }
        return Request(
            method="POST",
            url=join_url(self.endpoints.api, self.endpoints.chat_path),
            headers=(("content-type", "application/json"), ("authorization", f"Bearer {self.credentials.api_key}")),
            body=json_body(body),
        )

    def take(self, event: ServerSentEvent) -> bool:
        """Take one event of the answer. True for the last one."""
        if event.raw == b"[DONE]":
            return True
        answer = event.decode(AnswerEvent)
        if answer.error is not None:
            raise NoAnswer(f"the service could not answer: {json_body(answer.error).decode()}")
        for choice in answer.choices:
            if choice.delta.content:
                self.emit(TextDelta(choice.delta.content))
        if answer.usage is not None:
            self.emit(UsageReported(answer.usage.prompt_tokens, answer.usage.completion_tokens))
        return False


PROVIDER = Provider(
    name="parrot",
    label="Parrot",
    chat=ParrotChat,
    endpoints=ParrotEndpoints(),
    secret_field="api_key",  # `modelwire login parrot` asks for it
    environment={"credentials.api_key": ("PARROT_API_KEY",)},  # in order: the first variable that is set counts
    website="https://parrot.example",
    status="unknown",
    note="Needs an API key.",
)
