"""Acme, a third party's provider with a chat and an image flow, and its emulator. Both flows need one key.

The chat flow takes any model and has no default; the image flow has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from modelwire.chat import ChatFlow
from modelwire.emulators import Chunk, EmulatorRequest, EmulatorResponse
from modelwire.flow import Steps, credentials_field
from modelwire.http import Request, join_url, json_body
from modelwire.image import ImageFlow
from modelwire.outputs import ImageReady
from modelwire.provider import Provider
from modelwire.text import TextSink

PNG = b"\x89PNG\r\n\x1a\n and so on"


class AcmeCredentials(msgspec.Struct, frozen=True):
    api_key: str


class AcmeOptions(msgspec.Struct, frozen=True, kw_only=True):
    size: str = "small"


class AcmeEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    site: str = "https://acme.example"
    chat_path: str = "/chat"
    image_path: str = "/image"


def request_of(flow: AcmeChat | AcmeImage, path: str, **fields: str) -> Request:
    credentials = flow.credentials
    return Request(
        method="POST",
        url=join_url(flow.endpoints.site, path),
        headers=() if credentials is None else (("authorization", f"Bearer {credentials.api_key}"),),
        body=json_body({"model": flow.wire_model, **fields}),
        timeout=flow.limits.silence,
    )


@dataclass(kw_only=True)
class AcmeChat(ChatFlow):
    credentials: AcmeCredentials | None = credentials_field()
    endpoints: AcmeEndpoints = AcmeEndpoints()

    def start(self) -> Steps:
        yield from self.stream(self.chat_request, lambda: TextSink(self.emit))

    def chat_request(self) -> Request:
        return request_of(self, self.endpoints.chat_path, prompt=self.prompt)


@dataclass(kw_only=True)
class AcmeImage(ImageFlow):
    default_model: ClassVar[str | None] = "paint-1"

    credentials: AcmeCredentials | None = credentials_field()
    options: AcmeOptions = AcmeOptions()
    endpoints: AcmeEndpoints = AcmeEndpoints()

    def start(self) -> Steps:
        response = yield from self.fetch(self.image_request)
        self.emit(ImageReady(response.text(), 0))

    def image_request(self) -> Request:
        return request_of(self, self.endpoints.image_path, prompt=self.prompt, size=self.options.size)


class AcmeEmulator:
    """Repeats a prompt, and draws one image for all. Refuses a request without a key."""

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        if request.target == "/image/1":
            return EmulatorResponse(chunks=(Chunk(PNG),))
        if "authorization" not in dict(request.headers):
            return EmulatorResponse(status=401, chunks=(Chunk(b"a key is missing"),))
        if request.target == "/image":
            return EmulatorResponse(chunks=(Chunk(f"{request.base_url}/image/1".encode()),))
        fields: dict[str, str] = msgspec.json.decode(request.body)
        return EmulatorResponse(chunks=(Chunk(f"{fields['model']}: {fields['prompt']}".encode()),))


PROVIDER = Provider(
    name="acme-cloud",
    label="Acme",
    chat=AcmeChat,
    image=AcmeImage,
    endpoints=AcmeEndpoints(),
    secret_field="api_key",
    environment={"credentials.api_key": ("ACME_KEY", "ACME_API_KEY"), "base_url": ("ACME_HOST", "ACME_URL")},
    website="https://acme.example",
    status="live",
    note="A service with two kinds of flows.",
)
