"""What is secret in what passes over a wire, told by its name, and where it must not be seen."""

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

from .session import Session
from .stage import Stage

# Names of headers, of fields of forms and queries, and of JSON, whose values are secrets.
SECRET_NAMES = re.compile(
    r"(?!.*(?:[tT]ype|[eE]xpires|_in|In)$)"
    r"(?i:.*(?:authorization|cookie|credential|token|secret|signature|password|session|api[-_]?key).*|key)"
)
# What the service says to a person: if it says a secret there, it has told it itself.
CONTENT = (TextDelta, TextReplaced, TitleChanged, JobAccepted, ImageReady)


def secrets_of_request(request: Request, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets that a request carries."""
    yield from _secrets_of_headers(request.headers, names)
    pairs = parse_qsl(urlsplit(request.url).query)
    if media_type(request.headers) == "application/x-www-form-urlencoded":
        pairs += parse_qsl(request.body.decode())
    yield from (value for name, value in pairs if names.fullmatch(name))
    yield from secrets_of_json(request.body, names)


def secrets_of_answer(headers: Headers, body: bytes, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets that an answer brings."""
    yield from _secrets_of_headers(headers, names)
    yield from secrets_of_json(body, names)


def _secrets_of_headers(headers: Headers, names: re.Pattern[str]) -> Iterator[str]:
    for name, value in headers:
        if name.lower() == "cookie":
            yield from (pair.partition("=")[2] for pair in value.split("; "))
        elif name.lower() == "set-cookie":
            yield value.partition("=")[2].partition(";")[0]
        elif names.fullmatch(name):
            # `Bearer` and its like are no secrets.
            yield value.split()[-1] if value.strip() else ""


def secrets_of_json(body: bytes, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets in a body, if it is JSON."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    yield from secrets_of_value(value, names)


def secrets_of_value(value: JsonValue, names: re.Pattern[str]) -> Iterator[str]:
    """The secrets in plain data. Of cookies, the value alone is one."""
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
    """The ways in which a server may write a secret."""
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
    """The beginning of a secret, which is as good as the whole where a message was cut."""
    return secret[: max(len(secret) * 3 // 4, 12)]


def shown_by(session: Session, *, is_honest: bool) -> Iterator[str]:
    """All that can be seen of a session in a log, a trace or a message, but for what the service says to a person.

    One that is not honest may call anything by the name of a secret, and a flow has to call it so: then it is what is
    said of failures that counts.
    """
    for step in session.steps:
        yield repr(step.event)
        yield from (repr(item) for item in step.batch if not isinstance(item, CONTENT) and is_honest)
    failure = session.failure
    if failure is not None:
        error = failure.exception()
        yield from (str(error), repr(error), failure.message)
    if is_honest:
        yield from (repr(session.flow), session.flow.snapshot())


def secrets_of(stage: Stage, names: re.Pattern[str]) -> list[str]:
    """All the secrets that went over the wire of a stage, or that its user keeps; in some order, always the same."""
    found: set[str] = {*secrets_of_value(stage.credentials, names), *secrets_of_value(stage.subject.credentials, names)}
    for request in stage.requests:
        found.update(secrets_of_request(request, names))
    for answer in stage.answers:
        found.update(secrets_of_answer(answer.headers, answer.body, names))
    return sorted(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def check_secrecy(stage: Stage, names: re.Pattern[str], *, recorded: bool = False) -> None:
    """No secret can be seen in what a session left behind, nor, where it is `recorded`, in its recording."""
    texts = [text for session in stage.sessions for text in shown_by(session, is_honest=stage.is_honest)]
    if recorded:
        texts += [line for session in stage.sessions for line in recording_of(session)]
    everything = "\n".join(texts)
    for secret in secrets_of(stage, names):
        for spelling in (*sorted(spellings(secret)), most_of(secret)):
            seen = [text for text in texts if spelling in text] if spelling in everything else []
            assert not seen, f"{spelling!r} can be seen in {seen[0]}"


def recording_of(session: Session) -> list[str]:
    """The lines of a recording of the session."""
    recorder = Recorder(session.make_flow())
    for step in session.steps:
        recorder.handle(step.event, step.now)
    return recorder.lines()
