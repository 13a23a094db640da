"""Redirects: the client follows none, and sends no secret to another origin."""

from __future__ import annotations

from .scenario import Scenario, ask, chat, order
from .server import say
from .sites import (
    CONVERSATION,
    CROMICLE,
    HAILUO,
    INDEX,
    LOGIN,
    PICTURE_PATH,
    SESSION,
    SIGN_UP,
    STATUS,
    SUBMIT,
)

REDIRECTS = ("301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect")


def redirect(name: str, location: str, status: str = "302 Found") -> Scenario:
    """A response that redirects."""
    return ask(f"{name}", say("", f"Location: {location}", status=status), "status", most=1)


SCENARIOS = [
    *(redirect(f"{status[:3]} to another origin", "{other}/there", status) for status in REDIRECTS),
    redirect("a redirect to itself", "/"),
    redirect("a redirect to its own origin", "{base}/there"),
    redirect("a redirect to the same host under another name", "http://localhost:{port}/"),
    redirect("a redirect without a scheme", "//127.0.0.1:{port}/"),
    redirect("a redirect to https", "https://127.0.0.1:{port}/"),
    redirect("a redirect to a file", "file:///etc/passwd"),
    redirect("a redirect to a script", "javascript:alert(1)"),
    redirect("a redirect to data", "data:text/plain,evil"),
    redirect("a redirect with a password", "http://user:secret@127.0.0.1:{port}/"),
    redirect("a redirect with a line end in it", "/a\r\nSet-Cookie: evil=1\r\nX-A: b"),
    redirect("a redirect with an encoded line end", "/%0d%0aSet-Cookie:%20evil=1"),
    redirect("a redirect to nowhere", ""),
    redirect("a redirect of a megabyte's hundredth", "/" + "a" * 10_000),
    ask("a redirect without a location", say("", status="302 Found"), "status", most=1),
    ask(
        "a redirect in its page",
        say('<meta http-equiv="refresh" content="0; url={other}/">', "Refresh: 0; url={other}/"),
        "answer",
        answer=None,
    ),
    *(
        chat(
            "cromicle",
            f"{status[:3]} to another origin",
            {CROMICLE: say("", "Location: {other}/chat", status=status)},
            "status",
            most=1,
        )
        for status in REDIRECTS
    ),
    chat(
        "hailuo",
        "a redirect to another origin",
        {HAILUO: say("", "Location: {other}/", status=REDIRECTS[3])},
        "status",
        most=1,
    ),
    chat(
        "fakegpt",
        "the login redirects to another origin",
        {LOGIN: say("", "Location: {other}/", "Set-Cookie: a=b", status=REDIRECTS[1])},
        "answer",
    ),
    chat(
        "fakegpt",
        "the session redirects to another origin",
        {SESSION: say("", "Location: {other}/", status=REDIRECTS[1])},
        "status",
        most=1,
    ),
    chat(
        "fakegpt",
        "the question redirects to another origin",
        {CONVERSATION: say("", "Location: {other}/", status=REDIRECTS[4])},
        "status",
        most=1,
    ),
    chat(
        "magickpen",
        "the page redirects to another origin",
        {INDEX: say("", "Location: {other}/", status=REDIRECTS[0])},
        "status",
        most=1,
    ),
    chat(
        "magickpen",
        "a script of another origin",
        {INDEX: say('<script src="{other}/_nuxt/a.js"></script><script src="//127.0.0.1:{port}/_nuxt/b.js"></script>')},
        "protocol",
    ),
    chat(
        "magickpen",
        "a script of another origin, in odd spellings",
        {
            INDEX: say(
                r'<script src="http:\\127.0.0.1:{port}\_nuxt\a.js"></script>'
                r'<script src="\\127.0.0.1:{port}/_nuxt/b.js"></script>'
                '<script src="http:127.0.0.1:{port}/_nuxt/c.js"></script>'
            )
        },
        "protocol status",
        answer=None,
    ),
    order(
        "the sign-up redirects to another origin",
        {SIGN_UP: say("", "Location: {other}/", status=REDIRECTS[3])},
        "status",
        most=1,
    ),
    order(
        "the order redirects to another origin",
        {SUBMIT: say("", "Location: {other}/", status=REDIRECTS[3])},
        "status in_doubt",
        most=1,
    ),
    order(
        "the status redirects to another origin",
        {STATUS: say("", "Location: {other}/", status=REDIRECTS[1])},
        "status",
        most=1,
    ),
    order(
        "the image redirects to another origin",
        {PICTURE_PATH: say("", "Location: {other}/picture.png", status=REDIRECTS[1])},
        "status",
        most=1,
    ),
]
