"""Between a flow and an emulator: requests as the server sees them, responses as events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from modelwire.emulators.emulator import Emulator, EmulatorRequest
from modelwire.events import BodyReceived, Event, RequestFailed, RequestFailureKind, ResponseEnded, ResponseStarted
from modelwire.http import Headers, Request


class ScriptedResponse(NamedTuple):
    """The server's response to one request, its body as one piece. With `stays_open` it does not end."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    stays_open: bool = False

    def __repr__(self) -> str:
        start = f"{self.body[:40]!r}..." if len(self.body) > 40 else repr(self.body)
        return f"ScriptedResponse(status={self.status}, body={start})"


def response_of(emulator: Emulator, request: Request, now: float) -> ScriptedResponse:
    """The emulator's response to a request, as if it ran on the host that the request is for."""
    base_url, host, target = _split_url(request.url)
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
    return ScriptedResponse(response.status, response.headers, body, response.stays_open)


def operation_of(request: Request) -> tuple[str, str]:
    """Method and path of a request. Requests that share both are of one kind."""
    return request.method, _split_url(request.url)[2].partition("?")[0]


def _split_url(url: str) -> tuple[str, str, str]:
    # Not with `urlsplit`: it raises for some URLs that a user may have given.
    scheme, host, target = re.findall(r"^(https?://)([^/?#]*)([^#]*)", url)[0]
    return scheme + host, host, target


def response_events(
    request_id: int, response: ScriptedResponse, cuts: Sequence[int] = (), failure: RequestFailureKind | None = None
) -> Iterator[Event]:
    """The events of a response, its body cut at these positions. The last one is its end or its `failure`."""
    yield ResponseStarted(request_id, response.status, response.headers)
    for chunk in chunks_of(response.body, cuts):
        yield BodyReceived(request_id, chunk)
    if failure is not None:
        yield RequestFailed(request_id, failure, "broken by a test")
    elif not response.stays_open:
        yield ResponseEnded(request_id)


def chunks_of(body: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """The body cut at these positions, in any order. A position beyond the end wraps around."""
    positions = sorted(cut % (len(body) + 1) for cut in cuts)
    return (body[start:end] for start, end in pairwise([0, *positions, len(body)]))
