"""A third party's provider with a chat and an image flow, through `Client` and `AsyncClient`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from acme_provider import PNG, PROVIDER, AcmeEmulator
from emulated_clients import AnyClient, MemorySetup, collect, result
from modelwire.errors import InvalidInput, StatusError
from modelwire_io.client.plugins import load_provider
from modelwire_io.transports.memory import BASE_URL
from transport_variants import Style

pytestmark = pytest.mark.anyio

A, B, C = (f"{BASE_URL}/{name}" for name in "abc")


@pytest.fixture
def memory(style: Style, install: Callable[..., None]) -> MemorySetup:
    """Acme, installed as a package, and its emulator at three addresses."""
    install("acme_package", "from acme_provider import PROVIDER", **{"acme-cloud": "acme_package:PROVIDER"})
    return MemorySetup(style, {name: AcmeEmulator() for name in "abc"})


async def use_both(client: AnyClient) -> None:
    """Ask for an answer and an image."""
    assert await result(client.chat("acme-cloud/acme-1", "Hello").read()) == "acme-1: Hello"
    (image,) = await collect(client.image("acme-cloud", "a dragon").images())
    assert (image.data, image.media_type, image.stem) == (PNG, "image/png", "acme-cloud-image-1")


def keys(memory: MemorySetup, name: str = "a") -> list[str]:
    """The keys of the requests to one address, in order; empty for the download of an image."""
    requests = memory.emulators[name].requests
    return [dict(request.headers).get("authorization", "").removeprefix("Bearer ") for request in requests]


def bodies(memory: MemorySetup) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in memory.emulators["a"].requests if request.body]


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"ACME_KEY": "K-first", "ACME_API_KEY": "K-second"}, "K-first"),
        ({"ACME_KEY": "", "ACME_API_KEY": "K-second"}, "K-second"),
        ({"ACME_API_KEY": "K-second"}, "K-second"),
    ],
)
async def test_both_flows_use_the_key_of_the_first_variable_that_is_set(
    memory: MemorySetup, environment: dict[str, str], key: str
) -> None:
    await use_both(memory.client(base_url=A, environment=environment))
    assert keys(memory) == [key, key, ""]


async def test_both_flows_use_one_stored_login(memory: MemorySetup) -> None:
    client = memory.client(base_url=A)
    await result(client.log_in("acme-cloud", {"api_key": "K-stored"}))
    await use_both(client)
    assert keys(memory) == ["K-stored", "K-stored", ""]
    assert await result(client.log_out("acme-cloud")) is True
    with pytest.raises(StatusError, match="a key is missing"):
        await result(client.chat("acme-cloud/acme-1", "Hello").read())
    with pytest.raises(StatusError, match="a key is missing"):
        await collect(client.image("acme-cloud", "a dragon"))


@pytest.mark.parametrize("model", ["acme-cloud", "acme-cloud/", "Acme-Cloud"])
def test_a_chat_without_a_default_model_must_name_one(memory: MemorySetup, model: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Acme has no default model: name one$"):
        memory.client().chat(model, "Hello")


async def test_an_open_set_of_models_takes_any_name_and_the_image_flow_has_a_default(memory: MemorySetup) -> None:
    client = memory.client(base_url=A, environment={"ACME_KEY": "K"})
    await result(client.chat("acme-cloud/Any/Name:7b", "Hello").read())
    await collect(client.image("acme-cloud", "a dragon"))
    await collect(client.image("acme-cloud/Paint-2", "a dragon"))
    assert [body["model"] for body in bodies(memory)] == ["Any/Name:7b", "paint-1", "Paint-2"]


@pytest.mark.parametrize(
    ("base_url", "environment", "address"),
    [
        (None, {"ACME_CLOUD_BASE_URL": A, "ACME_HOST": B, "ACME_URL": C}, "a"),
        (None, {"ACME_HOST": B, "ACME_URL": C}, "b"),
        (None, {"ACME_CLOUD_BASE_URL": "", "ACME_HOST": "", "ACME_URL": C}, "c"),
        ({"acme-cloud": C}, {"ACME_CLOUD_BASE_URL": A, "ACME_HOST": B}, "c"),
        ({"arta": C}, {"ACME_CLOUD_BASE_URL": A, "ACME_HOST": B}, "a"),
    ],
)
async def test_an_argument_comes_before_name_base_url_and_that_before_the_variables_of_the_record(
    memory: MemorySetup, base_url: Any, environment: dict[str, str], address: str
) -> None:
    client = memory.client(base_url=base_url, environment=environment | {"ACME_KEY": "K"})
    assert client.base_url("acme-cloud") == memory.base_urls[address]
    assert client.locate("acme-cloud/acme-1") == (PROVIDER, memory.base_urls[address])
    await use_both(client)
    assert [name for name in "abc" if memory.emulators[name].requests] == [address]


def test_without_a_base_url_the_hosts_are_those_of_the_record(memory: MemorySetup) -> None:
    client = memory.client()
    assert client.base_url("acme-cloud") is None
    assert client.locate("acme-cloud") == (PROVIDER, "https://acme.example")
    assert load_provider("acme-cloud") is PROVIDER


async def test_options_belong_to_one_flow(memory: MemorySetup) -> None:
    client = memory.client(base_url=A, environment={"ACME_KEY": "K"})
    await collect(client.image("acme-cloud", "a dragon", size="large"))
    assert bodies(memory) == [{"model": "paint-1", "prompt": "a dragon", "size": "large"}]
    with pytest.raises(InvalidInput, match=r"^unknown option 'size': there are: none$"):
        client.chat("acme-cloud/acme-1", "Hello", size="large")


async def test_an_image_job_is_resumed_with_the_same_key(memory: MemorySetup) -> None:
    client = memory.client(base_url=A, environment={"ACME_KEY": "K"})
    snapshot = client.image("acme-cloud/paint-2", "a dragon").snapshot()
    assert len(await collect(client.resume("acme-cloud", snapshot).images())) == 1
    assert keys(memory) == ["K", ""]
    assert bodies(memory) == [{"model": "paint-2", "prompt": "a dragon", "size": "small"}]


def test_a_login_page_and_conversations_are_missing(memory: MemorySetup) -> None:
    with pytest.raises(InvalidInput, match=r"^Acme has no page to log in on: supply your own api key$"):
        memory.client().login_url("acme-cloud")
    with pytest.raises(InvalidInput, match=r"^Acme keeps no conversations: pass the history as messages$"):
        memory.client().chat("acme-cloud/acme-1", "Hello", conversation={})
