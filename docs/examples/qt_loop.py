"""A flow in Qt's event loop: a QSslSocket, a QTimer and signals.

QNetworkAccessManager adds its own headers to a request, which a flow does not allow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import ceil

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtNetwork import QAbstractSocket, QSslSocket

from common import Task, left, now, tasks
from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.events import Cancel, Event, Start, Woken
from modelwire_io.http1 import Http11Exchange

CLOSED = QAbstractSocket.SocketError.RemoteHostClosedError


def run(task: Task) -> None:
    """Deliver events to the flow and carry out its commands until it is finished."""
    sent, link, timer = 0, QSslSocket(app), QTimer(app, singleShot=True)
    timer.timeout.connect(lambda: pump(Woken()))
    task.stop = lambda: QTimer.singleShot(0, lambda: pump(Cancel()))

    def pump(*events: Event) -> None:
        nonlocal sent, link
        for item in (item for event in events for item in task.flow.handle(event, now())):
            if isinstance(item, SendRequest) and item.request_id != sent:
                sent, link = item.request_id, carry(Http11Exchange(item), pump)
            match item:
                case SendRequest(_, _, until) | Sleep(until):
                    timer.start(ceil(left(until) * 1000))
                case AbortRequest():
                    link.abort()
                    link.deleteLater()
                case Finished(failure):
                    timer.stop()
                    task.done(failure)
                    app.quit()
                case output:
                    task.show(output)

    QTimer.singleShot(0, lambda: pump(Start(os.urandom(32), os.urandom(32))))


def carry(http: Http11Exchange, pump: Callable[..., None]) -> QSslSocket:
    """Send one request, and report its events."""
    link = QSslSocket(app)
    silence = QTimer(link, singleShot=True, interval=ceil(http.timeout * 1000))

    def push(events: list[Event]) -> None:
        if http.is_over:
            link.deleteLater()
        pump(*events)

    def fail(error: QAbstractSocket.SocketError) -> None:
        push(http.end(None if error == CLOSED else OSError(link.errorString())))

    (link.encrypted if http.tls else link.connected).connect(lambda: link.write(http.begin()))
    link.readyRead.connect(silence.start)
    link.readyRead.connect(lambda: push(http.receive(link.readAll().data())))
    link.errorOccurred.connect(fail)
    silence.timeout.connect(lambda: push(http.end(TimeoutError())))
    silence.start()
    (link.connectToHostEncrypted if http.tls else link.connectToHost)(*http.address)
    return link


app = QCoreApplication()
for task in tasks():
    run(task)
    app.exec()
