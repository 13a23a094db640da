"""The lower bound: sockets under epoll that are only read. The callback gets the bytes of each read."""

from __future__ import annotations

import selectors
import socket

from clients.minimal_http import READ_SIZE, address, request
from clients.runners import OnOutput

END = b"0\r\n\r\n"


def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
    request_bytes = request(url, model)
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            connected = socket.create_connection(address(url))
            connected.sendall(request_bytes)
            connected.setblocking(False)
            selector.register(connected, selectors.EVENT_READ)
        left = streams
        while left:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(READ_SIZE)
                on_output(data)
                if data.endswith(END):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1
