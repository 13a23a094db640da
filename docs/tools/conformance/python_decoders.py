"""Event streams read by the decoders of other Python libraries; run in an environment that has them.

Reads a JSON list of streams from stdin: `stream` in base64, and `cuts`, each a list of offsets. Writes an object: for
each library its version, how it is called, and the result for each cut of each stream.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

# A function from chunks of bytes to events with `event`, `data`, `id` and `retry`.
Decode = Callable[[Iterator[bytes]], Iterable[Any]]

HEADERS = {"content-type": "text/event-stream"}


def httpx_sse(chunks: Iterator[bytes]) -> Iterable[Any]:
    """`EventSource(response).iter_sse()`"""
    response = import_module("httpx").Response(200, headers=HEADERS, content=chunks)
    events: Iterable[Any] = import_module("httpx_sse").EventSource(response).iter_sse()
    return events


def httpx2(chunks: Iterator[bytes]) -> Iterable[Any]:
    """`EventSource(response)`"""
    library = import_module("httpx2")
    request = library.Request("GET", "http://127.0.0.1")
    events: Iterable[Any] = library.EventSource(library.Response(200, headers=HEADERS, content=chunks, request=request))
    return events


def openai(chunks: Iterator[bytes]) -> Iterable[Any]:
    """`SSEDecoder().iter_bytes(chunks)`, which its clients use"""
    events: Iterable[Any] = import_module("openai._streaming").SSEDecoder().iter_bytes(chunks)
    return events


def anthropic(chunks: Iterator[bytes]) -> Iterable[Any]:
    """`SSEDecoder().iter_bytes(chunks)`, which its clients use"""
    events: Iterable[Any] = import_module("anthropic._streaming").SSEDecoder().iter_bytes(chunks)
    return events


def sseclient(chunks: Iterator[bytes]) -> Iterable[Any]:
    """`SSEClient(chunks).events()`"""
    events: Iterable[Any] = import_module("sseclient").SSEClient(chunks).events()
    return events


LIBRARIES: dict[str, Decode] = {
    "httpx-sse": httpx_sse,
    "httpx2": httpx2,
    "openai": openai,
    "anthropic": anthropic,
    "sseclient-py": sseclient,
}


def read(decode: Decode, chunks: list[bytes]) -> dict[str, Any]:
    """The result of a library. Ids and times of earlier events are remembered if an event has None."""
    events: list[list[str]] = []
    retry: object = None
    last_id = ""
    error = None
    try:
        for event in decode(iter(chunks)):
            last_id = last_id if event.id is None else event.id
            retry = retry if event.retry is None else _time(event.retry)
            events.append([event.event or "message", event.data, last_id])
    except Exception as raised:  # an exception of the library is its result
        error = type(raised).__name__
    return {"events": events, "retry": retry, "error": error}


def _time(value: object) -> object:
    """A time as a number, if the library gives it as digits."""
    return int(value[-4000:]) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The chunks of a stream."""
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def main() -> None:
    """Read every stream with every library."""
    streams = [(base64.b64decode(each["stream"]), each["cuts"]) for each in json.load(sys.stdin)]
    result = {
        name: {
            "version": version(name),
            "call": decode.__doc__,
            "readings": [[read(decode, cut(stream, places)) for places in cuts] for stream, cuts in streams],
        }
        for name, decode in LIBRARIES.items()
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
