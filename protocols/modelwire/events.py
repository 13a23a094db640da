"""What happened: the events that a caller hands to `Flow.handle`.

Every event is in the past tense, frozen, and can be written to and read from JSON. None of their reprs shows
what a server sent or what a key is made of: a log line of events is safe to share.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .formats.cookies import Cookies
from .http import Headers
from .json import JsonObject

RequestFailureKind = Literal["connect", "timeout", "network", "protocol"]
PageEndKind = Literal["closed", "failed"]


class Start(msgspec.Struct, frozen=True, tag=True):
    """The caller begins the flow, and gives it all the randomness that it will ever have.

    `entropy` is at least 16 random bytes; nonces, UUIDs, boundaries and jitter are derived from it, so the same
    events give the same commands. `secret_entropy` feeds the draws that are themselves secrets (a session
    password); it is never recorded. When it is empty, `entropy` serves both.
    """

    entropy: bytes
    secret_entropy: bytes = b""

    def __repr__(self) -> str:
        return f"Start(entropy=<{len(self.entropy)} bytes>)"


class ResponseStarted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The head of a final response arrived: a status from 200 to 599 (never 1xx) and its headers in order."""

    request_id: int
    status: int
    headers: Headers

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers)
        return f"ResponseStarted(request_id={self.request_id}, status={self.status}, headers=<{names}>)"


class BodyReceived(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Some bytes of the response's body arrived, already out of their transfer and content coding."""

    request_id: int
    data: bytes

    def __repr__(self) -> str:
        return f"BodyReceived(request_id={self.request_id}, data=<{len(self.data)} bytes>)"


class ResponseEnded(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The body ended as its framing said it would. A body that was cut off is `RequestFailed`, never this."""

    request_id: int


class RequestFailed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The request came to no end.

    `kind` is `connect` when not one byte of the request can have left, `timeout` when the other side was silent
    for `Request.timeout` seconds, `network` when the connection broke, `protocol` when what came was not HTTP.
    `detail` is for a human; it may quote what came, so the repr leaves it out.
    """

    request_id: int
    kind: RequestFailureKind
    detail: str = ""

    def __repr__(self) -> str:
        return f"RequestFailed(request_id={self.request_id}, kind={self.kind!r})"


class PageEvaluated(msgspec.Struct, frozen=True, tag=True):
    """The script of an `Evaluate` was run in the page.

    `value` is what it came to, as JSON. `cookies` are those that the browser holds for the page's host, with the ones
    that no script can read.
    """

    request_id: int
    value: str
    cookies: Cookies = ()

    def __repr__(self) -> str:
        value, cookies = f"<{len(self.value)} characters>", f"<{len(self.cookies)}>"
        return f"PageEvaluated(request_id={self.request_id}, value={value}, cookies={cookies})"


class PageClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """There is no page in which the script of an `Evaluate` could be run.

    `kind` is `closed` when the person closed it, `failed` when the browser did not start, the page did not load, or
    the script did not run. `detail` is for a human; it may quote what came, so the repr leaves it out.
    """

    request_id: int
    kind: PageEndKind
    detail: str = ""

    def __repr__(self) -> str:
        return f"PageClosed(request_id={self.request_id}, kind={self.kind!r})"


class CredentialsReplaced(msgspec.Struct, frozen=True, tag=True):
    """Somebody else got new credentials meanwhile: use these, which look as `CredentialsChanged` tells them.

    It is for those who keep credentials where several flows find them. While `Flow.awaits_credentials`, what is under
    way to get others is given up; at any other time it is ignored.
    """

    credentials: JsonObject

    def __repr__(self) -> str:
        return f"CredentialsReplaced(<{', '.join(self.credentials)}>)"


class Woken(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The time of the last `Sleep`, or the deadline of the last `SendRequest` or `Evaluate`, came.

    Early is harmless: the same wait comes back.
    """


class Cancel(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The caller wants the flow to end now. It answers with `Finished`, kind `cancelled`."""


Event = (
    Start
    | ResponseStarted
    | BodyReceived
    | ResponseEnded
    | RequestFailed
    | PageEvaluated
    | PageClosed
    | CredentialsReplaced
    | Woken
    | Cancel
)
