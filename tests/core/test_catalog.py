"""The catalog of providers and models."""

from __future__ import annotations

import msgspec
import pytest

from modelwire.catalog import PROVIDERS, find_provider, split_model
from modelwire.errors import InvalidInput
from modelwire.http import origin
from modelwire.models import resolve_model
from modelwire.provider import Provider, options_type, with_base_url


def test_the_five() -> None:
    found = {
        (name, kind): flow.__name__ for name, provider in PROVIDERS.items() for kind, flow in provider.flows.items()
    }
    assert found == {
        ("cromicle", "chat"): "CromicleChat",
        ("fakegpt", "chat"): "FakeGptChat",
        ("hailuo", "chat"): "HailuoChat",
        ("magickpen", "chat"): "MagickPenChat",
        ("arta", "image"): "ArtaImage",
    }


@pytest.fixture(params=PROVIDERS.values(), ids=list(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


def test_a_record_is_whole(provider: Provider) -> None:
    for flow in provider.flows.values():
        assert flow.models is not None
        assert flow.default_model in flow.models
        assert all(flow.models.values())
    assert origin(provider.website)[0] == "https"
    assert provider.note.endswith(".")
    assert provider.status in ("gone", "unknown"), "none of these services is known to answer"


def test_every_endpoint_and_option_is_a_field_with_a_default(provider: Provider) -> None:
    assert [options_type(flow)() for flow in provider.flows.values()]
    assert with_base_url(provider.endpoints, "http://127.0.0.1:8000/x") != provider.endpoints


def test_what_the_environment_fills_is_there(provider: Provider) -> None:
    for target in provider.environment:
        kind, _, name = target.partition(".")
        for flow in provider.flows.values():
            shape = {"credentials": provider.credentials, "options": options_type(flow)}[kind]
            assert shape is not None
            assert name in {field.name for field in msgspec.structs.fields(shape)}


def test_a_provider_by_its_name() -> None:
    assert find_provider("ARTA") is PROVIDERS["arta"]
    with pytest.raises(InvalidInput, match="unknown provider 'artta': did you mean 'arta'"):
        find_provider("artta")


def test_third_party_providers_are_found_as_well() -> None:
    mine = msgspec.structs.replace(PROVIDERS["cromicle"], name="mine")
    assert find_provider("mine", more=[mine]) is mine
    assert find_provider("Mine", more=[mine]) is mine
    assert "mine" not in PROVIDERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [("arta", ("arta", None)), ("arta/flux", ("arta", "flux")), ("a/b/c", ("a", "b/c")), ("arta/", ("arta", ""))],
)
def test_provider_and_model_as_users_type_them(text: str, expected: tuple[str, str | None]) -> None:
    assert split_model(text) == expected


@pytest.mark.parametrize(
    ("text", "name", "wire"),
    [
        ("arta", "arta", ("Flux",)),
        ("arta/", "arta", ("Flux",)),
        ("arta/gpt-image", "arta", ("GPT4o", "High GPT4o", "GPT4o Ghibli")),
        ("arta/Vincent Van Gogh", "arta", ("Vincent Van Gogh",)),
        ("Hailuo/minimax", "hailuo", ("MiniMax",)),
    ],
)
def test_what_they_name(text: str, name: str, wire: tuple[str, ...]) -> None:
    provider_name, model = split_model(text)
    provider = find_provider(provider_name)
    (flow,) = provider.flows.values()
    assert provider is PROVIDERS[name]
    assert resolve_model(flow.models, model, flow.default_model, provider.label) == wire
