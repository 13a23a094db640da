"""The other side of MagickPen: a site whose scripts hold two keys, and an API that wants both and a signature."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from .emulator import DEFAULT_BEHAVIOUR, NONCE_LIFE, Behaviour, EmulatorRequest, EmulatorResponse
from .parts.answers import answer_to
from .parts.incoming import Route, StrictRequest, answer, expect_recent, whole_number
from .parts.memory import Memory, TokenFactory
from .parts.responses import HttpRefusal, bytes_response, text_stream

# The name that one of the bundles once had, and that clients wrote down: always served here, with both keys in it.
HISTORICAL_BUNDLE = "bf709a9ce19f14e18116"
SALT = "TGDBU9zCgM"
MOST_NONCES = 100_000

_ASK_HEADERS = (
    ("accept", "application/json, text/plain, */*"),
    ("accept-language", "en-US,en;q=0.9"),
)
# Math.random() as JavaScript prints it (0.5, 1.2e-7), and as Python does (1.2e-05); that it is below 1 is seen later.
_NONCE = re.compile(r"[0-9](\.[0-9]{1,30})?(e-[0-9]{1,3})?")

# The page, with what a client must step over: scripts of other sites (one of them a decoy with the right path), and
# a script of its own that is no bundle. The bundles are named by place: {0} to {4}.
_INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>MagickPen (emulated)</title>
<link rel="preload" href="/_nuxt/{0}.js" as="script">
<script async src="https://analytics.example.com/tag.js?id=1&amp;v=2"></script>
<script src="//cdn.example.net/_nuxt/0123456789abcdef0123.js"></script>
</head>
<body>
<div id="__nuxt">Loading…</div>
<script src="/theme.js"></script>
<script>window.__NUXT__={{config:{{}}}}</script>
<script src="/_nuxt/{0}.js" defer></script>
<script src="/_nuxt/{1}.js" defer></script>
<script src="/_nuxt/{2}.js" defer></script>
<script src="/_nuxt/{3}.js" defer></script>
<script src="/_nuxt/{4}.js" defer></script>
</body>
</html>
"""
_SHELL = (
    "(window.webpackJsonp=window.webpackJsonp||[])"
    '.push([[{place}],{{{place}:function(e,t,n){{"use strict";{code}}}}}]);\n'
)
_SECRET_CODE = 'var r={{secret:"{secret}",locale:"en"}};t.a=r'
_HEADERS_CODE = 'var o={{headers:{{"X-API-Secret":"{api_secret}","Accept":"*/*"}}}};t.b=o'
# What the five bundles hold, in the order of the page. The fourth only names the keys.
_CODES = (
    "n.r(t)",
    _SECRET_CODE,
    "t.c=function(){{return 42}}",
    't.d=function(e){{return{{"X-API-Secret":e.key,secret:e.secret}}}}',
    _HEADERS_CODE,
)


class Question(msgspec.Struct, rename="camel"):
    """The body of `POST /ask`."""

    query: str
    turnstile_response: str
    action: Literal["verify"]


class MagickPenEmulator:
    """MagickPen, emulated: `deploy()` gives its bundles new names, as each deploy of the real site did."""

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"magickpen") -> None:
        self._behaviour = behaviour
        self._mint = TokenFactory(entropy)
        self._keys = {"secret": self._mint.make("secret"), "api_secret": self._mint.make("X-API-Secret")}
        self._nonces: Memory[bool] = Memory(MOST_NONCES)
        self._bundles: tuple[str, ...] = ()
        self._routes = (
            Route("GET", "/", self._index),
            Route("GET", "/theme.js", self._theme),
            Route("GET", r"/_nuxt/(?P<name>[0-9a-f]{20})\.js", self._bundle),
            Route("POST", "/ask", self._ask),
        )
        self.deploy()

    def deploy(self) -> None:
        """Give all bundles new names; the old ones are gone."""
        self._bundles = tuple(self._mint.make("bundle")[:20] for _ in _CODES)

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        """Answer one request. Never raises."""
        return answer(request, now, self._routes)

    def _index(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        return bytes_response(_INDEX.format(*self._bundles).encode(), "text/html; charset=utf-8")

    def _theme(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        return _script('document.documentElement.className="dark";\n')

    def _bundle(self, incoming: StrictRequest, now: float, name: str) -> EmulatorResponse:
        if name == HISTORICAL_BUNDLE:
            return _script(self._packed(0, f"{_SECRET_CODE};{_HEADERS_CODE}"))
        if name not in self._bundles:
            raise HttpRefusal(404, f"there is no script {incoming.path}: the site was deployed anew since")
        place = self._bundles.index(name)
        return _script(self._packed(place, _CODES[place]))

    def _packed(self, place: int, code: str) -> str:
        return _SHELL.format(place=place, code=code.format(**self._keys))

    def _ask(self, incoming: StrictRequest, now: float) -> EmulatorResponse:
        incoming.expect_headers(_ASK_HEADERS)
        incoming.expect_site("origin", "")
        incoming.expect_site("referer", "/")
        nonce = self._check_signature(incoming, now)
        question = incoming.json(Question)
        if not question.query.strip():
            raise HttpRefusal(400, "the field 'query' is empty")
        if self._nonces.get(nonce, now):
            raise HttpRefusal(409, "the nonce was used before")
        self._nonces.put(nonce, True, now, NONCE_LIFE)
        return text_stream(answer_to(question.query), self._behaviour)

    def _check_signature(self, incoming: StrictRequest, now: float) -> str:
        """The nonce of a request that holds both keys and is signed for about `now`."""
        nonce, timestamp = incoming.header("nonce"), incoming.header("timestamp")
        if not _NONCE.fullmatch(nonce) or float(nonce) >= 1:
            raise HttpRefusal(400, "the header 'nonce' must be a decimal number of at least 0 and below 1")
        expect_recent(whole_number(timestamp, "the header 'timestamp'") / 1000, now, "the header 'timestamp'")
        for header, key in (("x-api-secret", "api_secret"), ("secret", "secret")):
            if incoming.header(header) != self._keys[key]:
                raise HttpRefusal(403, f"the header {header!r} is not the key from the site's script")
        if incoming.header("signature") != _signature(nonce, timestamp):
            raise HttpRefusal(403, "the header 'signature' is not the MD5 of the sorted salt, timestamp and nonce")
        return nonce


def _signature(nonce: str, timestamp: str) -> str:
    digest = hashlib.md5()
    for text in sorted([nonce, SALT, timestamp]):
        digest.update(text.encode("ascii"))
    return digest.hexdigest()


def _script(code: str) -> EmulatorResponse:
    return bytes_response(code.encode(), "application/javascript; charset=utf-8")
