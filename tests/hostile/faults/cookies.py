"""Cookies: of foreign domains, in large numbers, and invalid ones."""

from __future__ import annotations

from dataclasses import replace

from modelwire.outputs import CredentialsChanged

from .scenario import Check, Result, Scenario, chat
from .server import say
from .sites import (
    ACCESS_TOKEN,
    ANSWER,
    CONVERSATION,
    HAILUO,
    LOADS,
    LOGIN,
    SESSION,
    SESSION_COOKIE,
    fakegpt_answer,
    hailuo_answer,
)

OWN = f"Set-Cookie: session={SESSION_COOKIE}; Path=/"
# Cookies: the most that a client stores for one host.
MOST = 50


def cookies_of(result: Result) -> list[str]:
    """The cookies of the chat request."""
    headers = [question.header("cookie") for question in result.to(CONVERSATION)]
    return [pair for header in headers for pair in header.split("; ") if pair]


def are(*pairs: str) -> dict[str, Check]:
    """A check that the chat request has exactly these cookies, in any order."""
    return {f"did not send the cookies {pairs}": lambda result: sorted(cookies_of(result)) == sorted(pairs)}


def is_stored(name: str, result: Result) -> bool:
    """True if the emitted credentials have a cookie of this name."""
    emitted = [output.credentials for output in result.observed.outputs if isinstance(output, CredentialsChanged)]
    return any(cookie["name"] == name for credentials in emitted for cookie in (credentials or {})["cookies"])


def login(
    name: str, *lines: str, sent: tuple[str, ...] = (f"session={SESSION_COOKIE}",), kinds: str = "answer"
) -> Scenario:
    """A login that sets cookies, and the cookies that the chat should send."""
    also = are(*sent) if kinds == "answer" else {}
    return chat("fakegpt", name, {LOGIN: say("", *lines)}, kinds, also=also)


def elsewhere(name: str, value: str) -> Scenario:
    """A cookie for another place, beside one for the chat."""
    return login(name, f"Set-Cookie: {value}", OWN)


def evil(name: str, value: str) -> Scenario:
    """A cookie that is not even stored."""
    scenario = elsewhere(name, value)
    return replace(scenario, also={**scenario.also, "stored the cookie": lambda result: not is_stored("evil", result)})


SCENARIOS = [
    login("one cookie", OWN),
    evil("a cookie of another domain", "evil=1; Domain=example.com"),
    evil("a cookie of another address", "evil=1; Domain=127.0.0.2"),
    evil("a cookie of a part of the address", "evil=1; Domain=0.0.1"),
    evil("a cookie of a part of the address, with a dot", "evil=1; Domain=.0.0.1"),
    evil("a cookie of all of com", "evil=1; Domain=com"),
    elsewhere("a cookie of every host, which is as good as none", "evil=1; Domain=."),
    evil("a cookie of localhost", "evil=1; Domain=localhost"),
    evil("a cookie for https alone", "evil=1; Secure"),
    evil("a cookie that is over", "evil=1; Max-Age=0"),
    evil("a cookie that was over long ago", "evil=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
    elsewhere("a cookie of another path", "evil=1; Path=/elsewhere"),
    elsewhere("a cookie of a path that only begins alike", "evil=1; Path=/api/conv"),
    evil("a cookie without a name", "=evil"),
    evil("a cookie without a sign of equality", "evil"),
    evil("a cookie with a blank in its name", "e vil=1"),
    evil("a cookie with a terminal's commands", "evil=\x1b[2J"),
    evil("a cookie with bytes that are no ASCII", "evil=\xe9"),
    evil("a cookie with a tab", "evil=a\tb"),
    evil("a cookie of five kilobytes", f"evil={'x' * 5000}"),
    evil("a cookie of fifty kilobytes", f"evil={'x' * 50_000}"),
    login("an own cookie with the domain given", f"Set-Cookie: session={SESSION_COOKIE}; Path=/; Domain=127.0.0.1"),
    login("a cookie with a line end in it", f"Set-Cookie: a=b\r\n X-Evil: 1\r\n{OWN}", kinds="answer protocol"),
    login(
        "a header that is split in two",
        f"Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d; Path=/\r\n{OWN}",
        sent=("a=b", "c=d", f"session={SESSION_COOKIE}"),
    ),
    login("a cookie that is set again and again", *(f"Set-Cookie: session={i}" for i in range(100)), OWN),
    login(
        "two hundred cookies, of which some are stored",
        *(f"Set-Cookie: c{i}=x; Path=/" for i in range(200)),
        sent=tuple(f"c{i}=x" for i in range(200 - MOST, 200)),
    ),
    login("a thousand cookies", *(f"Set-Cookie: c{i}=x; Path=/" for i in range(1000)), kinds="limit"),
    login(
        "cookies of sixty kilobytes",
        *(f"Set-Cookie: c{i}={'x' * 4000}; Path=/" for i in range(15)),
        sent=tuple(f"c{i}={'x' * 4000}" for i in range(15)),
    ),
    login(
        "a login that is refused with a cookie in a bad line",
        f"Set-Cookie : session={SESSION_COOKIE}",
        kinds="protocol answer",
    ),
    chat(
        "fakegpt",
        "two hundred cookies with each answer",
        {
            path: say(response, *(f"Set-Cookie: {path[-1]}{i}=x; Path=/" for i in range(200)))
            for path, response in {
                LOADS: '{"loads": [{"token_id": "shared-of-fakegpt"}]}',
                LOGIN: "",
                SESSION: f'{{"accessToken": "{ACCESS_TOKEN}"}}',
                CONVERSATION: fakegpt_answer(ANSWER),
            }.items()
        },
        "answer",
        also={"sent more cookies than are stored": lambda result: len(cookies_of(result)) <= MOST},
    ),
    chat(
        "hailuo",
        "cookies that a provider does not store, and stored ones of another host",
        {HAILUO: say(hailuo_answer(ANSWER), *(f"Set-Cookie: c{i}=x; Path=/" for i in range(200)))},
        "answer",
        also={"sent a cookie": lambda result: not any(received.header("cookie") for received in result.requests)},
    ),
    chat("cromicle", "cookies that a provider does not store", {"/chat": say(ANSWER, OWN)}, "answer"),
]
