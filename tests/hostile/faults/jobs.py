"""Jobs of ARTA that never end, end unusually, or have ids that are unsafe in a URL."""

from __future__ import annotations

from typing import Any

from modelwire.json import JsonValue
from modelwire.limits import MIB

from .client import Order
from .scenario import Check, Scenario, order
from .server import say, say_json
from .sites import ARTA_REFRESH, ARTA_TOKEN, REFRESH, SIGN_UP, SITES, STATUS, SUBMIT, job

# Seconds: the total time of a job, and the pause between two polls.
JOB, OFTEN = 300.0, 10.0
POLLS = int(JOB / OFTEN) + 1
SLOWLY = Order(poll_interval=OFTEN)
REFUSED = say("", status="401 Unauthorized")
NOT_ASKED: dict[str, Check] = {"asked for a status": lambda result: not result.to(STATUS)}
KEPT: dict[str, Check] = {
    "lost an accepted job": lambda result: (
        result.observed.failure is not None and result.observed.failure.snapshot is not None
    )
}


def waits(name: str, *statuses: str) -> Scenario:
    """A job that is not done within its total time."""
    return order(
        name,
        {STATUS: [job(status) for status in statuses]},
        "timeout",
        SLOWLY,
        total=JOB,
        most=POLLS,
        pauses=(JOB - OFTEN, JOB),
        also=KEPT,
    )


def ends_with(name: str, status: JsonValue, kinds: str = "job_failed") -> Scenario:
    """A job that gets this status."""
    return order(f"a status {name}", {STATUS: say_json({"status": status})}, kinds, most=1)


def named(name: str, record_id: JsonValue, kinds: str = "in_doubt") -> Scenario:
    """A job with an id for which no status may be requested."""
    return order(f"a job's name {name}", {SUBMIT: say_json({"record_id": record_id})}, kinds, also=NOT_ASKED)


def asked(name: str, record_id: JsonValue, path: str) -> Scenario:
    """A job with an unusual but harmless id."""
    also: dict[str, Check] = {"asked for another job": lambda result: len(result.to(f"{STATUS}{path}/status")) == 1}
    return order(f"a job's name {name}", {SUBMIT: say_json({"record_id": record_id})}, "answer", also=also)


def token(name: str, fields: JsonValue, kinds: str) -> Scenario:
    """A sign-up response with some fields replaced."""
    whole = {"idToken": ARTA_TOKEN, "refreshToken": ARTA_REFRESH, "expiresIn": "3600"}
    return order(f"a sign-up with {name}", {SIGN_UP: say_json({**whole, **fields})}, kinds)


def done(name: str, response: JsonValue, kinds: str, **more: Any) -> Scenario:
    """A job that is done, with this list of images."""
    return order(
        f"a job that is done, with {name}", {STATUS: say_json({"status": "DONE", "response": response})}, kinds, **more
    )


SCENARIOS = [
    waits("a job that queues for ever", "IN_QUEUE"),
    waits("a job that is in progress for ever", "IN_QUEUE", "IN_PROGRESS"),
    waits("a job that goes back and forth for ever", *["IN_QUEUE", "IN_PROGRESS"] * 100),
    order(
        "a job that takes its time",
        {STATUS: [*[job("IN_QUEUE")] * 9, *[job("IN_PROGRESS")] * 9, SITES["arta"][STATUS]]},
        "answer",
        SLOWLY,
        total=JOB,
        most=19,
    ),
    ends_with("that is unknown", "EXPLODED"),
    ends_with("that is empty", ""),
    ends_with("in small letters", "done"),
    ends_with("with a blank", "DONE "),
    ends_with("with a terminal's commands", "\x1b[2J\u202e\u2028"),
    ends_with("of a zero byte", "\0"),
    ends_with("of half a megabyte", "x" * (MIB // 2)),
    ends_with("that repeats a secret", f"FAILED {ARTA_TOKEN}"),
    # Names.
    named("that climbs out", "../../admin"),
    named("of two dots", ".."),
    named("of one dot", "."),
    named("with a slash", "a/b"),
    named("with a backslash", "a\\b"),
    named("with a line end", "a\r\nX-Evil: 1"),
    named("with a line feed", "a\n"),
    named("with a zero byte", "a\0b"),
    named("of a megabyte", "x" * MIB, "in_doubt"),
    named("of 201 characters", "x" * 201),
    named("with a query", "a?b=c"),
    named("with a fragment", "a#b"),
    named("that is encoded", "%2e%2e%2fadmin"),
    named("of another host", "@127.0.0.1/"),
    named("of a URL", "http://127.0.0.1/"),
    named("with a blank", "a b"),
    named("that is not ASCII", "é"),
    named("of digits that are not ASCII", "\u0661\u0662"),
    order("a job's name of a lone surrogate", {SUBMIT: say(r'{"record_id": "\ud800"}')}, "in_doubt", also=NOT_ASKED),
    named("that is empty", ""),
    named("that is null", None),
    named("that is zero", 0),
    named("that is a list", ["a"]),
    named("that is true", True),
    named("that is a fraction", 1.5),
    asked("of 200 characters", "x" * 200, "x" * 200),
    asked("that is a number", 123, "123"),
    asked("that is negative", -1, "-1"),
    asked("with dots", "a..b", "a..b"),
    # Tokens.
    token("a token with a line end", {"idToken": "a\r\nX-Evil: 1"}, "protocol"),
    token("a token with a zero byte", {"idToken": "a\0"}, "protocol"),
    token("a token that is not Latin", {"idToken": "\u4e16\u754c"}, "protocol"),
    token("a token that is empty", {"idToken": ""}, "protocol"),
    token("a token of a blank", {"idToken": " "}, "protocol"),
    token("a token of fifty kilobytes", {"idToken": "x" * 50_000}, "answer"),
    token("a life that is not a number", {"expiresIn": "soon"}, "protocol"),
    token("a life of a float", {"expiresIn": "1e9"}, "protocol"),
    token("a life that is negative", {"expiresIn": "-1"}, "protocol"),
    token("a life without end", {"expiresIn": "9" * 1000}, "protocol"),
    token("a life of no time", {"expiresIn": "0"}, "answer"),
    order("a token that is refused at each status", {STATUS: REFUSED}, "refused"),
    order("a token that is refused, and every new one", {STATUS: REFUSED, REFRESH: REFUSED}, "refused"),
    order("a token that is refused once", {STATUS: [REFUSED, SITES["arta"][STATUS]]}, "answer"),
    order(
        "a token that is refused at every second status",
        {STATUS: [*[REFUSED, job("IN_QUEUE")] * 100]},
        "timeout",
        SLOWLY,
        total=JOB,
        most=2 * POLLS,
        also=KEPT,
    ),
    # Images.
    done("no images", [], "job_failed"),
    done("null for its images", None, "job_failed"),
    done("a text for its images", "http://a/", "protocol"),
    done("an image without a URL", [{}], "protocol"),
    done("an image whose URL is null", [{"url": None}], "protocol"),
    done("an image whose URL is a number", [{"url": 1}], "protocol"),
    done("a good image and a bad one", [{"url": "{base}/picture.png"}, {"url": "file:///etc/passwd"}], "protocol"),
    done("a hundred images", [{"url": "{base}/picture.png"}] * 100, "answer", most=100),
    done("twenty thousand images, none of them good", [{"url": "x"}] * 20_000, "protocol"),
]
