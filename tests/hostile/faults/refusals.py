"""Error statuses, transient and final."""

from __future__ import annotations

import time
from email.utils import formatdate

from raw_server import Connection, response

from .scenario import Scenario, ask, chat, order
from .server import Fault, fin, say, then
from .sites import (
    ANSWER,
    CONVERSATION,
    HAILUO,
    STATUS,
    SUBMIT,
)

# Seconds: the total time of a flow here. No sleep is real.
PATIENT = 600.0
# Seconds: the most that two backoff pauses add up to: half a second and a whole one.
OWN = 1.5
TOO_MANY, UNAVAILABLE = "429 Too Many Requests", "503 Service Unavailable"


def on(seconds: float, status: str) -> Fault:
    """A refusal with Retry-After as a date, `seconds` from now."""

    def act(connection: Connection) -> None:
        # The server's clock does not skip, so only the first of these dates is in the future for the client.
        connection.send(
            say("", f"Retry-After: {formatdate(time.time() + seconds, usegmt=True)}", status=status).encode({})
        )

    return act


def later(
    name: str, values: str | tuple[str, ...], pauses: tuple[float, float], tries: int, status: str = TOO_MANY
) -> Scenario:
    """A server that sends Retry-After, and gets `tries` requests."""
    lines = [f"Retry-After: {value}" for value in ([values] if isinstance(values, str) else values)]
    kinds = "rate_limited" if status == TOO_MANY else "rate_limited status"
    return ask(
        f"{status[:3]}, Retry-After {name}",
        say("", *lines, status=status),
        kinds,
        total=PATIENT,
        most=tries,
        pauses=pauses,
        also={f"did not try {tries} times": lambda result: len(result.requests) == tries},
    )


def given_up(name: str, value: str) -> Scenario:
    """A Retry-After for which the client does not wait."""
    return later(name, value, (0, 0), 1)


def ignored(name: str, value: str) -> Scenario:
    """An invalid Retry-After: the client uses its own backoff."""
    return later(name, value, (0, OWN), 3)


def refuses(status: str, kinds: str, tries: int) -> Scenario:
    """An error status."""
    return ask(f"status {status}", say("no", status=status), kinds, most=tries, total=PATIENT, pauses=(0, OWN))


SCENARIOS = [
    # Transient.
    later("of 0 seconds", "0", (0, OWN), 3),
    later("of 7 seconds", "7", (14, 14 + OWN), 3),
    later("of 120 seconds", "120", (240, 240 + OWN), 3),
    later("of 7 seconds, at status 503", "7", (14, 14 + OWN), 3, UNAVAILABLE),
    given_up("of 121 seconds", "121"),
    given_up("of a billion seconds", "1000000000"),
    given_up("of a thousand digits", "9" * 1000),
    given_up("of a date in the year 9999", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ignored("of -1 second", "-1"),
    ignored("of 1e9", "1e9"),
    ignored("of 1.5 seconds", "1.5"),
    ignored("that is empty", ""),
    ignored("that is garbage", "soon, maybe"),
    ignored("of digits that are not ASCII", "\xb2\xb3"),
    ignored("of infinity", "inf"),
    ignored("of a date that does not exist", "Sun, 31 Feb 2030 08:00:00 GMT"),
    ignored("of a date in the past", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ignored("of a date in the past, by the year alone", "Sunday, 06-Nov-94 08:49:37 GMT"),
    later("twice, and different", ("7", "1000000"), (14, 14 + OWN), 3),
    ask(
        "429, Retry-After of a date in half a minute",
        on(30, TOO_MANY),
        "rate_limited",
        total=PATIENT,
        pauses=(27, 32 + OWN),
    ),
    ask(
        "503, Retry-After of a date in half a minute",
        on(30, UNAVAILABLE),
        "rate_limited",
        total=PATIENT,
        pauses=(27, 32 + OWN),
    ),
    ask(
        "429, Retry-After of a date in ten minutes",
        on(600, TOO_MANY),
        "rate_limited",
        total=PATIENT,
        pauses=(0, 0),
        most=1,
    ),
    ask(
        "429, Retry-After past the end of all patience",
        say("", "Retry-After: 60", status=TOO_MANY),
        "rate_limited",
        most=1,
    ),
    ask(
        "429 once, and then an answer",
        [say("", "Retry-After: 100", status=TOO_MANY), say(ANSWER)],
        "answer",
        total=PATIENT,
        pauses=(100, 100 + OWN),
    ),
    ask(
        "429 and 503, and then an answer",
        [say("", status=TOO_MANY), say("", status=UNAVAILABLE), say(ANSWER)],
        "answer",
        total=PATIENT,
    ),
    refuses("500 Internal Server Error", "status", 3),
    refuses("502 Bad Gateway", "status", 3),
    refuses("503 Service Unavailable", "status", 3),
    refuses("504 Gateway Timeout", "status", 3),
    refuses("408 Request Timeout", "status", 3),
    refuses("425 Too Early", "status", 3),
    refuses("429 Too Many Requests", "rate_limited", 3),
    refuses("400 Bad Request", "status", 1),
    refuses("401 Unauthorized", "refused", 1),
    refuses("403 Forbidden", "refused", 1),
    refuses("404 Not Found", "status", 1),
    refuses("418 I'm a teapot", "status", 1),
    refuses("451 Unavailable For Legal Reasons", "status", 1),
    refuses("300 Multiple Choices", "status", 1),
    refuses("305 Use Proxy", "status", 1),
    ask("304 Not Modified, unasked", response("Content-Length: 10", status="304 Not Modified"), "status", most=1),
    ask("204 No Content", response(status="204 No Content"), "no_answer", most=1),
    ask(
        "a refusal that is cut off",
        then(response("Content-Length: 99", status="404 Not Found", body=b"gone"), fin),
        "status",
        most=1,
    ),
    ask("a refusal in an unknown coding", say("no", "Content-Encoding: br", status="404 Not Found"), "status", most=1),
    ask("a refusal with a terminal's commands", say("\x1b[2J\x07\u202e", status="404 Not Found"), "status", most=1),
    chat(
        "hailuo",
        "a refusal that repeats the login",
        {HAILUO: say("token-of-the-user", status="400 Bad Request")},
        "status",
    ),
    chat("hailuo", "an expired login", {HAILUO: say("", status="401 Unauthorized")}, "login_required"),
    chat("fakegpt", "a login that is never good", {CONVERSATION: say("", status="403 Forbidden")}, "refused"),
    chat(
        "fakegpt",
        "too many questions",
        {CONVERSATION: say("", "Retry-After: 100", status=TOO_MANY)},
        "rate_limited",
        total=PATIENT,
        pauses=(200, 202),
    ),
    order(
        "too many orders",
        {SUBMIT: say("", "Retry-After: 1", status=TOO_MANY)},
        "rate_limited",
        total=PATIENT,
        pauses=(0, 0),
    ),
    order(
        "no order can be taken now", {SUBMIT: say("", "Retry-After: 1", status=UNAVAILABLE)}, "in_doubt", total=PATIENT
    ),
    order("an error after the order was taken", {SUBMIT: say("", status="500 Internal Server Error")}, "in_doubt"),
    order("a bad order", {SUBMIT: say('{"message": "no"}', status="400 Bad Request")}, "status"),
    order(
        "too many polls",
        {STATUS: say("", "Retry-After: 60", status=TOO_MANY)},
        "rate_limited",
        total=PATIENT,
        pauses=(120, 122),
    ),
    order("a token that is never good", {SUBMIT: say("", status="401 Unauthorized")}, "refused", submissions=2),
]
