"""Decoders of event streams, modelwire's or those of other libraries, in a process of the environment that has them.

Each runs in the cheapest way, in a plain loop without an HTTP response. If a library decodes text, an incremental
UTF-8 decoder runs before it.
"""

# ruff: noqa: B007  # the loops only consume the events; the last one is checked

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from types import GenericAlias
from typing import Any

from child_processes import JsonObject, Parent

# Decodes chunks of bytes and returns the last event; None if it makes no events.
Decode = Callable[[list[Any]], Any]

CHAT_DATA = (
    b'{"id":"chatcmpl-A1b2C3d4","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
    b'"system_fingerprint":"fp_0123456789abcdef","choices":[{"index":0,"delta":{"content":"amet, "},"logprobs":null,'
    b'"finish_reason":null}]}'
)
CHAT = b"data: " + CHAT_DATA + b"\n\n"
KIB = 1024
# Data of the last event of every stream. It shows that the stream was read to its end.
LAST = '{"choices":[]}'

# One event of each kind of stream.
EVENTS = {
    "chat": CHAT,
    "chat, CRLF": CHAT.replace(b"\n", b"\r\n"),
    "event and data": b"event: content_block_delta\n" + CHAT,
    "comments between": b": keep-alive\n\n" + CHAT,
    "tiny": b"data: x\n\n",
    "64 KiB, a line": b"data: " + CHAT_DATA * (64 * KIB // len(CHAT_DATA)) + b"\n\n",
    "64 KiB, lines of 64 B": (b"data: " + CHAT_DATA[:57] + b"\n") * KIB + b"\n",
}

# How a stream is cut: a number of bytes, or one of these.
WHOLE, EVENT, TEXT = "whole", "one event", "data as text"


def event_of(kind: str, size: int) -> bytes:
    """One event of a kind above; for `line` and `lines`, one of about `size` bytes."""
    if kind == "line":
        return b"data: " + b"x" * (size - 8) + b"\n\n"
    if kind == "lines":
        return (b"data: " + b"x" * 57 + b"\n") * (size // 64) + b"\n"
    return EVENTS[kind]


@lru_cache(maxsize=1)
def chunks_of(kind: str, size: int, events: int, cut: str | int) -> list[Any]:
    """A stream in pieces. Cached, because every decoder reads the same one in turn."""
    event = event_of(kind, size)
    if cut == TEXT:
        return [f"{event[6:].decode().strip()}{' ' * (number % 2)}" for number in range(events)]
    stream = event * events + f"data: {LAST}\n\n".encode()
    width = len(stream) if cut == WHOLE else len(event) if cut == EVENT else int(cut)
    return [stream[start : start + width] for start in range(0, len(stream), width)]


# modelwire's decoder, and the lower bounds.


def modelwire(chunks: list[bytes]) -> Any:
    """Decode events, with data as bytes."""
    feed = _decoder().feed
    event: Any = None
    for chunk in chunks:
        for event in feed(chunk):
            pass
    return event


def modelwire_text(chunks: list[bytes]) -> Any:
    """The same, with data as text."""
    feed = _decoder().feed
    event: Any = None
    for chunk in chunks:
        for event in feed(chunk):
            event.data  # noqa: B018
    return event


def modelwire_json(chunks: list[bytes]) -> Any:
    """The same, with data as typed JSON."""
    feed, shape = _decoder().feed, _chunk_shape()
    event: Any = None
    for chunk in chunks:
        for event in feed(chunk):
            event.decode(shape)
    return event


def _decoder() -> Any:
    limit = 64 * KIB * KIB
    return import_module("modelwire.sse").EventStreamDecoder(max_line=limit, max_event=limit)


@cache
def _chunk_shape() -> type:
    """The fields that a client reads from an OpenAI-style chunk."""
    struct = import_module("msgspec").defstruct
    delta = struct("Delta", [("content", str, "")])
    choice = struct("Choice", [("delta", delta), ("finish_reason", str | None, None)])
    shape: type = struct("Chunk", [("choices", GenericAlias(list, (choice,)))])
    return shape


def split(chunks: list[bytes]) -> None:
    """The lower bound for code that looks at every byte: cut each chunk at blank lines."""
    for chunk in chunks:
        chunk.split(b"\n\n")


def join(chunks: list[bytes]) -> None:
    """The lower bound for an event of one line that arrives in pieces: collect them, and join them once."""
    pieces = []
    for chunk in chunks:
        pieces.append(chunk)
        if 10 in chunk:
            b"".join(pieces)
            pieces.clear()


def json_loads(texts: list[str]) -> None:
    """The lower bound for a client with `json.loads`: parse the data, without decoding the stream."""
    for text in texts:
        json.loads(text)


# The decoders of other libraries.


def httpx_sse(chunks: list[bytes]) -> Any:
    """The two decoders inside httpx-sse's `EventSource`."""
    library = import_module("httpx_sse._decoders")
    decode_text = codecs.getincrementaldecoder("utf-8")("replace").decode
    decode_lines, decode = library.SSELineDecoder().decode, library.SSEDecoder().decode
    event: Any = None
    for chunk in chunks:
        for line in decode_lines(decode_text(chunk)):
            decoded = decode(line)
            if decoded is not None:
                event = decoded
    return event


def httpx2(chunks: list[bytes]) -> Any:
    """The parser inside httpx2's `EventSource`."""
    decode_text = codecs.getincrementaldecoder("utf-8")("replace").decode
    decode = import_module("httpx2._sse")._SSEParser().decode
    event: Any = None
    for chunk in chunks:
        for event in decode(decode_text(chunk)):
            pass
    return event


def openai(chunks: list[bytes]) -> Any:
    """The decoder of openai's clients."""
    event: Any = None
    for event in import_module("openai._streaming").SSEDecoder().iter_bytes(iter(chunks)):
        pass
    return event


def anthropic(chunks: list[bytes]) -> Any:
    """The decoder of anthropic's clients."""
    event: Any = None
    for event in import_module("anthropic._streaming").SSEDecoder().iter_bytes(iter(chunks)):
        pass
    return event


def sseclient(chunks: list[bytes]) -> Any:
    """The client of sseclient-py, over bytes instead of a response."""
    event: Any = None
    for event in import_module("sseclient").SSEClient(iter(chunks)).events():
        pass
    return event


OURS: dict[str, Decode] = {
    "modelwire": modelwire,
    "modelwire, text": modelwire_text,
    "modelwire, typed JSON": modelwire_json,
    "bytes.split": split,
    "bytes.join": join,
    "json.loads": json_loads,
}
PEERS: dict[str, Decode] = {
    "httpx-sse": httpx_sse,
    "httpx2": httpx2,
    "openai": openai,
    "anthropic": anthropic,
    "sseclient-py": sseclient,
}


def main() -> None:
    """For each request, decode a stream and send the seconds of CPU time."""
    parent = Parent()
    cpu_seconds = import_module("rounds").cpu_seconds
    parent.send(ready=True)

    def handle(request: JsonObject) -> JsonObject:
        decode = (OURS | PEERS)[request["decoder"]]
        chunks = chunks_of(request["kind"], request["size"], request["events"], request["cut"])
        last: list[Any] = []
        seconds = cpu_seconds(lambda: last.append(decode(chunks)))
        assert last[0] is None or last[0].data == LAST, f"the decoder did not reach the last event: {request}"
        return {"seconds": seconds}

    parent.serve(handle)


if __name__ == "__main__":
    main()
