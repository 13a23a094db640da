"""A flow in a loop written by hand: `selectors`, and a socket that never blocks.

Two things are left out, to keep the loop in sight. `connect_ex` waits for the lookup of a name: do
that beforehand. There is no TLS: `game_loop.py` shows what it takes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Generator
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, DefaultSelector

from common import Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange


def run(task: Task) -> None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    happened: deque[Event] = deque([Start(os.urandom(32), os.urandom(32))])
    task.stop = lambda: happened.append(Cancel())
    sent, carrier, selector = 0, (list[Event]() for _ in ()), DefaultSelector()  # nothing yet
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
    """Send one request, and yield its events, or none if nothing has arrived."""
    stream, data, heard = socket.socket(), http.outgoing, now()
    stream.setblocking(False)
    selector.register(stream, EVENT_WRITE)
    try:
        while not http.is_over:
            try:
                if not http.is_begun:
                    code = errno.EPROTONOSUPPORT if http.tls else stream.connect_ex(http.address)
                    if code not in (0, errno.EISCONN):
                        raise OSError(code, os.strerror(code))
                    http.begin()
                data = data and data[stream.send(data) :]
                yield http.receive(stream.recv(65536))
                heard = now()
            except BlockingIOError:
                selector.modify(stream, EVENT_WRITE if data else EVENT_READ)
                yield http.end(TimeoutError()) if now() > heard + http.timeout else []
    except OSError as error:
        yield http.end(error)
    finally:
        selector.unregister(stream)
        stream.close()


for task in tasks():
    run(task)
