"""Models, options and endpoints, as users write them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from modelwire.chat import ChatFlow
from modelwire.commands import SendRequest
from modelwire.download import ImageDownload
from modelwire.errors import InvalidInput
from modelwire.events import Start
from modelwire.flow import Steps, credentials_field
from modelwire.http import Request, add_query, join_url, secrets_in_query
from modelwire.image import ImageFlow
from modelwire.models import Models, resolve_model
from modelwire.names import find_name
from modelwire.provider import NoOptions, Provider, options_type, parse_options, with_base_url


class Options(msgspec.Struct, frozen=True, kw_only=True):
    aspect_ratio: str = "1:1"
    n: Annotated[int, Meta(ge=1, le=9)] = 1
    scale: float = 7
    fast: bool = False
    seed: int | None = None


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    site: str = "https://site.example"
    api: str = "http://api.site.example"
    path: str = "/chat"


@pytest.mark.parametrize(
    ("name", "found"), [("Flux", "Flux"), ("flux", "Flux"), ("FLUX", "Flux"), ("anime", "anime"), ("Anime", "Anime")]
)
def test_a_name_in_any_case_and_its_own_first(name: str, found: str) -> None:
    assert find_name(name, ["Flux", "anime", "Anime"], "model") == found


def test_an_unknown_name_with_a_near_one() -> None:
    with pytest.raises(InvalidInput) as info:
        find_name("fluks", ["Flux", "Anime"], "model", where=" for ARTA")
    assert str(info.value) == "unknown model 'fluks' for ARTA: did you mean 'Flux'?"


def test_an_unknown_name_without_one() -> None:
    with pytest.raises(InvalidInput) as info:
        find_name("xyz", ["Flux", "Anime"], "model")
    assert str(info.value) == "unknown model 'xyz': there are: Anime, Flux"
    with pytest.raises(InvalidInput, match="there are: none"):
        find_name("xyz", [], "option")


def test_an_unknown_name_is_shown_short_and_on_one_line() -> None:
    with pytest.raises(InvalidInput) as info:
        find_name("\x1b\n" + "x" * 10**6, ["Flux"], "model")
    assert len(str(info.value)) < 200
    assert str(info.value).isprintable()


MODELS = {"flux": ("Flux",), "best": ("Flux", "Anime"), "tattoo": ("tattoo",)}


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        (None, ("Flux",)),
        ("", ("Flux",)),
        ("best", ("Flux", "Anime")),
        ("BEST", ("Flux", "Anime")),
        ("Anime", ("Anime",)),
        ("anime", ("Anime",)),
        ("tattoo", ("tattoo",)),
    ],
)
def test_a_model_by_its_alias_or_its_own_name(model: str | None, wire: tuple[str, ...]) -> None:
    assert resolve_model(MODELS, model, "flux", "ARTA") == wire


def test_an_unknown_model() -> None:
    with pytest.raises(InvalidInput, match="unknown model 'animee' for ARTA: did you mean 'Anime'"):
        resolve_model(MODELS, "animee", "flux", "ARTA")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Options()),
        ({"n": 3, "scale": 2.5, "fast": True, "seed": 7}, Options(n=3, scale=2.5, fast=True, seed=7)),
        ({"n": "3", "scale": "2.5", "fast": "true", "seed": "7"}, Options(n=3, scale=2.5, fast=True, seed=7)),
        ({"aspect-ratio": "16:9"}, Options(aspect_ratio="16:9")),
        ({"ASPECT_RATIO": "16:9"}, Options(aspect_ratio="16:9")),
        ({"seed": None}, Options()),
    ],
)
def test_options_as_values_or_as_text(values: dict[str, Any], expected: Options) -> None:
    assert parse_options(Options, values) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"aspect_ration": "16:9"}, "unknown option 'aspect_ration': did you mean 'aspect_ratio'"),
        ({"n": "many"}, r"bad option: Expected `int`, got `str` - at `\$.n`"),
        ({"n": 0}, r"bad option: Expected `int` >= 1 - at `\$.n`"),
        ({"n": "10"}, r"bad option: Expected `int` <= 9 - at `\$.n`"),
        ({"aspect_ratio": "\ud800"}, "the option 'aspect_ratio' holds a lone surrogate"),
        ({"aspect_ratio": 5}, "bad option"),
    ],
)
def test_an_option_that_cannot_work_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_options(Options, values)


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8000/p", "http://127.0.0.1:8000/p/", "https://proxy.example", "http://[::1]:80"]
)
def test_a_base_url_replaces_every_host_and_no_path(base: str) -> None:
    bare = base.rstrip("/")
    assert with_base_url(Endpoints(), base) == Endpoints(site=bare, api=bare, path="/chat")


@pytest.mark.parametrize(
    "base",
    [
        "",
        "127.0.0.1:8000",
        "ftp://a.example",
        "https://",
        "https://a.example/#x",
        "http://a:b/",
        "http://user:password@a.example/",
        "http://a.example/ x",
        "http://ж.example",
        "http://a.example/\r\n",
    ],
)
def test_an_invalid_base_url_is_refused(base: str) -> None:
    with pytest.raises(InvalidInput):
        with_base_url(Endpoints(), base)


def test_a_base_url_may_have_a_query() -> None:
    endpoints = with_base_url(Endpoints(), "https://a.example/openai/?api-version=1")
    assert endpoints.site == endpoints.api == "https://a.example/openai"
    assert join_url(endpoints.site, endpoints.path) == "https://a.example/openai/chat"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.example/chat", "https://a.example/chat?v=1"),
        ("https://a.example/chat?x=2", "https://a.example/chat?v=1&x=2"),
        ("https://a.example/chat?x=2#y", "https://a.example/chat?v=1&x=2#y"),
        ("https://a.example/chat#y", "https://a.example/chat?v=1#y"),
    ],
)
def test_the_query_of_a_base_url_comes_first(url: str, sent: str) -> None:
    assert add_query(url, "v=1") == sent


def test_the_secrets_of_a_query_are_known_by_their_names() -> None:
    assert secrets_in_query("api-version=2024&subscription-key=K&debug=true&X-Sig=S&bare&empty=") == [
        "K",
        "S",
        "bare",
        "empty",
    ]


@dataclass(kw_only=True)
class Asking(ChatFlow):
    url: str = "https://acme.example/chat"
    endpoints: Endpoints = Endpoints(site="https://acme.example")

    def start(self) -> Steps:
        yield from self.fetch(lambda: Request(method="GET", url=self.url))


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://acme.example/chat", "https://acme.example/chat?key=K-secret"),
        ("https://elsewhere.example/chat", "https://elsewhere.example/chat"),
    ],
)
def test_only_requests_to_the_services_hosts_carry_the_query(url: str, sent: str) -> None:
    flow = Asking(messages="Hi", model="m", url=url, base_query="key=K-secret")
    [command] = flow.handle(Start(bytes(32)), 0.0)
    assert isinstance(command, SendRequest)
    assert command.request.url == sent
    assert "K-secret" in flow.secrets
    assert "K-secret" not in flow.snapshot() + repr(flow) + repr(command)


def test_a_flow_without_endpoints_adds_no_query() -> None:
    flow = ImageDownload(url="https://a.example/1", provider_url="https://a.example", base_query="key=K-secret")
    [command] = flow.handle(Start(bytes(32)), 0.0)
    assert isinstance(command, SendRequest)
    assert command.request.url == "https://a.example/1"


def test_a_flow_cannot_be_copied() -> None:
    with pytest.raises(TypeError, match="restore another from its snapshot"):
        copy.copy(AcmeChat(messages="Hi", model="acme-1"))


def test_an_open_set_of_models_takes_any_name() -> None:
    assert resolve_model(None, "anything/at-all", None, "Acme") == ("anything/at-all",)


@pytest.mark.parametrize("models", [None, MODELS])
def test_without_a_default_model_one_must_be_named(models: Models) -> None:
    with pytest.raises(InvalidInput, match=r"^Acme has no default model: name one$"):
        resolve_model(models, None, None, "Acme")


class Credentials(msgspec.Struct, frozen=True):
    api_key: str


class ImageOptions(msgspec.Struct, frozen=True, kw_only=True):
    size: str = "small"


@dataclass(kw_only=True)
class AcmeChat(ChatFlow):
    credentials: Credentials | None = credentials_field()
    endpoints: Endpoints = Endpoints()


@dataclass(kw_only=True)
class AcmeImage(ImageFlow):
    default_model: ClassVar[str | None] = "paint-1"
    credentials: Credentials | None = credentials_field()
    options: ImageOptions = ImageOptions()
    endpoints: Endpoints = Endpoints()


ACME = Provider(
    name="acme-cloud",
    label="Acme",
    chat=AcmeChat,
    image=AcmeImage,
    endpoints=Endpoints(site="https://acme.example"),
    environment={"credentials.api_key": ("ACME_KEY", "ACME_API_KEY"), "base_url": ("ACME_HOST",)},
    website="https://acme.example",
    status="live",
    note="A service with two kinds of flows.",
)


def test_one_record_holds_several_flows_with_one_key() -> None:
    assert ACME.flows == {"chat": AcmeChat, "image": AcmeImage}
    assert ACME.credentials is Credentials
    assert ACME.conversation is None
    assert [options_type(flow) for flow in ACME.flows.values()] == [NoOptions, ImageOptions]
    assert AcmeChat(messages="Hi", model="acme-1").wire_model == "acme-1"
    assert AcmeImage(prompt="a dragon").wire_model == "paint-1"
    assert "secret" not in repr(AcmeImage(prompt="a dragon", credentials=Credentials("secret")))


def test_several_variables_may_fill_one_field() -> None:
    assert ACME.variables("credentials.api_key") == ("ACME_KEY", "ACME_API_KEY")
    assert ACME.variables("base_url") == ("ACME_CLOUD_BASE_URL", "ACME_HOST")
    assert ACME.variables("options.size") == ()


def test_a_record_without_a_flow_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'acme' has neither a chat nor an image flow"):
        Provider(
            name="acme",
            label="Acme",
            endpoints=Endpoints(),
            website="https://acme.example",
            status="live",
            note="Nothing.",
        )
