"""What goes between a flow and an emulator: requests as the other side sees them, answers as events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from modelwire.emulators.emulator import Emulator, EmulatorRequest
from modelwire.events import BodyReceived, Event, RequestFailed, RequestFailureKind, ResponseEnded, ResponseStarted
from modelwire.http import Headers, Request


class Answer(NamedTuple):
    """What the other side answers to one request. The body is whole, however the emulator cuts it."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    stays_open: bool = False

    def __repr__(self) -> str:
        start = f"{self.body[:40]!r}..." if len(self.body) > 40 else repr(self.body)
        return f"Answer(status={self.status}, body={start})"


def ask(emulator: Emulator, request: Request, now: float) -> Answer:
    """What the emulator answers to a request, as if it were the host that the request is for."""
    base_url, host, target = _taken_apart(request.url)
    response = emulator.handle(
        EmulatorRequest(
            method=request.method,
            target=target if target.startswith("/") else f"/{target}",
            headers=(("host", host), *request.headers),
            body=request.body,
            base_url=base_url,
        ),
        now,
    )
    body = b"".join([chunk.data for chunk in response.chunks])
    return Answer(response.status, response.headers, body, response.stays_open)


def place_of(request: Request) -> tuple[str, str]:
    """Method and path: what tells one kind of request from another."""
    return request.method, _taken_apart(request.url)[2].partition("?")[0]


def _taken_apart(url: str) -> tuple[str, str, str]:
    # By hand: `urlsplit` raises for some that a user may have given.
    scheme, host, target = re.findall(r"^(https?://)([^/?#]*)([^#]*)", url)[0]
    return scheme + host, host, target


def events_of(
    request_id: int, answer: Answer, cuts: Sequence[int] = (), broken: RequestFailureKind | None = None
) -> Iterator[Event]:
    """An answer as it arrives, its body cut at these places; then its end, or its failure."""
    yield ResponseStarted(request_id, answer.status, answer.headers)
    for piece in pieces(answer.body, cuts):
        yield BodyReceived(request_id, piece)
    if broken is not None:
        yield RequestFailed(request_id, broken, "broken by a test")
    elif not answer.stays_open:
        yield ResponseEnded(request_id)


def pieces(body: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """The body, cut at these places, whatever their order; a place beyond the end is counted from the beginning."""
    places = sorted(cut % (len(body) + 1) for cut in cuts)
    return (body[start:end] for start, end in pairwise([0, *places, len(body)]))
