"""MagickPen: two keys scraped from the site's scripts, a signed request, an answer in plain text.

The wire is described in `docs/wires.md`; the service no longer answers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Annotated, ClassVar
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Meta

from modelwire.chat import ChatFlow
from modelwire.errors import InvalidInput, RemoteProtocolError
from modelwire.flow import Steps
from modelwire.http import Request, join_url, json_body, origin, without_query
from modelwire.models import Models
from modelwire.provider import Provider
from modelwire.text import TextSink

_API_SECRET = re.compile(r'"X-API-Secret":"(\w+)"', re.ASCII)
_SECRET = re.compile(r'secret:"(\w+)"', re.ASCII)
# The tags that name a script, and their attributes. A match is bounded, and ends before the next tag, so the time is
# linear in the length of any page.
_SCRIPT_TAG = re.compile(r"<(?:script|link)\s([^<>]{0,2000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b(src|href|as)\s*=\s*["']?([^\s"'>]*)""", re.IGNORECASE)


# Number: a page names a few dozen scripts. One with more is an attack.
MAX_SCRIPTS = 1000


class MagickPenEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The site that serves the scripts, the API, and the paths on them."""

    site: str = "https://magickpen.com"
    api: str = "https://api.magickpen.com"
    index_path: str = "/"
    ask_path: str = "/ask"


class MagickPenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options.

    `turnstile_response` is the response to the site's captcha, if the user has solved one. `bundle` is the script that
    holds the keys (a path such as `/_nuxt/bf709a9ce19f14e18116.js`); if it is set, the site's index is not searched.
    `signing_key` is the constant that the site's own script mixes into the signature. `most_bundles` is the largest
    number of scripts to search.
    """

    turnstile_response: str = ""
    bundle: str = ""
    signing_key: str = "TGDBU9zCgM"
    most_bundles: Annotated[int, Meta(ge=1)] = 16

    def __repr__(self) -> str:
        return f"MagickPenOptions(bundle={self.bundle!r}, most_bundles={self.most_bundles})"


class AskBody(msgspec.Struct, rename="camel"):
    """The body of `POST /ask`."""

    query: str
    turnstile_response: str
    action: str = "verify"


