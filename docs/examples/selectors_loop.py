"""A flow in a loop written by hand: `selectors`, and a socket that never blocks.

`connect_ex` looks names up, and waits for that: a loop with more to do looks them up beforehand.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Generator
from selectors import EVENT_READ as READ
from selectors import EVENT_WRITE as WRITE
from selectors import BaseSelector, DefaultSelector
from ssl import SSLWantReadError, SSLWantWriteError

from common import TLS, Task, left, now, tasks

from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http11_exchange import Http11Exchange


def run(task: Task) -> None:
    """Hand the flow what happens, and do what it commands, until it is over."""
    happened: deque[Event] = deque([Start(os.urandom(32), os.urandom(32))])
    task.stop = lambda: happened.append(Cancel())
    sent, carrier, selector = 0, (list[Event]() for _ in ()), DefaultSelector()
    while True:
        for item in task.flow.handle(happened.popleft(), now()):
            match item:
                case SendRequest(request_id) if request_id != sent:
                    sent, carrier = request_id, carry(Http11Exchange(item), selector)
                case SendRequest() | Sleep():
                    pass  # it waits until `flow.deadline`
                case AbortRequest():
                    carrier.close()
                case Finished(failure):
                    return task.done(failure)
                case output:
                    task.show(output)
        while not happened:
            happened.extend([Woken()] if now() >= task.flow.deadline else next(carrier, []))
            selector.select(0 if happened else min(left(task.flow.deadline), 1.0))


def carry(http: Http11Exchange, selector: BaseSelector) -> Generator[list[Event]]:
    """Send one request, and tell what comes of it; nothing comes before the selector says so."""
    stream, data, heard = socket.socket(), http.outgoing, now()
    stream.setblocking(False)
    selector.register(stream, WRITE)
    try:
        while not http.is_over:
            try:
                if not http.is_begun:
                    if (code := stream.connect_ex(http.address)) not in (0, errno.EISCONN):
                        raise OSError(code, os.strerror(code))
                    stream = (
                        TLS.wrap_socket(stream, False, False, True, http.host)
                        if http.tls
                        else stream
                    )
                    http.begin()
                data = data and data[stream.send(data) :]
                yield http.receive(stream.recv(65536))
                heard = now()
            except (BlockingIOError, SSLWantReadError, SSLWantWriteError) as wait:
                selector.modify(
                    stream, READ if type(wait) is SSLWantReadError or not data else WRITE
                )
                yield http.end(TimeoutError()) if now() > heard + http.timeout else []
    except OSError as error:
        yield http.end(error)
    finally:
        selector.unregister(stream)
        stream.close()


for task in tasks():
    run(task)
