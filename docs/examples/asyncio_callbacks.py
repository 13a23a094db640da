"""A flow on asyncio by callbacks alone: a Protocol and `call_later`, no `async`, no `await`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import closing

from common import Task, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange


def run(task: Task) -> None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    link: Link
    sent, timer = 0, loop.call_later(0, lambda: pump(Start(os.urandom(32), os.urandom(32))))
    task.stop = lambda: loop.call_soon(pump, Cancel())

    def pump(*events: Event) -> None:
        nonlocal link, sent, timer
        for item in (item for event in events for item in task.flow.handle(event, now())):
            if isinstance(item, SendRequest) and item.request_id != sent:
                sent, link = item.request_id, Link(Http11Exchange(item), pump)
            match item:
                case SendRequest(_, _, until) | Sleep(until):
                    timer.cancel()
                    timer = loop.call_later(until - now(), pump, Woken())
                case AbortRequest():
                    link.abort()
                case Finished(failure):
                    task.done(failure)
                    loop.call_soon(loop.stop)
                case output:
                    task.show(output)


class Link(asyncio.Protocol):
    """Sends one request, and reports its events."""

    def __init__(self, http: Http11Exchange, push: Callable[..., None]) -> None:
        dial = loop.create_task(loop.create_connection(lambda: self, *http.address, ssl=http.tls))
        dial.add_done_callback(self.dialed)
        self.http, self.push, self.abort = http, push, dial.cancel
        self.silence = loop.call_later(http.timeout, self.connection_lost, TimeoutError())

    def dialed(self, dial: asyncio.Task[object]) -> None:
        if not dial.cancelled() and (error := dial.exception()):
            self.connection_lost(error)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.abort = transport.abort  # type: ignore[assignment]  # either takes no argument
        transport.write(self.http.begin())

    def data_received(self, data: bytes) -> None:
        self.silence.cancel()
        self.silence = loop.call_later(self.http.timeout, self.connection_lost, TimeoutError())
        self.push(*self.http.receive(data))
        if self.http.is_over:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.abort()
        self.push(*self.http.end(exc))


with closing(asyncio.new_event_loop()) as loop:
    for task in tasks():
        run(task)
        loop.run_forever()
