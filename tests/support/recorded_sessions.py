"""Recorded sessions, and a search for secrets in a recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import quote, quote_plus

import msgspec

from modelwire.flow import Flow
from modelwire.limits import Limits
from modelwire.providers.arta import ArtaCredentials, ArtaImage
from modelwire.providers.cromicle import CromicleChat
from modelwire.providers.fakegpt import FakeGptChat
from modelwire.providers.hailuo import HailuoChat, HailuoCredentials
from modelwire.providers.magickpen import MagickPenChat
from modelwire.recording import Recorder
from modelwire.recording.rendering import Blob
from played_flow import ENTROPY, Outcome, PlayedFlow, ScriptedResponse, bytewise, say, say_json

SECRET_ENTROPY = b"this is never recorded"
ONCE = Limits(tries=1)

API_KEY = "AIza/canary+key=1"
ID_TOKEN = "canary.id-token_1"
REFRESH_TOKEN = 'canary "refresh" \\ tökén/1'
SHARED_TOKEN = 'canary shared/"token" ü'
OTHER_TOKEN = "canary-of-another"
COOKIE = "canary%20cookie/1=="
ACCESS_TOKEN = "canary-access/token+1="
LOGIN_TOKEN = "canary-login-token"
DEVICE = "canary device ö"
SCRAPED_KEY = "CanaryApiSecret1"
SCRAPED_SECRET = "canary_secret_2"


class Scenario(NamedTuple):
    """A flow, its responses, and the secrets in those responses and in its credentials."""

    flow: Flow
    responses: Sequence[Outcome]
    canaries: Sequence[str] = ()


def scenarios() -> dict[str, Scenario]:
    """One for each provider. The last response is up to the test."""
    script = f'e={{"X-API-Secret":"{SCRAPED_KEY}"}},t={{secret:"{SCRAPED_SECRET}"}}'
    offers = [{"token_id": token} for token in (SHARED_TOKEN, OTHER_TOKEN)]
    signed_up = {"idToken": ID_TOKEN, "refreshToken": REFRESH_TOKEN, "expiresIn": "3600"}
    refreshed = {"id_token": ID_TOKEN + "-2", "refresh_token": REFRESH_TOKEN + "-2", "expires_in": 3600}
    return {
        "cromicle": Scenario(CromicleChat(messages="Hello", limits=ONCE), []),
        "fakegpt": Scenario(
            FakeGptChat(messages="Hello", limits=ONCE),
            [
                say_json({"loads": offers}),
                say("", 302, set_cookie=f"session={COOKIE}; Path=/"),
                say_json({"accessToken": ACCESS_TOKEN}),
            ],
            [SHARED_TOKEN, OTHER_TOKEN, COOKIE, ACCESS_TOKEN],
        ),
        "hailuo": Scenario(
            HailuoChat(
                messages="Hello",
                limits=ONCE,
                credentials=HailuoCredentials(token=LOGIN_TOKEN, uuid=DEVICE, device_id="7351"),
            ),
            [],
            [LOGIN_TOKEN, DEVICE, "7351"],
        ),
        "magickpen": Scenario(
            MagickPenChat(messages="Hello", limits=ONCE),
            [say('<script src="/_nuxt/a.js"></script>'), ScriptedResponse(chunks=bytewise(script.encode()))],
            [SCRAPED_KEY, SCRAPED_SECRET],
        ),
        "arta": Scenario(
            ArtaImage(prompt="a dragon", limits=ONCE, credentials=ArtaCredentials(api_key=API_KEY)),
            [
                say_json(signed_up),
                say("", 401),
                say_json(refreshed),
                say_json({"record_id": "record-1"}),
                say_json({"status": "IN_QUEUE"}),
            ],
            [API_KEY, ID_TOKEN, REFRESH_TOKEN, ID_TOKEN + "-2", REFRESH_TOKEN + "-2"],
        ),
    }


def begun(flow: Flow, *responses: Outcome) -> tuple[PlayedFlow, Recorder]:
    """A recorded session, and its recorder."""
    recorder = Recorder(flow)
    session = PlayedFlow(cast(Flow, recorder))
    session.start(ENTROPY, SECRET_ENTROPY)
    return session.play(*responses), recorder


def recorded(flow: Flow, *responses: Outcome) -> list[str]:
    """The lines of a recording."""
    return begun(flow, *responses)[1].lines()


def spelt(secret: str) -> Iterator[str]:
    """The spellings of a secret that a server may send."""
    yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield re.sub("%..", lambda match: match[0].lower(), quote(secret, safe=""))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield json.dumps(secret)[1:-1].replace("/", "\\/")


def echo(secrets: Iterable[str]) -> bytes:
    """A body with these secrets, in every spelling."""
    return " | ".join(spelling for secret in secrets for spelling in spelt(secret)).encode()


def assert_no_secret(lines: Sequence[str], secrets: Iterable[str]) -> None:
    """Assert that no secret is in a recording: in its lines, its values, or the chunks and deltas joined."""
    texts = list(_texts(lines))
    for secret in secrets:
        for spelling in set(spelt(secret)):
            assert not [text for text in texts if spelling in text], f"{spelling!r} was written"


def _texts(lines: Sequence[str]) -> Iterator[str]:
    yield "\n".join(lines)
    values = [msgspec.json.decode(line) for line in lines]
    for value in values:
        yield from _strings(value)
    bodies: dict[int, bytes] = {}
    deltas = ""
    for value in values[1:-1]:
        event = value["event"]
        if event["type"] == "BodyReceived":
            data = msgspec.convert(event["data"], Blob).data
            bodies[event["request_id"]] = bodies.get(event["request_id"], b"") + data
        deltas += "".join(item["text"] for item in value["items"] if item["type"] == "TextDelta")
    yield from (body.decode("utf-8", "replace") for body in bodies.values())
    yield deltas


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case {"base64": str()}:
            yield msgspec.convert(value, Blob).data.decode("utf-8", "replace")
        case dict():
            for key, item in value.items():
                yield from (key, *_strings(item))
        case list():
            for item in value:
                yield from _strings(item)
        case _:
            pass
