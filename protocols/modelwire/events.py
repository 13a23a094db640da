"""Events: what a driver passes to `Flow.handle`.

Each one is immutable, and can be written to JSON and read back. The reprs show neither keys nor data from a server, so
a log of events is safe to share.
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
    """The first event of a flow, with all the randomness that the flow will use.

    `entropy` is at least 16 random bytes; nonces, UUIDs, boundaries and jitter are derived from it, so the same events
    give the same commands. Secrets (a session password) are derived from `secret_entropy`, which is never recorded; if
    it is empty, they are derived from `entropy` too.
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
    """A chunk of the response's body arrived; transfer and content coding are already decoded."""

    request_id: int
    data: bytes

    def __repr__(self) -> str:
        return f"BodyReceived(request_id={self.request_id}, data=<{len(self.data)} bytes>)"


class ResponseEnded(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The body is complete, as its framing said. A truncated body is a `RequestFailed` instead."""

    request_id: int


class RequestFailed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The request failed, so there is no complete response.

    `kind` is `connect` if no byte of the request can have been sent, `timeout` if the server was silent for
    `Request.silence` seconds, `network` if the connection broke, `protocol` if the server did not send valid HTTP.
    `detail` is for a person; it may quote the server, so the repr leaves it out.
    """

    request_id: int
    kind: RequestFailureKind
    detail: str = ""

    def __repr__(self) -> str:
        return f"RequestFailed(request_id={self.request_id}, kind={self.kind!r})"


class PageEvaluated(msgspec.Struct, frozen=True, tag=True):
    """The page evaluated the script of an `Evaluate`.

    `value` is the result as JSON. `cookies` are the browser's cookies for the page's host, including those that scripts
    cannot read.
    """

    request_id: int
    value: str
    cookies: Cookies = ()

    def __repr__(self) -> str:
        value, cookies = f"<{len(self.value)} characters>", f"<{len(self.cookies)}>"
        return f"PageEvaluated(request_id={self.request_id}, value={value}, cookies={cookies})"


class PageClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The script of an `Evaluate` could not be evaluated.

    `kind` is `closed` if the person closed the page, `failed` if the browser did not start, the page did not load, or
    the script did not run. `detail` is for a person; it may quote the page, so the repr leaves it out.
    """

    request_id: int
    kind: PageEndKind
    detail: str = ""

    def __repr__(self) -> str:
        return f"PageClosed(request_id={self.request_id}, kind={self.kind!r})"


class CredentialsReplaced(msgspec.Struct, frozen=True, tag=True):
    """Another flow has got new credentials: use these. They have the shape of `CredentialsChanged.credentials`.

    Send it if several flows share a credential store. While `Flow.awaits_credentials` is true, the flow stops getting
    credentials of its own and uses these; at any other time it ignores the event.
    """

    credentials: JsonObject

    def __repr__(self) -> str:
        return f"CredentialsReplaced(<{', '.join(self.credentials)}>)"


class Woken(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The time of the last `Sleep`, or the deadline of the last `SendRequest` or `Evaluate`, has come.

    If it comes early, the flow returns the same wait again.
    """


class Cancel(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The caller ends the flow. The flow returns a `Finished` with a failure of kind `cancelled`."""


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
