"""The least HTTP that reads an answer: a request as bytes, and a reader of chunks that checks nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

from .openai_request import body

READ_SIZE = 64 * 1024


def address(url: str) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def request(url: str, model: str) -> bytes:
    """A chat request to OpenAI's API, head and body."""
    data = body(model)
    head = (
        f"POST {urlsplit(url).path}/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class ChunkReader:
    """Takes the body out of a chunked response."""

    def __init__(self) -> None:
        self.is_over = False
        self._rest = b""
        self._has_head = False

    def feed(self, data: bytes) -> bytes:
        """Returns the content of all chunks that are complete."""
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
