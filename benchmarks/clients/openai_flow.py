"""A flow for OpenAI's API, written as the author of a provider outside modelwire would write it."""

from __future__ import annotations

from dataclasses import dataclass

from modelwire.flow import Flow, Steps
from modelwire.http import Request
from modelwire.outputs import TextDelta
from modelwire.sse import ServerSentEvent
from modelwire.text import EventSink

from .openai_request import body
from .openai_response import ChatChunk


@dataclass(kw_only=True)
class OpenAiChat(Flow):
    """One answer, piece by piece."""

    url: str
    model: str

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: EventSink(self.on_event, self.limits))

    def request(self) -> Request:
        return Request(
            method="POST",
            url=f"{self.url}/chat/completions",
            headers=(("content-type", "application/json"), ("authorization", "Bearer emulated")),
            body=body(self.model),
        )

    def on_event(self, event: ServerSentEvent) -> bool:
        """Emit the text of one event. Returns True after the last one."""
        if event.raw == b"[DONE]":
            return True
        text = event.decode(ChatChunk).choices[0].delta.content
        if text:
            self.emit(TextDelta(text))
        return False
