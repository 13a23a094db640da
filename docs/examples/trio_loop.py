"""A flow on trio: a task carries each request, and a channel brings the events."""

from __future__ import annotations

import math
import os

import trio

from common import Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.errors import Failure
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange

Inbox = trio.MemorySendChannel[Event]


async def run(task: Task) -> Failure | None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    inbox, happened = trio.open_memory_channel[Event](math.inf)
    task.stop = lambda: inbox.send_nowait(Cancel())
    event: Event = Start(os.urandom(32), os.urandom(32))
    sent, carrier = 0, trio.CancelScope()
    async with trio.open_nursery() as nursery:
        while True:
            for item in task.flow.handle(event, now()):
                match item:
                    case SendRequest(request_id) if request_id != sent:
                        sent, carrier = request_id, trio.CancelScope()
                        nursery.start_soon(carry, Http11Exchange(item), inbox, carrier)
                    case SendRequest() | Sleep():
                        pass  # it waits until `flow.deadline`
                    case AbortRequest():
                        carrier.cancel()
                    case Finished(failure):
                        return failure
                    case output:
                        task.show(output)
            event = Woken()
            with trio.move_on_after(left(task.flow.deadline)):
                event = await happened.receive()


async def carry(http: Http11Exchange, inbox: Inbox, scope: trio.CancelScope) -> None:
    """Send one request, and report its events."""
    dial = trio.open_ssl_over_tcp_stream if http.tls else trio.open_tcp_stream
    try:
        with scope, trio.move_on_after(http.timeout) as silence:
            async with await dial(*http.address) as stream:
                await stream.send_all(http.begin())
                while not http.is_over:
                    data = await stream.receive_some()
                    silence.deadline = trio.current_time() + http.timeout
                    for event in http.receive(data):
                        inbox.send_nowait(event)
        if silence.cancelled_caught:
            raise TimeoutError
    except (OSError, trio.BrokenResourceError) as error:
        for event in http.end(error.__cause__ or error):
            inbox.send_nowait(event)


for task in tasks():
    task.done(trio.run(run, task))
