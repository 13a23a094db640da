"""The emulator of MagickPen: a site whose scripts hold two keys, and an API that requires both and a signature."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from .emulator import DEFAULT_BEHAVIOUR, NONCE_LIFE, Behaviour, EmulatorRequest, EmulatorResponse
from .parts.expiring_dict import ExpiringDict
from .parts.model_answers import answer_to
from .parts.requests import EmulatorRoute, StrictRequest, expect_recent, respond, whole_number
from .parts.responses import HttpRefusal, bytes_response, text_stream
from .parts.token_factory import TokenFactory

# The former name of a bundle, which old clients have hard-coded. Always served here, with both keys in it.
HISTORICAL_BUNDLE = "bf709a9ce19f14e18116"
SALT = "TGDBU9zCgM"
# Nonces remembered: beyond that the oldest are dropped.
MAX_NONCES = 100_000

_ASK_HEADERS = (
    ("accept", "application/json, text/plain, */*"),
    ("accept-language", "en-US,en;q=0.9"),
)
# Math.random() as JavaScript prints it (0.5, 1.2e-7), and as Python does (1.2e-05). `_check_signature` requires < 1.
_NONCE = re.compile(r"[0-9](\.[0-9]{1,30})?(e-[0-9]{1,3})?")

# The page. It also has scripts that a client must ignore: two of other sites (one is a decoy with a bundle's path), and
# one of this site that is not a bundle. {0} to {4} are the names of the bundles.
_PAGE_TEMPLATE = """<!doctype html>
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
_BUNDLE_TEMPLATE = (
    "(window.webpackJsonp=window.webpackJsonp||[])"
    '.push([[{index}],{{{index}:function(e,t,n){{"use strict";{code}}}}}]);\n'
)
_SECRET_CODE = 'var r={{secret:"{secret}",locale:"en"}};t.a=r'
_HEADERS_CODE = 'var o={{headers:{{"X-API-Secret":"{api_secret}","Accept":"*/*"}}}};t.b=o'
# The code of the five bundles, in the order of the page. The fourth mentions the keys but does not hold them.
_BUNDLE_CODES = (
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
    """MagickPen, emulated. Like a deploy of the real site, `deploy()` gives the bundles new names."""

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"magickpen") -> None:
        self._behaviour = behaviour
        self._token_factory = TokenFactory(entropy)
        self._keys = {
            "secret": self._token_factory.make("secret"),
            "api_secret": self._token_factory.make("X-API-Secret"),
        }
        self._nonces: ExpiringDict[bool] = ExpiringDict(MAX_NONCES)
        self._bundles: tuple[str, ...] = ()
        self._routes = (
            EmulatorRoute("GET", "/", self._index),
            EmulatorRoute("GET", "/theme.js", self._theme),
            EmulatorRoute("GET", r"/_nuxt/(?P<name>[0-9a-f]{20})\.js", self._bundle),
            EmulatorRoute("POST", "/ask", self._ask),
        )
        self.deploy()

    def deploy(self) -> None:
        """Give all bundles new names. The old names are no longer served."""
        self._bundles = tuple(self._token_factory.make("bundle")[:20] for _ in _BUNDLE_CODES)

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return respond(request, now, self._routes)

    def _index(self, request: StrictRequest, now: float) -> EmulatorResponse:
        return bytes_response(_PAGE_TEMPLATE.format(*self._bundles).encode(), "text/html; charset=utf-8")

    def _theme(self, request: StrictRequest, now: float) -> EmulatorResponse:
        return _script('document.documentElement.className="dark";\n')

    def _bundle(self, request: StrictRequest, now: float, name: str) -> EmulatorResponse:
        if name == HISTORICAL_BUNDLE:
            return _script(self._bundle_script(0, f"{_SECRET_CODE};{_HEADERS_CODE}"))
        if name not in self._bundles:
            raise HttpRefusal(404, f"there is no script {request.path}: the site has been deployed again")
        index = self._bundles.index(name)
        return _script(self._bundle_script(index, _BUNDLE_CODES[index]))

    def _bundle_script(self, index: int, code: str) -> str:
        return _BUNDLE_TEMPLATE.format(index=index, code=code.format(**self._keys))

    def _ask(self, request: StrictRequest, now: float) -> EmulatorResponse:
        request.expect_headers(_ASK_HEADERS)
        request.expect_site("origin", "")
        request.expect_site("referer", "/")
        nonce = self._check_signature(request, now)
        question = request.json(Question)
        if not question.query.strip():
            raise HttpRefusal(400, "the field 'query' is empty")
        if self._nonces.get(nonce, now):
            raise HttpRefusal(409, "the header 'nonce' was used before")
        self._nonces.put(nonce, True, now, NONCE_LIFE)
        return text_stream(answer_to(question.query), self._behaviour)

    def _check_signature(self, request: StrictRequest, now: float) -> str:
        """The nonce of a request. Raises `HttpRefusal` unless it holds both keys and a recent, valid signature."""
        nonce, timestamp = request.header("nonce"), request.header("timestamp")
        if not _NONCE.fullmatch(nonce) or float(nonce) >= 1:
            raise HttpRefusal(400, "the header 'nonce' must be a decimal number of at least 0 and below 1")
        expect_recent(whole_number(timestamp, "the header 'timestamp'") / 1000, now, "the header 'timestamp'")
        for header, key in (("x-api-secret", "api_secret"), ("secret", "secret")):
            if request.header(header) != self._keys[key]:
                raise HttpRefusal(403, f"the header {header!r} is not the key from the site's script")
        if request.header("signature") != _signature(nonce, timestamp):
            raise HttpRefusal(403, "the header 'signature' is not the MD5 of the sorted salt, timestamp and nonce")
        return nonce


def _signature(nonce: str, timestamp: str) -> str:
    digest = hashlib.md5()
    for text in sorted([nonce, SALT, timestamp]):
        digest.update(text.encode("ascii"))
    return digest.hexdigest()


def _script(code: str) -> EmulatorResponse:
    return bytes_response(code.encode(), "application/javascript; charset=utf-8")
