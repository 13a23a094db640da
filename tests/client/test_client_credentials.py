"""Credentials of a client: supplied, from the environment, and stored by provider and origin."""

from __future__ import annotations

from typing import Any

import pytest

from emulated_clients import SIGN_UP, MemorySetup, collect, first_of, make_images, result
from modelwire.emulators import ArtaEmulator, HailuoEmulator
from modelwire.errors import InvalidInput, LoginRequiredError
from modelwire.outputs import CredentialsChanged, LoginRequired, TextDelta
from modelwire.providers.hailuo import HailuoOptions
from modelwire_io.transports.memory import BASE_URL
from transport_variants import Style

pytestmark = pytest.mark.anyio


async def test_a_chat_without_credentials_requires_a_login(memory: MemorySetup) -> None:
    chat = memory.client().chat("hailuo", "Hello")
    assert await first_of(LoginRequired, chat) == LoginRequired("Hailuo AI", f"{BASE_URL}/hailuo")
    with pytest.raises(LoginRequiredError):
        await first_of(TextDelta, chat)
    assert memory.emulators["hailuo"].requests == []


async def test_credentials_are_stored_by_provider_and_origin(style: Style) -> None:
    memory = MemorySetup(style, {"a": ArtaEmulator(entropy=b"a"), "b": ArtaEmulator(entropy=b"b")})
    tokens = {}
    for name in ("a", "b"):
        url = memory.base_urls[name]
        client = memory.client(base_url=url, environment={"ARTA_API_KEY": "key"})
        await make_images(client)
        stored = memory.store.load("arta", url)
        assert stored is not None
        tokens[name] = {stored["id_token"], stored["refresh_token"]}
        # The second job uses the credentials that the first was issued.
        await make_images(client)
    assert len(tokens["a"] | tokens["b"]) == 4
    for name, other in (("a", "b"), ("b", "a")):
        assert memory.emulators[name].count("POST", f"{SIGN_UP}key") == 1
        assert not any(memory.emulators[name].received(str(token)) for token in tokens[other])
    assert memory.store.load("arta", memory.base_urls["arta"]) is None


async def test_a_login_is_never_sent_to_another_address(style: Style) -> None:
    memory = MemorySetup(style, {"elsewhere": HailuoEmulator()}).log_in()
    await result(memory.client().chat("hailuo", "Hello").read())
    with pytest.raises(LoginRequiredError):
        await result(memory.client(base_url=f"{BASE_URL}/elsewhere").chat("hailuo", "Hello").read())
    assert memory.emulators["elsewhere"].requests == []


async def test_supplied_credentials_are_used_and_not_stored(memory: MemorySetup) -> None:
    job = memory.client().image("arta", "a dragon", credentials={"api_key": "supplied"})
    await collect(job)
    assert memory.emulators["arta"].received("key=supplied")
    assert job.credentials is not None
    assert memory.store.load("arta", memory.base_urls["arta"]) is None


async def test_supplied_credentials_do_not_change_stored_ones(memory: MemorySetup) -> None:
    memory.log_in()
    before = memory.store.load("hailuo", memory.base_urls["hailuo"])
    with pytest.raises(LoginRequiredError):
        await result(memory.client().chat("hailuo", "Hello", credentials={"token": "bad"}).read())
    assert memory.store.load("hailuo", memory.base_urls["hailuo"]) == before


@pytest.mark.parametrize(
    ("argument", "variable", "used"),
    [
        ("argument", "variable", "argument"),
        (None, "variable", "variable"),
        (None, None, "stored"),
        ("argument", None, "argument"),
    ],
)
async def test_an_argument_comes_before_the_environment_and_that_before_the_store(
    memory: MemorySetup, argument: str | None, variable: str | None, used: str
) -> None:
    memory.store.save("arta", memory.base_urls["arta"], {"api_key": "stored"})
    client = memory.client(environment={} if variable is None else {"ARTA_API_KEY": variable})
    await collect(client.image("arta", "a dragon", credentials=None if argument is None else {"api_key": argument}))
    assert [key for key in ("argument", "variable", "stored") if memory.emulators["arta"].received(f"key={key}")] == [
        used
    ]


async def test_refused_credentials_are_removed_and_replaced(memory: MemorySetup) -> None:
    memory.store.save("fakegpt", memory.base_urls["fakegpt"], {"access_token": "old", "cookies": []})
    outputs = await collect(memory.client().chat("fakegpt", "Hello"))
    first, second = (output for output in outputs if isinstance(output, CredentialsChanged))
    assert first == CredentialsChanged(None)
    assert memory.store.load("fakegpt", memory.base_urls["fakegpt"]) == second.credentials


@pytest.mark.parametrize("credentials", [{}, {"token": 1}, {"tokn": "x"}, HailuoOptions()])
def test_credentials_of_another_shape_are_refused(memory: MemorySetup, credentials: Any) -> None:
    with pytest.raises(InvalidInput, match="the credentials do not fit"):
        memory.client().chat("hailuo", "Hello", credentials=credentials)


async def test_a_login_is_stored_and_used(memory: MemorySetup) -> None:
    await result(memory.client().log_in("hailuo", {"token": "emulated-token"}))
    assert "“Hello”" in await result(memory.client().chat("hailuo", "Hello").read())


async def test_a_login_that_the_provider_does_not_accept_is_refused(memory: MemorySetup) -> None:
    with pytest.raises(InvalidInput, match="Cromicle needs no login"):
        await result(memory.client().log_in("cromicle", {"token": "x"}))
    with pytest.raises(InvalidInput, match="the credentials do not fit"):
        await result(memory.client().log_in("hailuo", {}))
