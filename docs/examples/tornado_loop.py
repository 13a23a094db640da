"""A flow on Tornado: a coroutine carries requests over IOStreams, and a queue brings the events.

Tornado's own HTTP client adds a User-Agent and other headers, which a flow does not allow.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from datetime import timedelta
from functools import partial

from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.queues import Queue
from tornado.tcpclient import TCPClient

from common import TLS, Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange


async def run(task: Task) -> None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    inbox: Queue[Event] = Queue()
    task.stop = lambda: inbox.put_nowait(Cancel())
    event: Event = Start(os.urandom(32), os.urandom(32))
    sent, carrier = 0, asyncio.Future[None]()
    while True:
        for item in task.flow.handle(event, now()):
            match item:
                case SendRequest(request_id) if request_id != sent:
                    sent = request_id
                    carrier = asyncio.create_task(carry(Http11Exchange(item), inbox))
                case SendRequest() | Sleep():
                    pass  # it waits until `flow.deadline`
                case AbortRequest():
                    carrier.cancel()
                case Finished(failure):
                    return task.done(failure)
                case output:
                    task.show(output)
        try:
            event = await inbox.get(timedelta(seconds=left(task.flow.deadline)))
        except TimeoutError:
            event = Woken()


async def carry(http: Http11Exchange, inbox: Queue[Event]) -> None:
    """Send one request, and report its events."""
    tls = TLS if http.tls else None
    try:
        async with asyncio.timeout(http.timeout) as silence:
            stream = await TCPClient().connect(*http.address, ssl_options=tls)
            with closing(stream):
                await stream.write(http.begin())
                while not http.is_over:
                    data = await stream.read_bytes(65536, partial=True)
                    silence.reschedule(asyncio.get_running_loop().time() + http.timeout)
                    for event in http.receive(data):
                        inbox.put_nowait(event)
    except OSError as error:
        for event in http.end(error.real_error if isinstance(error, StreamClosedError) else error):
            inbox.put_nowait(event)


for task in tasks():
    IOLoop.current().run_sync(partial(run, task))
