"""The least that it takes to read an answer: a request as bytes, chunks, events, and typed JSON."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from .running import body

READ_SIZE = 64 * 1024


class Delta(msgspec.Struct):
    """A piece of text, or none."""

    content: str | None = None


class Choice(msgspec.Struct):
    """One of the answers; there is one."""

    delta: Delta


class ChatChunk(msgspec.Struct):
    """The data of one event of OpenAI's API."""

    choices: list[Choice]


decode_chunk = msgspec.json.Decoder(ChatChunk).decode


def address(url: str) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def request(url: str, model: str) -> bytes:
    """The same, as it is written to a socket."""
    asked = body(model)
    head = (
        f"POST {urlsplit(url).path}/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(asked)}\r\n\r\n"
    )
    return head.encode() + asked


class ChunkReader:
    """Takes HTTP's chunks apart, and checks nothing."""

    def __init__(self) -> None:
        self.is_over = False
        self._rest = b""
        self._has_head = False

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body of all chunks that are complete."""
        data = self._rest + data if self._rest else data
        position = 0
        if not self._has_head:
            position = data.find(b"\r\n\r\n") + 4
            if position < 4:
                self._rest = data
                return b""
            self._has_head = True
        pieces = []
        end = len(data)
        while (line_end := data.find(b"\r\n", position)) >= 0:
            size = int(data[position:line_end], 16)
            if size == 0:
                self.is_over = True
                break
            stop = line_end + 2 + size
            if stop + 2 > end:
                break
            pieces.append(data[line_end + 2 : stop])
            position = stop + 2
        self._rest = data[position:]
        return b"".join(pieces)
