"""The streams that `stream_server.py` sends: events of about 250 bytes, each in an HTTP chunk of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

# Bytes of an average event, its blank line included. Events differ because words do.
EVENT_BYTES = 250
# Sent in turn: a client may take it for an error if a model repeats one piece of text.
WORDS = ("An ", "answer ", "comes ", "piece by ", "piece, ", "and ", "hardly any ", "is ", "as long as ", "another. ")
AVERAGE_WORD = "pieces "

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


class Answer:
    """An answer as bytes of a response: `before` its text, events with text, and `after` its text."""

    def __init__(self, before: bytes, event: Callable[[str], bytes], after: bytes) -> None:
        self.before = _HEAD + _chunk(before)
        self._event = event
        self._words = [self.event(word) for word in WORDS]
        self.after = _chunk(after) + b"0\r\n\r\n"

    def event(self, text: str) -> bytes:
        """One event with this text, as a chunk."""
        return _chunk(self._event(text))

    def events(self, count: int) -> bytes:
        return b"".join(self.nth(number) for number in range(count))

    def nth(self, number: int) -> bytes:
        """Event `number` of an answer, as a chunk."""
        return self._words[number % len(WORDS)]


@cache
def answer_at(path: str) -> Answer:
    """The answer of the API at a path: Anthropic's at `.../messages`, OpenAI's at any other."""
    return _anthropic() if path.endswith("/messages") else _openai()


def _openai() -> Answer:
    return Answer(b"", _openai_event, _sse("", _openai_chunk({}, "stop")) + b"data: [DONE]\n\n")


def _openai_event(text: str) -> bytes:
    return _sse("", _openai_chunk({"content": text}, None, _openai_padding()))


@cache
def _openai_padding() -> str:
    return _padding(_sse("", _openai_chunk({"content": AVERAGE_WORD}, None)))


def _openai_chunk(delta: dict[str, str], finish_reason: str | None, padding: str = "") -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-A1b2C3d4",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "gpt-4o-mini",
        "system_fingerprint": f"fp_{padding}",
        "choices": [choice],
    }


def _anthropic() -> Answer:
    message: dict[str, object] = {
        "id": "msg_A1b2C3d4",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }
    block = {"type": "text", "text": ""}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    before: list[dict[str, object]] = [
        {"type": "message_start", "message": message},
        _indexed("content_block_start", content_block=block),
    ]
    after: list[dict[str, object]] = [
        _indexed("content_block_stop"),
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    return Answer(b"".join(_typed(data) for data in before), _anthropic_event, b"".join(_typed(data) for data in after))


def _anthropic_event(text: str) -> bytes:
    return _typed(_anthropic_delta(text, _anthropic_padding()))


@cache
def _anthropic_padding() -> str:
    return _padding(_typed(_anthropic_delta(AVERAGE_WORD, "")))


def _anthropic_delta(text: str, padding: str) -> dict[str, object]:
    return _indexed("content_block_delta", delta={"type": "text_delta", "text": text}, p=padding)


def _indexed(kind: str, **fields: object) -> dict[str, object]:
    return {"type": kind, "index": 0, **fields}


def _typed(data: dict[str, object]) -> bytes:
    return _sse(str(data["type"]), data)


def _padding(event: bytes) -> str:
    """Letters that bring an event with the average word to `EVENT_BYTES`."""
    return "x" * max(0, EVENT_BYTES - len(event))


def _sse(event: str, data: object) -> bytes:
    kind = f"event: {event}\n" if event else ""
    return f"{kind}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
