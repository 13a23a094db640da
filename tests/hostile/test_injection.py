"""Text that would end a header, a line or a part of a request is refused before anything connects, or encoded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from faults.server import FaultServer, Routes, WholeResponse, say
from faults.sites import INDEX, LOADS, SESSION, SIGN_UP, SITES, STATUS, SUBMIT
from modelwire.errors import ModelwireError
from modelwire.json import JsonObject, JsonValue
from modelwire.limits import Limits
from modelwire.providers.cromicle import CromicleChat, CromicleEndpoints
from modelwire_io import Client
from modelwire_io.client.settings import Configuration
from modelwire_io.drive import drive
from modelwire_io.store import MemoryStore
from modelwire_io.transports import H11Transport

# Among them characters whose low byte is a line end, such as U+010A.
BAD = [
    "a\r\nX-Injected: 1",
    "a\nX-Injected: 1",
    "a\rX-Injected: 1",
    "a\r\n\r\nGET /injected HTTP/1.1\r\nHost: a\r\n\r\n",
    'a\r\n--limit\r\nContent-Disposition: form-data; name="x"\r\n\r\nX-Injected: 1',
    "a\0b",
    "a\x0b\x0c\x1b[2J",
    "a\x7f\x85\u2028",
    "a\u010aX-Injected: 1\u010d\u010a",
    "a\ud800",
    "a\udc0a",
]
PROMPT = "Hello"
ONCE = Limits(tries=1)
KEY = {"ARTA_API_KEY": "key"}
LOGIN = {"token": "token"}
CONVERSATION = {"token": "token", "chatID": "1", "characterID": "1"}
FRESH = {"id_token": "token", "refresh_token": "refresh", "expires_in": 1e10, "issued_at": 1.7e9, "api_key": "key"}
ISSUED: dict[str, JsonValue] = {"idToken": "token", "refreshToken": "refresh", "expiresIn": "3600"}

# A function of a client, the URL of a service and a text.
Act = Callable[[Client, str, str], Any]


class Place(NamedTuple):
    """A place for a text: the provider, a call that puts the text there, and a harmless text."""

    provider: str
    act: Act
    harmless: str = "plain"


def chat(provider: str, **more: Any) -> Act:
    """A chat with the text in place of each `{}`."""
    return lambda client, _, text: client.chat(provider, **{"messages": PROMPT} | filled(more, text)).read()


def hailuo(**credentials: Any) -> Act:
    """A chat with credentials of Hailuo."""
    return chat("hailuo", credentials=LOGIN | credentials)


def image(**more: Any) -> Act:
    """A job, and its images."""
    usual = {"prompt": PROMPT, "credentials": FRESH}
    return lambda client, _, text: list(client.image("arta", **usual | filled(more, text)).images())


def endpoints(make: Callable[[str, str], CromicleEndpoints]) -> Act:
    """A flow with these endpoints, driven by hand."""
    return lambda client, base, text: list(
        drive(CromicleChat(messages=PROMPT, endpoints=make(base, text)), client.transport)
    )


def elsewhere(configure: Callable[[str, str], Configuration]) -> Act:
    """A chat of a client with this configuration."""

    def act(_: Client, base: str, text: str) -> None:
        usual: Configuration = {"store": MemoryStore(), "environment": {}, "limits": ONCE}
        configuration = usual | configure(base, text)
        transport = H11Transport(proxy=configuration.get("proxy"), environment={})
        with Client(transport=transport, **configuration) as client:
            client.chat("cromicle", PROMPT).read()

    return act


def named_option(client: Client, name: str) -> None:
    """A chat with an option of this name."""
    options: dict[str, Any] = {name: "x"}
    client.chat("cromicle", PROMPT, **options).read()


def cookie(**fields: str) -> list[dict[str, str]]:
    """A cookie for the service."""
    return [{"name": "a", "value": "b", "domain": "127.0.0.1"} | fields]


def filled(value: Any, text: str) -> Any:
    """Plain data with the text in place of each `{}`."""
    match value:
        case dict():
            return {name: filled(inner, text) for name, inner in value.items()}
        case list():
            return [filled(inner, text) for inner in value]
        case str():
            return value.replace("{}", text)
        case _:
            return value


# Places in a head, or in a name that must exist.
REFUSED = {
    "a model": Place(
        "cromicle", lambda client, _, text: client.chat(f"cromicle/{text}", PROMPT).read(), "gpt-3.5-turbo"
    ),
    "a provider": Place("cromicle", lambda client, _, text: client.chat(text, PROMPT).read(), "cromicle"),
    "an option": Place("cromicle", lambda client, _, text: named_option(client, text), "token"),
    "a login token": Place("hailuo", hailuo(token="{}")),
    "a user agent": Place("hailuo", hailuo(user_agent="{}")),
    "a cookie's name": Place("hailuo", hailuo(cookies=cookie(name="{}"))),
    "a cookie's value": Place("hailuo", hailuo(cookies=cookie(value="{}"))),
    "an access token": Place("fakegpt", chat("fakegpt", credentials={"access_token": "{}"})),
    "a stored cookie": Place(
        "fakegpt", chat("fakegpt", credentials={"access_token": "t", "cookies": cookie(value="{}")})
    ),
    "a browser": Place("fakegpt", chat("fakegpt", user_agent="{}")),
    "a language": Place("fakegpt", chat("fakegpt", accept_language="{}")),
    "a client hint": Place("fakegpt", chat("fakegpt", sec_ch_ua="{}")),
    "an id token": Place("arta", image(credentials=FRESH | {"id_token": "{}"})),
    "an aspect ratio": Place("arta", image(aspect_ratio="{}"), "16:9"),
    "a number": Place("arta", image(steps="{}"), "3"),
    "a path": Place(
        "cromicle", endpoints(lambda base, text: CromicleEndpoints(site=base, chat_path=f"/chat{text}")), ""
    ),
    "a host": Place("cromicle", endpoints(lambda base, text: CromicleEndpoints(site=base + text)), ""),
    "a base URL": Place("cromicle", elsewhere(lambda base, text: {"base_url": f"{base}/{text}"}), ""),
    "a proxy": Place("cromicle", elsewhere(lambda base, text: {"base_url": base, "proxy": f"{base}/{text}"}), ""),
    "a proxy's user": Place(
        "cromicle",
        elsewhere(lambda base, text: {"base_url": base, "proxy": base.replace("//", f"//{text}:password@")}),
        "somebody",
    ),
}
# Places in a body or a query.
ENCODED = {
    "a prompt for Cromicle": Place("cromicle", chat("cromicle", messages="{}")),
    "a prompt for FakeGpt": Place("fakegpt", chat("fakegpt", messages="{}")),
    "a prompt for MagickPen": Place("magickpen", chat("magickpen", messages="{}")),
    "a prompt for Hailuo AI": Place("hailuo", chat("hailuo", messages="{}", credentials=LOGIN)),
    "a prompt for ARTA": Place("arta", image(prompt="{}")),
    "a system message": Place("cromicle", chat("cromicle", system="{}")),
    "a page's token": Place("cromicle", chat("cromicle", token="{}")),
    "a model on the wire": Place("fakegpt", chat("fakegpt", wire_model="{}")),
    "a captcha": Place("magickpen", chat("magickpen", turnstile_response="{}")),
    "a script": Place("magickpen", chat("magickpen", bundle="_nuxt/{}")),
    "a chat": Place("hailuo", chat("hailuo", credentials=LOGIN, conversation=CONVERSATION | {"chatID": "{}"})),
    "a character": Place(
        "hailuo", chat("hailuo", credentials=LOGIN, conversation=CONVERSATION | {"characterID": "{}"})
    ),
    "a chat's token": Place("hailuo", chat("hailuo", credentials=LOGIN, conversation=CONVERSATION | {"token": "{}"})),
    "a device": Place("hailuo", hailuo(device_id="{}", uuid="{}")),
    "a system": Place("hailuo", hailuo(os_name="{}", browser_platform="{}")),
    "a mode": Place("hailuo", chat("hailuo", credentials=LOGIN, search_mode="{}")),
    "what not to draw": Place("arta", image(negative_prompt="{}")),
    "an API key": Place("arta", image(credentials={"api_key": "{}"})),
    "a refresh token": Place("arta", image(credentials=FRESH | {"issued_at": 1e9, "refresh_token": "{}"})),
    "a client's type": Place("arta", image(credentials={"api_key": "k"}, client_type="{}")),
}


def as_json(value: JsonValue) -> WholeResponse:
    """A JSON response, which may hold lone surrogates."""
    return say(json.dumps(value), "Content-Type: application/json")


# Values that a service sends and the client later sends back: provider, path, response.
SAID: dict[str, tuple[str, str, Callable[[str], WholeResponse]]] = {
    "an id token": ("arta", SIGN_UP, lambda text: as_json(ISSUED | {"idToken": text})),
    "a refresh token": ("arta", SIGN_UP, lambda text: as_json(ISSUED | {"refreshToken": text})),
    "a job": ("arta", SUBMIT, lambda text: as_json({"record_id": text})),
    "an image": (
        "arta",
        STATUS,
        lambda text: as_json({"status": "DONE", "response": [{"url": f"{{base}}/picture{text}"}]}),
    ),
    "a shared token": ("fakegpt", LOADS, lambda text: as_json({"loads": [{"token_id": text}]})),
    "an access token": ("fakegpt", SESSION, lambda text: as_json({"accessToken": text})),
    "a script": (
        "magickpen",
        INDEX,
        lambda text: say(f"<script src='/_nuxt/{text}.js'></script>".encode("utf-8", "replace")),
    ),
}


class Observed(NamedTuple):
    """The requests of a service (method and header names), its connections, and the stored credentials."""

    requests: list[tuple[str, list[str]]]
    connections: int
    stored: JsonObject


def ask(place: Place, text: str, serving: Routes | None = None) -> Observed:
    """Put a text in a place, and observe what the service receives."""
    store = MemoryStore()
    with FaultServer({**SITES[place.provider], **(serving or {})}, other="") as server:
        transport = H11Transport(environment={})
        with Client(base_url=server.url, store=store, environment=KEY, transport=transport, limits=ONCE) as client:
            try:
                place.act(client, server.url, text)
            except ModelwireError:
                pass
        heads = [received.head.removesuffix(b"\r\n\r\n").split(b"\r\n") for received in server.requests]
        requests = [
            (line.split()[0].decode(), [header.split(b":")[0].decode() for header in rest]) for line, *rest in heads
        ]
        return Observed(requests, len(server.connections), store.load(place.provider, server.url) or {})


@pytest.mark.parametrize("place", REFUSED.values(), ids=REFUSED)
def test_text_that_would_end_a_header_is_refused_before_anything_connects(place: Place) -> None:
    assert ask(place, place.harmless).connections > 0
    for text in BAD:
        assert ask(place, text).connections == 0, repr(text)


@pytest.mark.parametrize("place", ENCODED.values(), ids=ENCODED)
def test_text_in_a_body_or_a_query_is_encoded_or_refused(place: Place) -> None:
    usual = ask(place, place.harmless).requests
    assert usual
    for text in BAD:
        observed = ask(place, text)
        assert observed.requests == usual or observed.connections == 0, repr(text)


@pytest.mark.parametrize(("provider", "path", "answer"), SAID.values(), ids=SAID)
def test_values_of_a_service_are_encoded_or_not_used(
    provider: str, path: str, answer: Callable[[str], WholeResponse]
) -> None:
    place = Place(provider, image(credentials=None) if provider == "arta" else chat(provider))
    usual = ask(place, "", {path: answer("plain")}).requests
    for text in BAD:
        observed = ask(place, "", {path: answer(text)})
        assert observed.requests == usual[: len(observed.requests)], repr(text)
        # A stored token that cannot be sent would spoil every later request.
        assert text not in (observed.stored.get("id_token"), observed.stored.get("access_token"))
