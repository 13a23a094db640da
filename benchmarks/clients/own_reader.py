"""The floor: sockets, an own chunk reader, modelwire's decoder and typed JSON. One blocking, or many under epoll."""

from __future__ import annotations

import selectors
import socket

from modelwire.sse import EventStreamDecoder

from .running import Take
from .wire import READ_SIZE, ChunkReader, address, decode_chunk, request


class Reading:
    """One answer under way."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._chunks = ChunkReader()
        self._events = EventStreamDecoder()

    def receive(self, data: bytes) -> bool:
        """Take what was read; whether the answer is over."""
        for event in self._events.feed(self._chunks.feed(data)):
            if event.raw == b"[DONE]":
                return True
            text = decode_chunk(event.raw).choices[0].delta.content
            if text:
                self._take(text)
        return False


def run(url: str, model: str, streams: int, take: Take) -> None:
    """Read."""
    asked = request(url, model)
    if streams == 1:
        reading = Reading(take)
        with socket.create_connection(address(url)) as connected:
            connected.sendall(asked)
            while not reading.receive(connected.recv(READ_SIZE)):
                pass
        return
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            connected = socket.create_connection(address(url))
            connected.sendall(asked)
            connected.setblocking(False)
            selector.register(connected, selectors.EVENT_READ, Reading(take))
        left = streams
        while left:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                if key.data.receive(key.fileobj.recv(READ_SIZE)):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1
