"""The flow that a user's words become: names, options, addresses, credentials.

An argument comes before the environment, and the environment before the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from modelwire.errors import InvalidInput, SnapshotError
from modelwire.flow import Flow
from modelwire.limits import Limits
from modelwire.messages import Message
from modelwire.providers.arta import ArtaCredentials, ArtaEndpoints, ArtaImage
from modelwire.providers.cromicle import CromicleChat
from modelwire.providers.hailuo import HailuoChat, HailuoConversation, HailuoCredentials
from modelwire_io.client.flow_factory import CredentialsInput, FlowFactory, ReadyFlow
from modelwire_io.client.plugins import load_provider
from modelwire_io.store import MemoryStore
from modelwire_io.store.credentials import Store

ARTA, CROMICLE, HAILUO = load_provider("arta"), load_provider("cromicle"), load_provider("hailuo")
LOCAL = "http://127.0.0.1:8080/p"


def make_factory(
    *,
    base_url: str | Mapping[str, str] | None = None,
    timeout: float | None = None,
    limits: Limits | None = None,
    store: Store | None = None,
    environment: Mapping[str, str] | None = None,
) -> FlowFactory:
    return FlowFactory(
        base_url=base_url,
        timeout=timeout,
        limits=limits or Limits(),
        store=store or MemoryStore(),
        environment=environment or {},
    )


def chat(
    factory: FlowFactory | None = None,
    model: str = "cromicle",
    *,
    messages: Any = "hello",
    system: str | None = None,
    credentials: CredentialsInput = None,
    conversation: CredentialsInput = None,
    **options: Any,
) -> ReadyFlow:
    return (factory or make_factory()).chat(
        model, messages, system=system, credentials=credentials, conversation=conversation, options=options
    )


def image(factory: FlowFactory | None = None, model: str = "arta", prompt: Any = "a cat", **options: Any) -> ReadyFlow:
    return (factory or make_factory()).image(model, prompt, credentials=None, options=options)


def flow_of(ready: ReadyFlow, kind: type[Flow]) -> Any:
    """The flow, which must be of this kind."""
    assert isinstance(ready.flow, kind)
    return ready.flow


# Names.


def test_a_provider_without_a_model_means_its_default_model() -> None:
    ready = chat()
    assert ready.provider is CROMICLE
    assert flow_of(ready, CromicleChat).wire_model == "gpt-3.5-turbo"
    assert flow_of(image(model="arta"), ArtaImage).wire_model == "Flux"


def test_a_model_is_named_by_alias_or_wire_name_in_any_case() -> None:
    assert flow_of(chat(model="Hailuo/minimax", credentials={"token": "T"}), HailuoChat).model == "minimax"
    for name in ("flux-dev", "F Dev", "FLUX-DEV"):
        assert flow_of(image(model=f"ARTA/{name}"), ArtaImage).model == name


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("cromicel", "unknown provider 'cromicel': did you mean 'cromicle'?"),
        ("", "unknown provider '': there are: arta, cromicle, fakegpt, hailuo, magickpen"),
        ("cromicle/gpt-3.5", "unknown model 'gpt-3.5' for Cromicle: did you mean 'gpt-3.5-turbo'?"),
        ("cromicle/gpt-3.5-turbo/x", "unknown model 'gpt-3.5-turbo/x' for Cromicle: did you mean 'gpt-3.5-turbo'?"),
        ("arta", "ARTA is for images, not for chats: choose another provider"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(model: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        chat(model=model)
    assert str(caught.value) == message


def test_an_image_needs_a_provider_of_images() -> None:
    with pytest.raises(InvalidInput, match=r"^Cromicle is for chats, not for images: choose another provider$"):
        image(model="cromicle")


# Messages.


def test_a_system_message_comes_before_the_history() -> None:
    flow = flow_of(chat(messages=[{"role": "user", "content": "hello"}], system="be brief"), CromicleChat)
    assert flow.history == (Message("system", "be brief"), Message("user", "hello"))
    assert flow_of(chat(system=""), CromicleChat).history == (Message("user", "hello"),)


@pytest.mark.parametrize("messages", ["", " \n", [], [Message("user", "")]])
def test_an_empty_prompt_is_refused_whatever_the_system_message_says(messages: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^the prompt is empty"):
        chat(messages=messages, system="be brief")
    with pytest.raises(InvalidInput, match=r"^the prompt is empty"):
        image(prompt=messages)


def test_an_image_is_of_the_prompt_or_of_the_last_user_message() -> None:
    assert flow_of(image(prompt="a cat"), ArtaImage).prompt == "a cat"
    history = [Message("user", "a dog"), Message("assistant", "here"), Message("user", "now a cat")]
    assert flow_of(image(prompt=history), ArtaImage).prompt == "now a cat"


# Options.


def test_options_may_be_text() -> None:
    texts = {"n": "3", "cfg-scale": "4.5", "seed": 7}
    options = flow_of(make_factory().image("arta", "a cat", credentials=None, options=texts), ArtaImage).options
    assert (options.n, options.cfg_scale, options.seed) == (3, 4.5, 7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"setps": "3"}, "unknown option 'setps': did you mean 'steps'?"),
        ({"steps": "many"}, "bad option: Expected `int`, got `str` - at `$.steps`"),
        ({"n": "0"}, "bad option: Expected `int` >= 1 - at `$.n`"),
        ({"record_id": "1"}, "unknown option 'record_id': "),
        ({"credentials": {}}, "unknown option 'credentials': "),
    ],
)
def test_an_invalid_option_is_refused_and_other_fields_of_a_flow_are_not_options(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_factory().image("arta", "a cat", credentials=None, options=options)
    assert str(caught.value).startswith(message)


def test_the_environment_fills_an_option_that_is_missing() -> None:
    factory = make_factory(environment={"HAILUO_LOGIN_URL": "https://login.example"})
    assert flow_of(chat(factory, "hailuo"), HailuoChat).options.login_url == "https://login.example"
    supplied = flow_of(chat(factory, "hailuo", login_url="https://mine.example"), HailuoChat)
    assert supplied.options.login_url == "https://mine.example"
    assert (
        flow_of(chat(make_factory(environment={"HAILUO_LOGIN_URL": ""}), "hailuo"), HailuoChat).options.login_url == ""
    )


# Timeouts.


def test_the_timeout_is_for_the_whole_flow() -> None:
    factory = make_factory(timeout=2.5, limits=Limits(tries=1))
    assert chat(factory).flow.limits == Limits(total=2.5, tries=1) == chat(factory).limits
    assert chat(make_factory(limits=Limits(total=9.0))).flow.limits.total == 9.0


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9])
def test_an_invalid_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidInput, match=r"^the timeout must be a number of seconds, more than 0$"):
        make_factory(timeout=timeout)


# Addresses.


def test_a_base_url_replaces_the_hosts_of_the_provider() -> None:
    assert chat().origin == "https://cromicle.top"
    assert flow_of(image(), ArtaImage).endpoints == ArtaEndpoints()
    moved = image(make_factory(base_url=f"{LOCAL}/"))
    assert moved.origin == LOCAL
    assert flow_of(moved, ArtaImage).endpoints == ArtaEndpoints(identity=LOCAL, token=LOCAL, images=LOCAL)


def test_a_supplied_base_url_comes_before_the_environment() -> None:
    environment = {"ARTA_BASE_URL": "http://environment.example", "CROMICLE_BASE_URL": ""}
    assert image(make_factory(environment=environment)).origin == "http://environment.example"
    assert chat(make_factory(environment=environment)).origin == "https://cromicle.top"
    assert image(make_factory(base_url=LOCAL, environment=environment)).origin == LOCAL
    by_name = make_factory(base_url={"arta": LOCAL}, environment={"CROMICLE_BASE_URL": "http://c.example"})
    assert (image(by_name).origin, chat(by_name).origin) == (LOCAL, "http://c.example")
    assert by_name.base_url(HAILUO) is None


@pytest.mark.parametrize(
    "base_url", ["localhost:8080", "ftp://x", "http://", "https:///p", "http://u:p@x", "http://x#y"]
)
def test_an_invalid_base_url_is_refused_and_nothing_is_stored_for_it(base_url: str) -> None:
    store = MemoryStore()
    factory = make_factory(base_url=base_url, store=store)
    for use in (
        lambda: chat(factory),
        lambda: factory.origin(CROMICLE),
        lambda: factory.log_in(HAILUO, {"token": "T"}),
    ):
        with pytest.raises(InvalidInput):
            use()
    assert store.load("hailuo", base_url) is None


def test_a_query_of_the_base_url_is_in_every_address_but_not_in_the_origin() -> None:
    factory = make_factory(base_url=f"{LOCAL}/?version=v1&code=K-query")
    ready = image(factory)
    flow = flow_of(ready, ArtaImage)
    assert flow.endpoints == ArtaEndpoints(identity=LOCAL, token=LOCAL, images=LOCAL)
    assert flow.base_query == "version=v1&code=K-query"
    assert ready.origin == factory.origin(ARTA) != LOCAL
    assert ready.origin.startswith(f"{LOCAL}#")
    assert factory.base_url(ARTA) == f"{LOCAL}/?version=v1&code=K-query"


def test_the_query_of_the_base_url_is_a_secret_of_every_flow() -> None:
    factory = make_factory(base_url=f"{LOCAL}?code=K%2Bquery")
    snapshot = image(factory).flow.snapshot()
    for ready in (chat(factory), image(factory), restored(factory, snapshot), factory.login(HAILUO, {})):
        assert "K+query" in ready.flow.secrets


# Credentials.


def test_stored_credentials_are_used_for_their_own_origin_only() -> None:
    store = MemoryStore()
    make_factory(store=store).log_in(HAILUO, {"token": "T-real"})
    make_factory(store=store, base_url=LOCAL).log_in(HAILUO, {"token": "T-local"})
    assert chat(make_factory(store=store), "hailuo").flow.credentials == HailuoCredentials(token="T-real")
    assert chat(make_factory(store=store, base_url=LOCAL), "hailuo").flow.credentials == HailuoCredentials(
        token="T-local"
    )
    assert chat(make_factory(store=store, base_url="http://other.example"), "hailuo").flow.credentials is None


def test_supplied_credentials_come_before_the_environment_and_that_before_the_store() -> None:
    store = MemoryStore()
    factory = make_factory(store=store, environment={"ARTA_API_KEY": "K-environment"})
    assert image(factory).flow.credentials == ArtaCredentials(api_key="K-environment")
    issued = {"api_key": "K-store", "id_token": "I", "refresh_token": "R", "expires_in": 3600.0, "issued_at": 1.0}
    store.save("arta", ARTA.website, issued)
    assert image(make_factory(store=store)).flow.credentials == msgspec.convert(issued, ArtaCredentials)
    # A token that was issued for one key is not used with another.
    assert image(factory).flow.credentials == ArtaCredentials(api_key="K-environment")
    supplied = factory.image("arta", "a cat", credentials={"api_key": "K-supplied"}, options={})
    assert supplied.flow.credentials == ArtaCredentials(api_key="K-supplied")
    assert (supplied.stored is None, image(factory).stored is None) == (True, False)


def test_a_token_that_was_issued_for_the_key_of_the_environment_is_used_again() -> None:
    store = MemoryStore()
    issued = {"api_key": "K", "id_token": "I", "refresh_token": "R", "expires_in": 3600.0, "issued_at": 1.0}
    store.save("arta", ARTA.website, issued)
    factory = make_factory(store=store, environment={"ARTA_API_KEY": "K"})
    assert image(factory).flow.credentials == msgspec.convert(issued, ArtaCredentials)


def test_a_provider_that_needs_no_credentials_gets_none() -> None:
    store = MemoryStore()
    store.save("cromicle", CROMICLE.website, {"token": "T"})
    assert chat(make_factory(store=store), credentials={"token": "T"}).flow.credentials is None


@pytest.mark.parametrize(
    "credentials", [{}, {"token": 1.5}, {"token": None}, {"token": "T", "cpu_core_num": "T-secret"}]
)
def test_credentials_of_another_shape_are_refused_and_not_shown(credentials: dict[str, Any]) -> None:
    store = MemoryStore()
    factory = make_factory(store=store)
    for use in (lambda: factory.log_in(HAILUO, credentials), lambda: chat(factory, "hailuo", credentials=credentials)):
        with pytest.raises(InvalidInput, match=r"^the credentials do not fit: ") as caught:
            use()
        assert "T-secret" not in str(caught.value)
    assert store.load("hailuo", HAILUO.website) is None


def test_a_login_is_stored_with_every_field() -> None:
    store = MemoryStore()
    make_factory(store=store).log_in(HAILUO, HailuoCredentials(token="T", uuid="U"))
    stored = store.load("hailuo", HAILUO.website)
    assert stored is not None
    assert msgspec.convert(stored, HailuoCredentials) == HailuoCredentials(token="T", uuid="U")


def test_a_provider_that_needs_no_login_refuses_one() -> None:
    store = MemoryStore()
    with pytest.raises(InvalidInput, match=r"^Cromicle needs no login$"):
        make_factory(store=store).log_in(CROMICLE, {"token": "T"})


# Conversations.


def test_a_conversation_is_for_providers_that_keep_one() -> None:
    conversation = {"token": "T", "chatID": "7", "characterID": "1"}
    flow = flow_of(chat(model="hailuo", credentials={"token": "T"}, conversation=conversation), HailuoChat)
    assert flow.conversation == HailuoConversation(token="T", chat_id="7", character_id="1")
    with pytest.raises(InvalidInput, match=r"^Cromicle keeps no conversations: pass the history as messages$"):
        chat(conversation=conversation)
    with pytest.raises(InvalidInput, match=r"^the parts of the conversation do not fit: "):
        chat(model="hailuo", conversation={"token": "T"})


# Snapshots.


def restored(factory: FlowFactory, snapshot: str, model: str = "arta") -> ReadyFlow:
    return factory.restore(model, snapshot, credentials=None, resend=False)


def test_a_restored_job_gets_the_credentials_of_its_origin() -> None:
    store = MemoryStore()
    store.save("arta", LOCAL, {"api_key": "K-local"})
    factory = make_factory(base_url=LOCAL, store=store, timeout=9.0)
    original = image(factory, n=2)
    again = restored(factory, original.flow.snapshot())
    assert again.flow == original.flow
    assert again.flow.credentials == ArtaCredentials(api_key="K-local")
    assert again.flow.limits.total == 9.0
    assert (again.provider, again.origin, again.stored is None) == (ARTA, LOCAL, False)


def test_a_snapshot_gets_no_credentials_of_another_origin() -> None:
    store = MemoryStore()
    store.save("arta", ARTA.website, {"api_key": "K-real"})
    snapshot = image(make_factory(base_url="http://evil.example")).flow.snapshot()
    with pytest.raises(InvalidInput, match=r"^the snapshot is not of a job at https://ai-arta.com: give the base URL"):
        restored(make_factory(store=store), snapshot)


def test_a_snapshot_of_another_provider_is_refused() -> None:
    with pytest.raises(SnapshotError):
        restored(make_factory(), chat().flow.snapshot())
    with pytest.raises(InvalidInput, match=r"^unknown provider 'atra': did you mean 'arta'"):
        restored(make_factory(), image().flow.snapshot(), model="atra")


def test_a_chat_is_not_restored() -> None:
    with pytest.raises(InvalidInput, match=r"^Cromicle is for chats, and only image jobs are resumed: ask again"):
        restored(make_factory(), chat().flow.snapshot(), model="cromicle")
