"""Which providers and models there are."""

from __future__ import annotations

import msgspec
import pytest

from modelwire.catalog import PROVIDERS, find_provider, resolve, split_model
from modelwire.chat import ChatFlow
from modelwire.errors import InvalidInput
from modelwire.flow import Flow
from modelwire.http import origin
from modelwire.provider import Provider, with_base_url


def test_the_five() -> None:
    assert {name: provider.flow.__name__ for name, provider in PROVIDERS.items()} == {
        "cromicle": "CromicleChat",
        "fakegpt": "FakeGptChat",
        "hailuo": "HailuoChat",
        "magickpen": "MagickPenChat",
        "arta": "ArtaImage",
    }


@pytest.fixture(params=PROVIDERS.values(), ids=list(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


def test_a_record_is_whole(provider: Provider) -> None:
    assert issubclass(provider.flow, ChatFlow if provider.kind == "chat" else Flow)
    assert provider.default_model in provider.models
    assert all(provider.models.values())
    assert origin(provider.website)[0] == "https"
    assert provider.note.endswith(".")
    assert provider.answers in ("no", "unknown"), "none of these services is known to answer"


def test_every_endpoint_and_option_is_a_field_with_a_default(provider: Provider) -> None:
    assert provider.endpoints()
    assert provider.options()
    assert with_base_url(provider.endpoints, "http://127.0.0.1:8000/x") != provider.endpoints()


def test_what_the_environment_fills_is_there(provider: Provider) -> None:
    for target in provider.environment.values():
        kind, _, name = target.partition(".")
        shape = {"credentials": provider.credentials, "options": provider.options}[kind]
        assert shape is not None
        assert name in {field.name for field in msgspec.structs.fields(shape)}


def test_a_provider_by_its_name() -> None:
    assert find_provider("ARTA") is PROVIDERS["arta"]
    with pytest.raises(InvalidInput, match="unknown provider 'artta': did you mean 'arta'"):
        find_provider("artta")


def test_third_party_providers_are_found_as_well() -> None:
    mine = msgspec.structs.replace(PROVIDERS["cromicle"], name="mine")
    assert find_provider("mine", more=[mine]) is mine
    assert resolve("Mine/gpt-3.5-turbo", more=[mine]) == (mine, "gpt-3.5-turbo")
    assert "mine" not in PROVIDERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [("arta", ("arta", None)), ("arta/flux", ("arta", "flux")), ("a/b/c", ("a", "b/c")), ("arta/", ("arta", ""))],
)
def test_provider_and_model_as_users_type_them(text: str, expected: tuple[str, str | None]) -> None:
    assert split_model(text) == expected


@pytest.mark.parametrize(
    ("text", "name", "model"),
    [
        ("arta", "arta", "flux"),
        ("arta/", "arta", "flux"),
        ("arta/gpt-image", "arta", "gpt-image"),
        ("arta/Vincent Van Gogh", "arta", "Vincent Van Gogh"),
        ("Hailuo/minimax", "hailuo", "minimax"),
    ],
)
def test_what_they_name(text: str, name: str, model: str) -> None:
    assert resolve(text) == (PROVIDERS[name], model)


def test_an_unknown_model_names_the_provider() -> None:
    with pytest.raises(InvalidInput, match="unknown model 'fluxx' for ARTA: did you mean 'flux'"):
        resolve("arta/fluxx")
