"""A flow on gevent: a greenlet blocks in a socket, and a queue brings the events."""

from __future__ import annotations

import os
from queue import Empty

import gevent  # type: ignore[import-untyped]  # its types are a separate package
from gevent import socket, ssl
from gevent.queue import Queue  # type: ignore[import-untyped]

from common import Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.errors import Failure
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # gevent's; `create_default_context` is not
TLS.load_default_certs()


def run(task: Task) -> Failure | None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    inbox: Queue[Event] = Queue()
    task.stop = lambda: inbox.put(Cancel())
    event: Event = Start(os.urandom(32), os.urandom(32))
    sent, carrier = 0, gevent.Greenlet()
    while True:
        for item in task.flow.handle(event, now()):
            match item:
                case SendRequest(request_id) if request_id != sent:
                    sent = request_id
                    carrier = gevent.spawn(carry, Http11Exchange(item), inbox)
                case SendRequest() | Sleep():
                    pass  # it waits until `flow.deadline`
                case AbortRequest():
                    carrier.kill()
                case Finished(failure):
                    return failure
                case output:
                    task.show(output)
        try:
            event = inbox.get(timeout=left(task.flow.deadline))
        except Empty:
            event = Woken()


def carry(http: Http11Exchange, inbox: Queue[Event]) -> None:
    """Send one request, and report its events."""
    try:
        plain = socket.create_connection(http.address, http.timeout)
        with TLS.wrap_socket(plain, server_hostname=http.host) if http.tls else plain as stream:
            stream.sendall(http.begin())
            while not http.is_over:
                for event in http.receive(stream.recv(65536)):
                    inbox.put(event)
    except OSError as error:
        for event in http.end(error):
            inbox.put(event)


for task in tasks():
    task.done(run(task))
