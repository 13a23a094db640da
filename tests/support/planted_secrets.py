"""Planted secrets, a service that echoes them, and a search in every text that a user could see."""

from __future__ import annotations

import base64
import logging
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

import modelwire
import modelwire_io
from faults.client import CREDENTIALS
from faults.server import FaultServer, Received, fin, silence
from faults.sites import ARTA_REFRESH, ARTA_TOKEN, ISSUED, SITES
from modelwire.errors import FlowFailed
from modelwire.json import JsonObject
from modelwire.redaction import SHORTEST_SECRET
from modelwire.testing.secrecy import SECRET_NAMES, most_of, secrets_of_value, spellings
from raw_server import Connection, chunk, response

PROXY_USER, PROXY_PASSWORD = "somebody", "password-of-the-proxy"
PROXY_PAIR = base64.b64encode(f"{PROXY_USER}:{PROXY_PASSWORD}".encode()).decode()

# Headers of a request, and fields of its query or form, whose values are secret. Many values are new in each request.
SECRET_HEADERS = ("signature", "yy", "authorization", "x-authorization", "token", "secret", "x-api-secret")
SECRET_FIELDS = ("session_password", "key", "refresh_token")

# Connections: far more than all sessions of a test use.
MOST_CONNECTIONS = 500


class Work(NamedTuple):
    """A call of a client: provider, credentials, options, and the number of requests if nothing fails."""

    name: str
    provider: str
    requests: int
    credentials: JsonObject | None = None
    options: JsonObject = {}  # noqa: RUF012

    def __str__(self) -> str:
        return self.name

    @property
    def supplied(self) -> set[str]:
        """The secrets in the user's credentials and options."""
        return {*secrets_of_value(self.credentials, SECRET_NAMES), *map(str, self.options.values())}


_OLD = {"id_token": ARTA_TOKEN, "refresh_token": ARTA_REFRESH, "expires_in": 1e10, "issued_at": 1e9}
_DEVICE: JsonObject = {"device_id": "device-of-the-user", "uuid": "uuid-of-the-user"}
WORKS = (
    Work("an image", "arta", 4, CREDENTIALS["arta"]),
    Work("an image with old credentials", "arta", 1, {**CREDENTIALS["arta"], **_OLD}),
    Work("Cromicle", "cromicle", 1, options={"token": "token-of-the-page"}),
    Work("FakeGpt", "fakegpt", 4),
    Work("Hailuo AI", "hailuo", 1, {**CREDENTIALS["hailuo"], **_DEVICE}),
    Work("MagickPen", "magickpen", 3, options={"turnstile_response": "captcha-of-the-user"}),
)


def _refuse(status: str, body: str, *headers: str) -> bytes:
    return response(*headers, f"Content-Length: {len(body.encode())}", status=status, body=body.encode())


def _chunks(data: bytes) -> bytes:
    return response("Transfer-Encoding: chunked", body=data)


# Faulty responses: functions of all secrets in one line.
WAYS: dict[str, Callable[[str], bytes]] = {
    "text": lambda said: _refuse("400 Bad", f"no, not {said}"),
    "a page": lambda said: _refuse("403 No", f"<title>Not {said}</title>", "Content-Type: text/html"),
    "JSON": lambda said: _refuse("404 No", f'{{"error": {{"message": "not {said}"}}}}', "Content-Type: text/json"),
    "a reason": lambda said: _refuse(f"500 {said}", ""),
    "headers": lambda said: _refuse("401 No", "", f"WWW-Authenticate: {said}", f"Set-Cookie: {quote(said)}=1"),
    "a redirect": lambda said: _refuse("302 Found", "", f"Location: http://{quote(said)}@127.0.0.1/{quote(said)}"),
    "an interim response": lambda said: response(f"X: {said}", status=f"103 {said}"),
    "a wrong type": lambda said: _refuse("200 OK", f'{{"{said}": ["{said}"]}}', f"X: {said}"),
    "a body cut short": lambda said: response(f"X: {said}", "Content-Length: 9999", body=b"{"),
    "a chunk": lambda said: _chunks(f"{said}\r\n{said}\r\n".encode()),
    "a chunk's extension": lambda said: _chunks(f"2;{said}\r\n{{}}\r\n{said}".encode()),
    "trailers": lambda said: _chunks(chunk(b"{}") + f"0\r\n{said}\r\n\r\n".encode()),
    "no HTTP": lambda said: f"{said}\r\n\r\n".encode(),
    "a version": lambda said: f"HTTP/{said} 200 OK\r\n\r\n".encode(),
    "a status": lambda said: response(status=said),
    "a line that is not a header": response,
    "a name": lambda said: response(f"{said}: 1", "Content-Length: 0"),
    "a length": lambda said: response(f"Content-Length: {said}"),
    "a transfer coding": lambda said: response(f"Transfer-Encoding: {said}"),
    "a content coding": lambda said: response(f"Content-Encoding: {said}", "Content-Length: 2", body=b"ok"),
    "nothing": lambda said: b"",
}


