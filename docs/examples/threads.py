"""A flow among threads: a worker blocks in a socket, and a queue brings the events.

The flow stays in one thread. To stop a worker, its socket is shut down.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread

from common import TLS, Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.errors import Failure
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange


def run(task: Task) -> Failure | None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    inbox: Queue[Event] = Queue()
    task.stop = lambda: inbox.put(Cancel())  # good from any thread
    event: Event = Start(os.urandom(32), os.urandom(32))
    sent, link = 0, Future[socket.socket]()
    while True:
        for item in task.flow.handle(event, now()):
            match item:
                case SendRequest(request_id) if request_id != sent:
                    sent, link = request_id, Future()
                    http = Http11Exchange(item)
                    Thread(target=carry, args=(http, inbox, link), daemon=True).start()
                case SendRequest() | Sleep():
                    pass  # it waits until `flow.deadline`
                case AbortRequest():
                    link.add_done_callback(hang_up)  # now, or as soon as there is a connection
                case Finished(failure):
                    return failure
                case output:
                    task.show(output)
        try:
            event = inbox.get(timeout=left(task.flow.deadline))
        except Empty:
            event = Woken()


def carry(http: Http11Exchange, inbox: Queue[Event], link: Future[socket.socket]) -> None:
    """Send one request, and report its events."""
    try:
        plain = socket.create_connection(http.address, http.timeout)
        with TLS.wrap_socket(plain, server_hostname=http.host) if http.tls else plain as stream:
            link.set_result(stream)
            stream.sendall(http.begin())
            while not http.is_over:
                for event in http.receive(stream.recv(65536)):
                    inbox.put(event)
    except OSError as error:
        for event in http.end(error):
            inbox.put(event)


def hang_up(link: Future[socket.socket]) -> None:
    """Wake the worker, which closes the connection."""
    with suppress(OSError):
        # The plain socket's method: that of a TLS socket would send plain text for a moment.
        socket.socket.shutdown(link.result(), socket.SHUT_RDWR)


for task in tasks():
    task.done(run(task))
