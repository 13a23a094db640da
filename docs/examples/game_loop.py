"""A flow in a game: sixty frames a second, and no call in a frame blocks.

`connect_ex` resolves names, which may take longer than a frame: a game does that beforehand.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import deque
from collections.abc import Generator, Iterator
from ssl import SSLWantReadError, SSLWantWriteError

from common import TLS, Task, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange


def play(task: Task) -> Iterator[None]:
    """Deliver events to the flow and carry out its commands, one step a frame."""
    happened: deque[Event] = deque([Start(os.urandom(32), os.urandom(32))])
    task.stop = lambda: happened.append(Cancel())
    sent, carrier = 0, (list[Event]() for _ in ())  # nothing to carry yet
    while True:
        for item in task.flow.handle(happened.popleft(), now()):
            match item:
                case SendRequest(request_id) if request_id != sent:
                    sent, carrier = request_id, carry(Http11Exchange(item))
                case SendRequest() | Sleep():
                    pass  # it waits until `flow.deadline`
                case AbortRequest():
                    carrier.close()
                case Finished(failure):
                    return task.done(failure)
                case output:
                    task.show(output)
        while not happened:
            yield
            happened.extend([Woken()] if now() >= task.flow.deadline else next(carrier, []))


def carry(http: Http11Exchange) -> Generator[list[Event]]:
    """Send one request, and yield its events step by step."""
    stream, data, heard = socket.socket(), http.outgoing, now()
    stream.setblocking(False)
    try:
        while not http.is_over:
            try:
                if not http.is_begun:
                    if (code := stream.connect_ex(http.address)) not in (0, errno.EISCONN):
                        raise OSError(code, os.strerror(code))
                    if http.tls:  # as a client, without a blocking handshake
                        stream = TLS.wrap_socket(stream, False, False, server_hostname=http.host)
                    http.begin()
                data = data and data[stream.send(data) :]
                yield http.receive(stream.recv(65536))
                heard = now()
            except (BlockingIOError, SSLWantReadError, SSLWantWriteError):
                yield http.end(TimeoutError()) if now() > heard + http.timeout else []
    except OSError as error:
        yield http.end(error)
    finally:
        stream.close()


for task in tasks():
    for _ in play(task):
        time.sleep(1 / 60 - time.monotonic() % (1 / 60))  # the game does its own work, and draws