class EchoServer(FaultServer):
    """A provider's service that works until a request with a chosen number, and from then on echoes the secrets.

    It also acts as a proxy. `begin` begins a session.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(SITES[work.provider], other="", most=MOST_CONNECTIONS)
        self._site = SITES[work.provider]
        self._supplied = [PROXY_PASSWORD, PROXY_PAIR, *sorted(work.supplied)]
        self.begin(1, None)

    def begin(self, number: int, way: str | None, when_asked: Callable[[], object] = lambda: None) -> None:
        """Respond to this request (from 1) in this way, or with silence if None, after calling `when_asked`."""
        self.requests.clear()
        self._issued: list[str] = []
        self._number = number
        self._say = None if way is None else WAYS[way]
        self._when_asked = when_asked

    @property
    def proxy(self) -> str:
        """The URL of the proxy, with user and password."""
        return f"http://{PROXY_USER}:{PROXY_PASSWORD}@127.0.0.1:{self.port}"

    @property
    def secrets(self) -> list[str]:
        """All secrets: supplied by the user, issued by the service, or made for a request."""
        found = [*self._supplied, *self._issued, *_secrets_in(self.requests)]
        return [secret for secret in dict.fromkeys(found) if len(secret) >= SHORTEST_SECRET]

    def _respond(self, received: Received, connection: Connection) -> None:
        if len(self.requests) < self._number:
            self._respond_well(received, connection)
            return
        self._when_asked()
        if self._say is None:
            silence(connection)
        else:
            connection.send(self._say(" ".join(self.secrets)))
            fin(connection)

    def _respond_well(self, received: Received, connection: Connection) -> None:
        said = self._site[self._route_of(received)].encode({}).decode("latin-1")
        self._issued += [secret for secret in ISSUED if secret in said]
        super()._respond(received, connection)


def _secrets_in(requests: Iterable[Received]) -> Iterator[str]:
    """The secrets in these requests."""
    for received in requests:
        yield from (received.header(name).split(" ")[-1] for name in SECRET_HEADERS)
        pairs = [*parse_qsl(urlsplit(received.target).query), *parse_qsl(received.body.decode("latin-1"))]
        yield from (value for name, value in pairs if name in SECRET_FIELDS)
        yield from (cookie.partition("=")[2] for cookie in received.header("cookie").split("; "))


class Seen:
    """Texts that a person or another program could see."""

    def __init__(self) -> None:
        self._texts: list[tuple[str, str]] = []

    def add(self, what: str, *values: object) -> None:
        """Add values: strings unchanged, anything else by its repr."""
        self._texts += [(what, value if isinstance(value, str) else repr(value)) for value in values]

    def add_error(self, error: BaseException) -> None:
        """Add an exception and its causes, with the local variables of our own frames."""
        found: BaseException | None = error
        while found is not None:
            self.add("an exception", str(found), found, *getattr(found, "__notes__", ()))
            for frame in traceback.StackSummary.extract(traceback.walk_tb(found.__traceback__), capture_locals=True):
                if frame.filename.startswith(_OURS):
                    self.add(f"a frame at {Path(frame.filename).name}:{frame.lineno}", frame.locals)
            if isinstance(found, FlowFailed):
                # The text is the service's answer to the user, so it may hold anything.
                failure = msgspec.structs.replace(found.failure, text="")
                self.add("a failure", failure, msgspec.json.encode(failure).decode())
            found = found.__cause__ or found.__context__

    def check(self, secrets: Iterable[str]) -> None:
        """Assert that no text holds a secret, in any spelling, or most of one."""
        everything = "\n".join(text for _, text in self._texts)
        for secret in secrets:
            for spelling in (*sorted(spellings(secret)), most_of(secret)):
                if spelling in everything:
                    seen = [f"{what}: {text}" for what, text in self._texts if spelling in text]
                    raise AssertionError(f"{spelling!r} is visible in {seen[0]}")


_OURS = tuple(str(Path(package.__path__[0])) for package in (modelwire, modelwire_io))


@contextmanager
def collecting_logs(seen: Seen) -> Iterator[None]:
    """Add every log record, at any level, and every warning."""
    root, collector = logging.getLogger(), _LogCollector(seen)
    level = root.level
    root.addHandler(collector)
    root.setLevel(1)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
        seen.add("a warning", *(str(warning.message) for warning in warned))
    finally:
        root.removeHandler(collector)
        root.setLevel(level)


class _LogCollector(logging.Handler):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        # Both the formatted record and its parts.
        self._seen.add(f"the log of {record.name}", logging.Formatter().format(record), record.msg, record.args)
        if record.exc_info and record.exc_info[1] is not None:
            self._seen.add_error(record.exc_info[1])
