"""A flow on Twisted: a Protocol carries each request, and a DeferredQueue brings the events.

Twisted's own HTTP client adds a header to each request, which a flow does not allow.
"""

# Twisted is typed in part: its transports and endpoints are interfaces of zope's.
# mypy: disable-error-code="no-untyped-call, union-attr, call-arg, arg-type, override"
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportIncompatibleMethodOverride=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.defer import DeferredQueue
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import react
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from common import Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange


async def run(task: Task) -> None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    link: Link
    sent, inbox = 0, DeferredQueue[Event]()
    task.stop = lambda: inbox.put(Cancel())
    event: Event = Start(os.urandom(32), os.urandom(32))
    while True:
        for item in task.flow.handle(event, now()):
            match item:
                case SendRequest(request_id) if request_id != sent:
                    sent, link = request_id, Link(Http11Exchange(item), inbox)
                case SendRequest() | Sleep():
                    pass  # it waits until `flow.deadline`
                case AbortRequest():
                    link.abort()
                case Finished(failure):
                    return task.done(failure)
                case output:
                    task.show(output)
        event = await inbox.get().addTimeout(left(task.flow.deadline), reactor, lambda *_: Woken())


class Link(Protocol, TimeoutMixin):
    """Sends one request, and reports its events."""

    def __init__(self, http: Http11Exchange, inbox: DeferredQueue[Event]) -> None:
        self.http, self.inbox = http, inbox
        endpoint = HostnameEndpoint(reactor, *http.address, timeout=http.timeout)
        endpoint = wrapClientTLS(optionsForClientTLS(http.host), endpoint) if http.tls else endpoint
        self.abort = connectProtocol(endpoint, self).addErrback(self.connectionLost).cancel

    def connectionMade(self) -> None:
        self.abort = self.transport.abortConnection
        self.setTimeout(self.http.timeout)
        self.transport.write(self.http.begin())

    def dataReceived(self, data: bytes) -> None:
        self.push(self.http.receive(data))

    def timeoutConnection(self) -> None:
        self.push(self.http.end(TimeoutError()))

    def connectionLost(self, reason: Failure) -> None:
        self.push(self.http.end(None if reason.check(ConnectionDone) else reason.value))

    def push(self, events: Sequence[Event]) -> None:
        for event in events:
            self.inbox.put(event)
        self.setTimeout(None if self.http.is_over else self.http.timeout)
        if self.http.is_over:
            self.abort()


async def main(_: object) -> None:
    for task in tasks():
        await run(task)


react(main)
