"""A flow of modelwire's for OpenAI's API, as a provider outside of the library would write it."""

from __future__ import annotations

from dataclasses import dataclass

from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.outputs import TextDelta
from modelwire.sse import ServerSentEvent
from modelwire.text import EventSink

from .running import body
from .wire import ChatChunk


@dataclass(kw_only=True)
class OpenAiChat(Flow):
    """One answer."""

    url: str
    model: str

    def start(self) -> Steps:
        """Ask, and hand on the answer as it comes."""
        yield from self.stream(self.request, lambda: EventSink(self.take, self.limits))

    def request(self) -> Request:
        """What is asked."""
        return Request(
            method="POST",
            url=f"{self.url}/chat/completions",
            headers=(("content-type", "application/json"), ("authorization", "Bearer emulated")),
            body=body(self.model),
        )

    def take(self, event: ServerSentEvent) -> bool:
        """One event of the answer."""
        if event.raw == b"[DONE]":
            return True
        text = event.decode(ChatChunk).choices[0].delta.content
        if text:
            self.emit(TextDelta(text))
        return False
