"""The floor: sockets, a chunk reader without checks, modelwire's decoder and typed JSON; many streams use epoll."""

from __future__ import annotations

import selectors
import socket

from clients.minimal_http import READ_SIZE, ChunkReader, address, request
from clients.openai_response import decode_chunk
from clients.runners import OnOutput
from modelwire.sse import EventStreamDecoder


class Reader:
    """Reads one answer."""

    def __init__(self, on_output: OnOutput) -> None:
        self._on_output = on_output
        self._chunks = ChunkReader()
        self._events = EventStreamDecoder()

    def receive(self, data: bytes) -> bool:
        """Decode some bytes of the response. Returns True after the last event."""
        for event in self._events.feed(self._chunks.feed(data)):
            if event.raw == b"[DONE]":
                return True
            text = decode_chunk(event.raw).choices[0].delta.content
            if text:
                self._on_output(text)
        return False


def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
    request_bytes = request(url, model)
    if streams == 1:
        reader = Reader(on_output)
        with socket.create_connection(address(url)) as connected:
            connected.sendall(request_bytes)
            while not reader.receive(connected.recv(READ_SIZE)):
                pass
        return
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            connected = socket.create_connection(address(url))
            connected.sendall(request_bytes)
            connected.setblocking(False)
            selector.register(connected, selectors.EVENT_READ, Reader(on_output))
        left = streams
        while left:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                if key.data.receive(key.fileobj.recv(READ_SIZE)):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1
