"""A server that does wrong on purpose, on a loopback socket: for each path a reply, or a misdeed.

It is a `RawServer` whose every connection is served alike. What it did and was asked is in `requests`.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import NamedTuple, Self

import msgspec

from modelwire.json import JsonValue
from raw_server import PATIENCE, Connection, RawServer, chunk, response

# So many connections a scenario may take; nothing that is right needs a tenth of them.
MOST_CONNECTIONS = 100
# Seconds between two bytes that drip.
PAUSE = 0.01


class Answer(NamedTuple):
    """A response with its length. `{base}` and `{other}` in it are the two servers' URLs, `{port}` the other's port."""

    body: bytes = b""
    headers: tuple[str, ...] = ()
    status: str = "200 OK"

    def encode(self, places: Mapping[str, str]) -> bytes:
        """The bytes on the wire."""
        body, lines = self.body, "\n".join(self.headers)
        for name, place in places.items():
            body, lines = body.replace(name.encode(), place.encode()), lines.replace(name, place)
        return response(*lines.splitlines(), f"Content-Length: {len(body)}", status=self.status, body=body)


Misdeed = Callable[[Connection], None]
Response = Answer | bytes | Misdeed
# One reply for all requests to a path, or one after the other, the last of them from then on.
Routes = Mapping[str, Response | list[Response]]
Serving = Routes | Misdeed


class Received(NamedTuple):
    """One request, as it was on the wire."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, and without the site that a proxy is told."""
        return re.sub("http://[^/]*", "", self.target.partition("?")[0])

    def header(self, name: str) -> str:
        """The values of the headers of that name, joined; empty where there is none."""
        lines = [line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:]]
        return ", ".join(value.strip() for key, _, value in lines if key.lower() == name.lower())


class FaultServer(RawServer):
    """Serves `serving`: by the longest of its paths that a request's path begins with, or each connection by a script.

    `other` is the URL of a server that the client has no business with. `most` connections are served.
    """

    def __init__(self, serving: Serving, *, other: str, most: int = MOST_CONNECTIONS) -> None:
        script = serving if callable(serving) else self._serve
        super().__init__(*[script] * most)
        self._routes: Routes = {} if callable(serving) else serving
        self._other = other
        self._places: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._settled = threading.Condition()
        self._replies = 0
        self.requests: list[Received] = []

    def __enter__(self) -> Self:
        super().__enter__()
        self._places = {"{base}": self.url, "{other}": self._other, "{port}": self._other.rpartition(":")[2]}
        return self

    def wait_until_settled(self) -> None:
        """Wait until every request that came has got all that it will get."""
        with self._settled:
            self._settled.wait_for(lambda: self._replies == len(self.requests), PATIENCE)

    def _serve(self, connection: Connection) -> None:
        while True:
            head, body = connection.read_request()
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            received = Received(method, target, head, body)
            self.requests.append(received)
            try:
                self._reply(received, connection)
            finally:
                with self._settled:
                    self._replies += 1
                    self._settled.notify_all()

    def _route_of(self, received: Received) -> str:
        return max((path for path in self._routes if received.path.startswith(path)), key=len)

    def _reply(self, received: Received, connection: Connection) -> None:
        route = self._route_of(received)
        replies = self._routes[route]
        if isinstance(replies, list):
            number = min(self._counts[route], len(replies) - 1)
            self._counts[route] += 1
            replies = replies[number]
        if isinstance(replies, Answer):
            connection.send(replies.encode(self._places))
        elif isinstance(replies, bytes):
            connection.send(replies)
        else:
            replies(connection)


# Replies that are as they should be.


def say(body: str | bytes = b"", *headers: str, status: str = "200 OK") -> Answer:
    """A whole response."""
    return Answer(body.encode() if isinstance(body, str) else body, headers, status)


def say_json(value: JsonValue, *headers: str, status: str = "200 OK") -> Answer:
    """A response that holds this value."""
    return say(msgspec.json.encode(value), "Content-Type: application/json", *headers, status=status)


def events(*data: JsonValue, end: str = "", name: str = "") -> str:
    """Server-sent events, each with this data as JSON, and what marks their end."""
    first = f"event: {name}\n" if name else ""
    return "".join(f"{first}data: {msgspec.json.encode(value).decode()}\n\n" for value in data) + end


def chunked(*pieces: bytes | str, headers: Sequence[str] = ()) -> bytes:
    """A response in chunks."""
    data = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return response(*headers, "Transfer-Encoding: chunked", body=b"".join(map(chunk, [*data, b""])))


# Misdeeds. Those that go on for ever end when the client goes.


def then(*steps: bytes | Misdeed) -> Misdeed:
    """One after the other."""

    def act(connection: Connection) -> None:
        for step in steps:
            if isinstance(step, bytes):
                connection.send(step)
            else:
                step(connection)

    return act


def fin(connection: Connection) -> None:
    """Close the connection in good order."""
    connection.close()
    raise ConnectionAbortedError("closed on purpose")


def rst(connection: Connection) -> None:
    """Break the connection off."""
    connection.reset()
    raise ConnectionAbortedError("reset on purpose")


def silence(connection: Connection) -> None:
    """Say nothing more."""
    connection.wait_for_end()
    raise ConnectionAbortedError("the client went away")


def drip(data: bytes, *, before: bytes = b"", every: float = PAUSE) -> Misdeed:
    """After `before` send `data` byte by byte, over and over."""

    def act(connection: Connection) -> None:
        connection.send(before)
        connection.drip(data, every=every)

    return act


def drip_pieces(piece: bytes, *, before: bytes = b"") -> Misdeed:
    """After `before` send `piece` over and over, with a pause before each."""

    def act(connection: Connection) -> None:
        connection.send(before)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not connection.saw_end.wait(PAUSE):
            connection.send(piece)

    return act


def flood(*pieces: bytes, before: bytes = b"") -> Misdeed:
    """After `before` send the pieces over and over, as fast as they are taken."""

    def act(connection: Connection) -> None:
        connection.send(before)
        end = time.monotonic() + PATIENCE
        for piece in cycle(pieces):
            if time.monotonic() > end:
                raise TimeoutError("the client took a flood for too long")
            connection.send(piece)

    return act
