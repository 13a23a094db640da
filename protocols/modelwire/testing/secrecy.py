"""Find the secrets in requests and responses by the names of their fields, and check that nothing reveals them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import msgspec

from modelwire.http import Headers, Request, media_type
from modelwire.json import JsonValue
from modelwire.outputs import ImageReady, JobAccepted, TextDelta, TextReplaced, TitleChanged
from modelwire.recording.recorder import Recorder
from modelwire.redaction import SHORTEST_SECRET

from .stage import Stage
from .watched_flow import WatchedFlow

# Names of headers, of fields of forms and queries, and of JSON, whose values are secrets.
SECRET_NAMES = re.compile(
    r"(?!.*(?:[tT]ype|[eE]xpires|_in|In)$)"
    r"(?i:.*(?:authorization|cookie|credential|token|secret|signature|password|session|api[-_]?key).*|key)"
)
# Outputs that show the user what the service wrote. A secret there was revealed by the service itself.
CONTENT = (TextDelta, TextReplaced, TitleChanged, JobAccepted, ImageReady)


def secrets_of_request(request: Request, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets in a request: in its headers, its query and its body."""
    yield from _secrets_of_headers(request.headers, names)
    pairs = parse_qsl(urlsplit(request.url).query)
    if media_type(request.headers) == "application/x-www-form-urlencoded":
        pairs += parse_qsl(request.body.decode())
    yield from (value for name, value in pairs if names.fullmatch(name))
    yield from secrets_of_json(request.body, names)


def secrets_of_response(headers: Headers, body: bytes, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets in a response."""
    yield from _secrets_of_headers(headers, names)
    yield from secrets_of_json(body, names)


def _secrets_of_headers(headers: Headers, names: re.Pattern[str]) -> Iterator[str]:
    for name, value in headers:
        if name.lower() == "cookie":
            yield from (pair.partition("=")[2] for pair in value.split("; "))
        elif name.lower() == "set-cookie":
            yield value.partition("=")[2].partition(";")[0]
        elif names.fullmatch(name):
            # Leave out the scheme, such as `Bearer`.
            yield value.split()[-1] if value.strip() else ""


def secrets_of_json(body: bytes, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets in a body, if it is JSON."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    yield from secrets_of_value(value, names)


def secrets_of_value(value: JsonValue, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets in plain data. In a cookie it is the value."""
    match value:
        case {"name": str(), "value": str(secret), "domain": str()}:
            yield secret
        case dict():
            for name, inner in value.items():
                if isinstance(inner, str) and names.fullmatch(name):
                    yield inner
                yield from secrets_of_value(inner, names)
        case list() | tuple():
            for inner in value:
                yield from secrets_of_value(inner, names)


def spellings(secret: str) -> set[str]:
    """The secret in each encoding that a server may use: URLs, forms, JSON."""
    escaped = json.dumps(secret)[1:-1]
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


def most_of(secret: str) -> str:
    """The first three quarters of a secret, at least 12 characters: more than a shortened message may show."""
    return secret[: max(len(secret) * 3 // 4, 12)]


def visible_texts(watched: WatchedFlow, *, is_honest: bool) -> Iterator[str]:
    """Everything that a log, a trace or a message may show of a session, except what the service wrote for the user.

    A service that is not honest may put anything into a field that is named like a secret, and the flow has to use it.
    Then the texts are those of events and failures alone.
    """
    for call in watched.calls:
        yield repr(call.event)
        yield from (repr(item) for item in call.batch if not isinstance(item, CONTENT) and is_honest)
    failure = watched.failure
    if failure is not None:
        error = failure.exception()
        yield from (str(error), repr(error), failure.message)
    if is_honest:
        yield from (repr(watched.flow), watched.flow.snapshot())


def secrets_of_stage(stage: Stage, names: re.Pattern[str]) -> list[str]:
    """The secrets in the requests, the responses and the user's credentials of a stage, sorted."""
    found: set[str] = {*secrets_of_value(stage.credentials, names), *secrets_of_value(stage.subject.credentials, names)}
    for request in stage.requests:
        found.update(secrets_of_request(request, names))
    for response in stage.responses:
        found.update(secrets_of_response(response.headers, response.body, names))
    return sorted(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def check_secrecy(stage: Stage, names: re.Pattern[str], *, recorded: bool = False) -> None:
    """Check that no secret is visible in reprs, messages and snapshots; with `recorded`, also not in a recording."""
    texts = [text for watched in stage.watched_flows for text in visible_texts(watched, is_honest=stage.is_honest)]
    if recorded:
        texts += [line for watched in stage.watched_flows for line in recording_of(watched)]
    everything = "\n".join(texts)
    for secret in secrets_of_stage(stage, names):
        for spelling in (*sorted(spellings(secret)), most_of(secret)):
            seen = [text for text in texts if spelling in text] if spelling in everything else []
            assert not seen, f"the secret {spelling!r} can be seen in {seen[0]}"


def recording_of(watched: WatchedFlow) -> list[str]:
    """The lines of a recording of the session."""
    recorder = Recorder(watched.make_flow())
    for call in watched.calls:
        recorder.handle(call.event, call.now)
    return recorder.lines()
