"""Sockets under epoll that are read, and no more."""

from __future__ import annotations

import selectors
import socket

from .running import Take
from .wire import READ_SIZE, address, request

END = b"0\r\n\r\n"


def run(url: str, model: str, streams: int, take: Take) -> None:
    """Read; `take` gets what each read brought."""
    asked = request(url, model)
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            connected = socket.create_connection(address(url))
            connected.sendall(asked)
            connected.setblocking(False)
            selector.register(connected, selectors.EVENT_READ)
        left = streams
        while left:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(READ_SIZE)
                take(data)
                if data.endswith(END):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1