@dataclass(kw_only=True)
class MagickPenChat(ChatFlow):
    """A chat with MagickPen, without credentials."""

    models: ClassVar[Models] = {"gpt-4o-mini": ("gpt-4o-mini",)}
    default_model: ClassVar[str | None] = "gpt-4o-mini"

    options: MagickPenOptions = MagickPenOptions()
    endpoints: MagickPenEndpoints = MagickPenEndpoints()
    bundles: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.conceal(self.options.turnstile_response)
        self.site_url(self.options.bundle)
        self.site_url(self.endpoints.index_path)

    def start(self) -> Steps:
        """Find the scripts that the site has now."""
        if self.options.bundle:
            self.bundles = [self.site_url(self.options.bundle)]
        else:
            response = yield from self.fetch(partial(self.get_request, self.site_url(self.endpoints.index_path)))
            self.bundles = self.find_bundles(response.text())
        return self.ask

    def ask(self) -> Steps:
        """Search the scripts until both keys are found, then ask."""
        api_secret = secret = ""
        for bundle in self.bundles:
            response = yield from self.fetch(partial(self.get_request, bundle))
            script = response.text()
            api_secret = api_secret or self.scrape(_API_SECRET, script)
            secret = secret or self.scrape(_SECRET, script)
            if api_secret and secret:
                break
        missing = [name for name, value in (("X-API-Secret", api_secret), ("secret", secret)) if not value]
        if missing:
            searched = ", ".join(without_query(bundle) for bundle in self.bundles) or "no script"
            raise RemoteProtocolError(
                f"{' and '.join(missing)} not found on {self.endpoints.site}; searched: {searched}."
                " The site may have changed: pin a script with the option 'bundle'"
            )
        yield from self.stream(lambda: self.ask_request(api_secret, secret), lambda: TextSink(self.emit))

    def scrape(self, pattern: re.Pattern[str], script: str) -> str:
        """The first match of the pattern, which is concealed; empty if there is none."""
        match = pattern.search(script)
        return self.conceal(match[1]) if match else ""

    def find_bundles(self, page: str) -> list[str]:
        """The URLs of the page's own `/_nuxt/*.js` scripts, in order."""
        found: dict[str, None] = {}  # a set that keeps its order
        for source in islice(script_sources(page), MAX_SCRIPTS):
            if len(found) < self.options.most_bundles and self.is_bundle(source):
                found[self.site_url(source)] = None
        return list(found)

    def is_bundle(self, source: str) -> bool:
        """True if a script's `src` is one of the site's own bundles."""
        try:
            target = urljoin(self.site_url("/"), source)
            is_own = origin(target) == origin(self.endpoints.site)
        except ValueError:
            return False
        path = urlsplit(source).path
        return is_own and source.isascii() and re.search(r"(^|/)_nuxt/[^/]+\.js$", path) is not None

    def site_url(self, path: str) -> str:
        """The URL of a path, or of another URL's path, below the site. Raises `InvalidInput` if it is neither."""
        try:
            # Joining to the root of any host removes the dots of a path.
            relative = urlsplit(urljoin("https://site/", path))._replace(scheme="", netloc="").geturl()
        except ValueError:
            raise InvalidInput(f"{path[:80]!r} is neither a path nor a URL") from None
        return join_url(self.endpoints.site, f"/{relative.lstrip('/')}")

    def get_request(self, url: str) -> Request:
        """The request for a page or a script of the site."""
        return Request(method="GET", url=url, headers=(("accept", "*/*"),))

    def ask_request(self, api_secret: str, secret: str) -> Request:
        """The prompt, signed for this moment."""
        timestamp = str(int(self.now * 1000))
        nonce = as_javascript(self.random())
        signed = "".join(sorted((self.options.signing_key, timestamp, nonce)))
        signature = self.conceal(hashlib.md5(signed.encode()).hexdigest())
        site = without_query(self.endpoints.site)
        return Request(
            method="POST",
            url=join_url(self.endpoints.api, self.endpoints.ask_path),
            headers=(
                ("accept", "application/json, text/plain, */*"),
                ("accept-language", "en-US,en;q=0.9"),
                ("content-type", "application/json"),
                ("origin", site),
                ("referer", f"{site}/"),
                ("nonce", nonce),
                ("secret", secret),
                ("signature", signature),
                ("timestamp", timestamp),
                ("x-api-secret", api_secret),
            ),
            body=json_body(AskBody(self.prompt, self.options.turnstile_response)),
        )


def as_javascript(number: float) -> str:
    """A number in [0, 1) as JavaScript prints it (ECMA-262, Number::toString): no exponent down to a millionth."""
    if number == 0:
        return "0"
    text = repr(number)
    if "e" not in text:
        return text
    digits, _, exponent = text.partition("e")
    if number < 1e-6:
        return f"{digits}e{int(exponent)}"
    zeros = "0" * (-int(exponent) - 1)
    return f"0.{zeros}{digits.replace('.', '')}"


def script_sources(page: str) -> Iterator[str]:
    """The URLs of the scripts of a page in order, preloaded ones included."""
    for tag in _SCRIPT_TAG.finditer(page):
        attributes = {name.lower(): value.replace("&amp;", "&") for name, value in _ATTRIBUTE.findall(tag[1])}
        source = attributes.get("src") or (attributes.get("as") == "script" and attributes.get("href"))
        if source:
            yield source


PROVIDER = Provider(
    name="magickpen",
    label="MagickPen",
    chat=MagickPenChat,
    endpoints=MagickPenEndpoints(),
    website="https://magickpen.com",
    status="gone",
    note="The service is gone; the protocol is kept whole, and runs against the emulator.",
)
