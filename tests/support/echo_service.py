"""An echo service, its flows, and kits for variants of these flows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from modelwire.chat import ChatFlow
from modelwire.emulators import Chunk, EmulatorRequest, EmulatorResponse
from modelwire.flow import Flow, Steps, credentials_field
from modelwire.http import Request, json_body
from modelwire.image import ImageFlow
from modelwire.models import Models
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, TextDelta
from modelwire.provider import Provider
from modelwire.sse import ServerSentEvent
from modelwire.testing import FlowKit
from modelwire.text import EventSink

SITE = "https://echo.example"
MODELS: Models = {"echo": ("echo",)}


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    site: str = SITE


class Options(msgspec.Struct, frozen=True, kw_only=True):
    volume: str = "11"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    token: str

    def __repr__(self) -> str:
        return "Credentials(<token>)"


class Token(msgspec.Struct):
    token: str


class Word(msgspec.Struct):
    word: str


class Job(msgspec.Struct):
    job: str = ""
    pictures: list[str] | None = None


@dataclass(kw_only=True)
class Service(Flow):
    """The base of these flows: it gets a token first, and sends it with each request."""

    credentials: Credentials | None = credentials_field()
    options: Options = Options()
    endpoints: Endpoints = Endpoints()

    def start(self) -> Steps:
        if self.credentials is None:
            response = yield from self.fetch(lambda: self.request("/token"))
            self.credentials = Credentials(token=self.keep(response.decode(Token).token))
            self.emit(CredentialsChanged(msgspec.to_builtins(self.credentials)))
        return self.work

    def work(self) -> Steps:
        raise NotImplementedError

    def keep(self, token: str) -> str:
        return self.conceal(token)

    def request(self, path: str, body: object = None, *, repeatable: bool = True) -> Request:
        held = () if self.credentials is None else (("authorization", f"Bearer {self.credentials.token}"),)
        return Request(
            method="POST",
            url=self.endpoints.site + path,
            headers=(("content-type", "application/json"), ("x-volume", self.options.volume), *held),
            body=json_body(body),
            repeatable=repeatable,
        )


@dataclass(kw_only=True)
class EchoChat(Service, ChatFlow):
    """Streams the prompt back, word by word."""

    models: ClassVar[Models] = MODELS
    default_model: ClassVar[str | None] = "echo"
    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        EchoChat.made += 1

    def work(self) -> Steps:
        if self.credentials is None:
            return self.start
        yield from self.stream(self.ask_request, self.open_answer)

    def ask_request(self) -> Request:
        return self.request("/words", self.prompt)

    def open_answer(self) -> EventSink:
        return EventSink(self.take, self.limits)

    def take(self, event: ServerSentEvent) -> bool:
        if event.data == "[DONE]":
            return True
        self.emit(TextDelta(event.decode(Word).word))
        return False


@dataclass(kw_only=True)
class EchoImage(Service, ImageFlow):
    """Submits a job once, then polls until its pictures are done."""

    models: ClassVar[Models] = MODELS
    default_model: ClassVar[str | None] = "echo"
    job: str = field(default="", init=False)

    def work(self) -> Steps:
        if self.credentials is None:
            return self.start
        response = yield from self.fetch(self.submit_request)
        self.job = response.decode(Job).job
        self.emit(JobAccepted(self.job))
        return self.poll

    def submit_request(self) -> Request:
        return self.request("/jobs", self.prompt, repeatable=False)

    def poll(self) -> Steps:
        if self.credentials is None:
            return self.start
        while True:
            response = yield from self.fetch(lambda: self.request("/job", self.job))
            pictures = response.decode(Job).pictures
            if pictures is not None:
                for index, url in enumerate(pictures):
                    self.emit(ImageReady(url, index))
                return None
            yield from self.sleep(self.pause())

    def pause(self) -> float:
        return 2.0


class EchoService:
    """The emulator of the service."""

    def __init__(self) -> None:
        self.tokens = 0
        self.jobs: dict[str, float] = {}

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        body = msgspec.json.decode(request.body)
        if request.target == "/token":
            self.tokens += 1
            return whole({"token": f"a-token-of-the-service-{self.tokens}"})
        held = dict(request.headers).get("authorization", "")
        if not held.startswith("Bearer a-token-of-the-service-"):
            return whole({"message": f"no {held}"}, status=401)
        return self.answer(request.target, body, now)

    def answer(self, target: str, body: object, now: float) -> EmulatorResponse:
        match target:
            case "/words":
                words = [json.dumps({"word": f"{word} "}, ensure_ascii=False) for word in str(body).split()]
                return EmulatorResponse(
                    chunks=tuple(Chunk(f"data: {word}\n\n".encode()) for word in [*words, "[DONE]"])
                )
            case "/jobs":
                job = f"job-{len(self.jobs)}"
                self.jobs[job] = now
                return whole({"job": job})
            case _:
                is_done = now - self.jobs.get(str(body), now) > 3
                return whole({"pictures": [f"{SITE}/1.png"] if is_done else None})


def whole(value: object, status: int = 200) -> EmulatorResponse:
    return EmulatorResponse(status=status, chunks=(Chunk(msgspec.json.encode(value)),))


def kit_for(flow: type[EchoChat | EchoImage], service: type[EchoService] = EchoService) -> FlowKit:
    """The kit for a flow."""

    class Kit(FlowKit):
        provider = Provider(
            name="echo",
            label="Echo",
            chat=flow if issubclass(flow, EchoChat) else None,
            image=flow if issubclass(flow, EchoImage) else None,
            endpoints=Endpoints(),
            website=SITE,
            status="gone",
            note="An example.",
        )
        emulator = service
        prompt = "Grüße an alle, die 世界 kennen 🐉"

    return Kit()
