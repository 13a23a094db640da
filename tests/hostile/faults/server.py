"""A faulty server on a loopback socket: each path has a response or a fault.

It is a `RawServer` that serves every connection in the same way, and logs the requests.
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

# Connections: the most in one scenario. A good client needs less than a tenth.
MOST_CONNECTIONS = 100
# Seconds: the pause between two bytes of a slow response.
PAUSE = 0.01


class WholeResponse(NamedTuple):
    """A response with its length.

    `{base}` and `{other}` in it stand for the URLs of the two servers, `{port}` for the other's port.
    """

    body: bytes = b""
    headers: tuple[str, ...] = ()
    status: str = "200 OK"

    def encode(self, places: Mapping[str, str]) -> bytes:
        """The bytes of the response."""
        body, lines = self.body, "\n".join(self.headers)
        for name, place in places.items():
            body, lines = body.replace(name.encode(), place.encode()), lines.replace(name, place)
        return response(*lines.splitlines(), f"Content-Length: {len(body)}", status=self.status, body=body)


Fault = Callable[[Connection], None]
Response = WholeResponse | bytes | Fault
# One response for all requests to a path, or a list, whose last item is repeated.
Routes = Mapping[str, Response | list[Response]]
Serving = Routes | Fault


class Received(NamedTuple):
    """One request as the server received it."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, and without the origin in a request to a proxy."""
        return re.sub("http://[^/]*", "", self.target.partition("?")[0])

    def header(self, name: str) -> str:
        """The values of the headers of that name, joined, or an empty string."""
        lines = [line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:]]
        return ", ".join(value.strip() for key, _, value in lines if key.lower() == name.lower())


class FaultServer(RawServer):
    """Serves routes (the longest matching beginning of a path wins), or runs a script for each connection.

    `other` is the URL of a server to which the client should send nothing. `most` is the number of connections.
    """

    def __init__(self, serving: Serving, *, other: str, most: int = MOST_CONNECTIONS) -> None:
        script = serving if callable(serving) else self._serve
        super().__init__(*[script] * most)
        self._routes: Routes = {} if callable(serving) else serving
        self._other = other
        self._places: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._settled = threading.Condition()
        self._finished = 0
        self.requests: list[Received] = []

    def __enter__(self) -> Self:
        super().__enter__()
        self._places = {"{base}": self.url, "{other}": self._other, "{port}": self._other.rpartition(":")[2]}
        return self

    def wait_until_settled(self) -> None:
        """Wait until every received request has got its whole response."""
        with self._settled:
            self._settled.wait_for(lambda: self._finished == len(self.requests), PATIENCE)

    def _serve(self, connection: Connection) -> None:
        while True:
            head, body = connection.read_request()
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            received = Received(method, target, head, body)
            self.requests.append(received)
            try:
                self._respond(received, connection)
            finally:
                with self._settled:
                    self._finished += 1
                    self._settled.notify_all()

    def _route_of(self, received: Received) -> str:
        return max((path for path in self._routes if received.path.startswith(path)), key=len)

    def _respond(self, received: Received, connection: Connection) -> None:
        route = self._route_of(received)
        response = self._routes[route]
        if isinstance(response, list):
            number = min(self._counts[route], len(response) - 1)
            self._counts[route] += 1
            response = response[number]
        if isinstance(response, WholeResponse):
            connection.send(response.encode(self._places))
        elif isinstance(response, bytes):
            connection.send(response)
        else:
            response(connection)


# Correct responses.


def say(body: str | bytes = b"", *headers: str, status: str = "200 OK") -> WholeResponse:
    """A response with this body."""
    return WholeResponse(body.encode() if isinstance(body, str) else body, headers, status)


def say_json(value: JsonValue, *headers: str, status: str = "200 OK") -> WholeResponse:
    """A response with this JSON body."""
    return say(msgspec.json.encode(value), "Content-Type: application/json", *headers, status=status)


def events(*data: JsonValue, end: str = "", name: str = "") -> str:
    """Server-sent events with JSON data, and the mark of their end."""
    first = f"event: {name}\n" if name else ""
    return "".join(f"{first}data: {msgspec.json.encode(value).decode()}\n\n" for value in data) + end


def chunked(*pieces: bytes | str, headers: Sequence[str] = ()) -> bytes:
    """A response in the chunked transfer coding."""
    data = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return response(*headers, "Transfer-Encoding: chunked", body=b"".join(map(chunk, [*data, b""])))


# Faults. Endless ones end when the client closes the connection.


def then(*steps: bytes | Fault) -> Fault:
    """Do these steps in order."""

    def act(connection: Connection) -> None:
        for step in steps:
            if isinstance(step, bytes):
                connection.send(step)
            else:
                step(connection)

    return act


def fin(connection: Connection) -> None:
    """Close the connection with FIN."""
    connection.close()
    raise ConnectionAbortedError("closed on purpose")


def rst(connection: Connection) -> None:
    """Close the connection with RST."""
    connection.reset()
    raise ConnectionAbortedError("reset on purpose")


def silence(connection: Connection) -> None:
    """Send nothing more."""
    connection.wait_for_end()
    raise ConnectionAbortedError("the client closed the connection")


def drip(data: bytes, *, before: bytes = b"", every: float = PAUSE) -> Fault:
    """Send `before`, then `data` byte by byte, over and over."""

    def act(connection: Connection) -> None:
        connection.send(before)
        connection.drip(data, every=every)

    return act


def drip_pieces(piece: bytes, *, before: bytes = b"") -> Fault:
    """Send `before`, then `piece` over and over, with a pause before each."""

    def act(connection: Connection) -> None:
        connection.send(before)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not connection.saw_end.wait(PAUSE):
            connection.send(piece)

    return act


def flood(*pieces: bytes, before: bytes = b"") -> Fault:
    """Send `before`, then the pieces over and over, as fast as the client reads."""

    def act(connection: Connection) -> None:
        connection.send(before)
        end = time.monotonic() + PATIENCE
        for piece in cycle(pieces):
            if time.monotonic() > end:
                raise TimeoutError("the client read a flood for too long")
            connection.send(piece)

    return act
