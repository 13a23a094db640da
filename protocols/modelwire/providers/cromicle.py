"""Cromicle: one signed request, answered with raw text.

The wire is described in `docs/wires.md`; the service no longer answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from modelwire.chat import ChatFlow
from modelwire.flow import Steps
from modelwire.http import Request, join_url, json_body
from modelwire.models import Models
from modelwire.provider import Provider
from modelwire.text import TextSink


class CromicleEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The host of the service, and the path on it."""

    site: str = "https://cromicle.top"
    chat_path: str = "/chat"


class CromicleOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options. `token` is the constant that the site's own page sends and mixes into the hash."""

    token: str = "abc"

    def __repr__(self) -> str:
        return "CromicleOptions(<token>)"


class ChatBody(msgspec.Struct):
    """The body of `POST /chat`."""

    message: str
    token: str
    hash: str


@dataclass(kw_only=True)
class CromicleChat(ChatFlow):
    """A chat with Cromicle, without credentials."""

    models: ClassVar[Models] = {"gpt-3.5-turbo": ("gpt-3.5-turbo",)}
    default_model: ClassVar[str | None] = "gpt-3.5-turbo"

    options: CromicleOptions = CromicleOptions()
    endpoints: CromicleEndpoints = CromicleEndpoints()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.conceal(self.options.token)

    def start(self) -> Steps:
        """Ask, and emit the answer as it arrives."""
        yield from self.stream(self.chat_request, lambda: TextSink(self.emit))

    def chat_request(self) -> Request:
        """The prompt with its hash."""
        token, prompt = self.options.token, self.prompt
        digest = hashlib.sha256((token + prompt).encode()).hexdigest()
        return Request(
            method="POST",
            url=join_url(self.endpoints.site, self.endpoints.chat_path),
            headers=(("accept", "*/*"), ("content-type", "application/json")),
            body=json_body(ChatBody(prompt, token, digest)),
        )


PROVIDER = Provider(
    name="cromicle",
    label="Cromicle",
    chat=CromicleChat,
    endpoints=CromicleEndpoints(),
    website="https://cromicle.top",
    status="gone",
    note="The service is gone; the protocol is kept whole, and runs against the emulator.",
)
