"""From what a user typed to a flow: names, options, addresses, credentials; argument over environment over file."""

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


def preparation(
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
    prepare: FlowFactory | None = None,
    model: str = "cromicle",
    *,
    messages: Any = "hello",
    system: str | None = None,
    credentials: CredentialsInput = None,
    conversation: CredentialsInput = None,
    **options: Any,
) -> ReadyFlow:
    return (prepare or preparation()).chat(
        model, messages, system=system, credentials=credentials, conversation=conversation, options=options
    )


def image(prepare: FlowFactory | None = None, model: str = "arta", prompt: Any = "a cat", **options: Any) -> ReadyFlow:
    return (prepare or preparation()).image(model, prompt, credentials=None, options=options)


def of(prepared: ReadyFlow, kind: type[Flow]) -> Any:
    """The flow, which is of this kind."""
    assert isinstance(prepared.flow, kind)
    return prepared.flow


# Names.


def test_a_provider_alone_means_its_default_model() -> None:
    prepared = chat()
    assert prepared.provider is CROMICLE
    assert of(prepared, CromicleChat).model == "gpt-3.5-turbo"
    assert of(image(model="arta"), ArtaImage).model == "flux"


def test_a_model_may_be_named_in_any_case_by_alias_or_on_the_wire() -> None:
    assert of(chat(model="Hailuo/minimax", credentials={"token": "T"}), HailuoChat).model == "minimax"
    for name in ("flux-dev", "F Dev", "FLUX-DEV"):
        assert of(image(model=f"ARTA/{name}"), ArtaImage).model == name


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("cromicel", "unknown provider 'cromicel': did you mean 'cromicle'?"),
        ("", "unknown provider '': there are: arta, cromicle, fakegpt, hailuo, magickpen"),
        ("cromicle/gpt-3.5", "unknown model 'gpt-3.5' for Cromicle: did you mean 'gpt-3.5-turbo'?"),
        ("cromicle/gpt-3.5-turbo/x", "unknown model 'gpt-3.5-turbo/x' for Cromicle: did you mean 'gpt-3.5-turbo'?"),
        ("arta", "ARTA is for images, not for chats: choose another provider"),
    ],
)
def test_a_name_that_is_none_is_answered_with_the_nearest(model: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        chat(model=model)
    assert str(caught.value) == said


def test_a_chat_provider_draws_nothing() -> None:
    with pytest.raises(InvalidInput, match=r"^Cromicle is for chats, not for images: choose another provider$"):
        image(model="cromicle")


# Messages.


def test_a_system_message_comes_before_the_history() -> None:
    flow = of(chat(messages=[{"role": "user", "content": "hello"}], system="be brief"), CromicleChat)
    assert flow.history == (Message("system", "be brief"), Message("user", "hello"))
    assert of(chat(system=""), CromicleChat).history == (Message("user", "hello"),)


@pytest.mark.parametrize("messages", ["", " \n", [], [Message("user", "")]])
def test_an_empty_prompt_is_refused_whatever_the_system_message_says(messages: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^the prompt is empty"):
        chat(messages=messages, system="be brief")
    with pytest.raises(InvalidInput, match=r"^the prompt is empty"):
        image(prompt=messages)


def test_a_picture_is_of_the_prompt_or_of_what_the_user_said_last() -> None:
    assert of(image(prompt="a cat"), ArtaImage).prompt == "a cat"
    history = [Message("user", "a dog"), Message("assistant", "here"), Message("user", "now a cat")]
    assert of(image(prompt=history), ArtaImage).prompt == "now a cat"


# Options.


def test_options_are_typed_lax_from_text() -> None:
    given = {"n": "3", "cfg-scale": "4.5", "seed": 7}
    options = of(preparation().image("arta", "a cat", credentials=None, options=given), ArtaImage).options
    assert (options.n, options.cfg_scale, options.seed) == (3, 4.5, 7)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"setps": "3"}, "unknown option 'setps': did you mean 'steps'?"),
        ({"steps": "many"}, "bad option: Expected `int`, got `str` - at `$.steps`"),
        ({"n": "0"}, "bad option: Expected `int` >= 1 - at `$.n`"),
        ({"record_id": "1"}, "unknown option 'record_id': "),
        ({"credentials": {}}, "unknown option 'credentials': "),
    ],
)
def test_an_option_that_cannot_work_is_refused_and_the_inside_of_a_flow_is_no_option(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        preparation().image("arta", "a cat", credentials=None, options=options)
    assert str(caught.value).startswith(said)


def test_the_environment_fills_an_option_that_was_not_given() -> None:
    prepare = preparation(environment={"HAILUO_LOGIN_URL": "https://login.example"})
    assert of(chat(prepare, "hailuo"), HailuoChat).options.login_url == "https://login.example"
    given = of(chat(prepare, "hailuo", login_url="https://mine.example"), HailuoChat)
    assert given.options.login_url == "https://mine.example"
    assert of(chat(preparation(environment={"HAILUO_LOGIN_URL": ""}), "hailuo"), HailuoChat).options.login_url == ""


# Time.


def test_the_timeout_is_that_of_the_whole_flow() -> None:
    prepare = preparation(timeout=2.5, limits=Limits(tries=1))
    assert chat(prepare).flow.limits == Limits(total=2.5, tries=1) == prepare.limits
    assert chat(preparation(limits=Limits(total=9.0))).flow.limits.total == 9.0


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidInput, match=r"^the timeout is a number of seconds, more than 0$"):
        preparation(timeout=timeout)


# Addresses.


def test_hosts_are_the_providers_own_unless_a_base_url_takes_their_place() -> None:
    assert chat().origin == "https://cromicle.top"
    assert of(image(), ArtaImage).endpoints == ArtaEndpoints()
    moved = image(preparation(base_url=f"{LOCAL}/"))
    assert moved.origin == LOCAL
    assert of(moved, ArtaImage).endpoints == ArtaEndpoints(identity=LOCAL, token=LOCAL, images=LOCAL)


def test_the_given_base_url_wins_over_the_environments() -> None:
    environment = {"ARTA_BASE_URL": "http://environment.example", "CROMICLE_BASE_URL": ""}
    assert image(preparation(environment=environment)).origin == "http://environment.example"
    assert chat(preparation(environment=environment)).origin == "https://cromicle.top"
    assert image(preparation(base_url=LOCAL, environment=environment)).origin == LOCAL
    by_name = preparation(base_url={"arta": LOCAL}, environment={"CROMICLE_BASE_URL": "http://c.example"})
    assert (image(by_name).origin, chat(by_name).origin) == (LOCAL, "http://c.example")
    assert by_name.base_url(HAILUO) is None


@pytest.mark.parametrize(
    "base_url", ["localhost:8080", "ftp://x", "http://", "https:///p", "http://x/?a=b", "http://x#y"]
)
def test_a_base_url_that_is_none_is_refused_before_anything_is_kept_for_it(base_url: str) -> None:
    store = MemoryStore()
    prepare = preparation(base_url=base_url, store=store)
    for use in (
        lambda: chat(prepare),
        lambda: prepare.origin(CROMICLE),
        lambda: prepare.log_in(HAILUO, {"token": "T"}),
    ):
        with pytest.raises(InvalidInput):
            use()
    assert store.load("hailuo", base_url) is None


# Credentials.


def test_what_is_kept_for_one_address_is_for_no_other() -> None:
    store = MemoryStore()
    preparation(store=store).log_in(HAILUO, {"token": "T-real"})
    preparation(store=store, base_url=LOCAL).log_in(HAILUO, {"token": "T-local"})
    assert chat(preparation(store=store), "hailuo").flow.credentials == HailuoCredentials(token="T-real")
    assert chat(preparation(store=store, base_url=LOCAL), "hailuo").flow.credentials == HailuoCredentials(
        token="T-local"
    )
    assert chat(preparation(store=store, base_url="http://other.example"), "hailuo").flow.credentials is None


def test_given_credentials_win_over_the_environments_over_kept_ones() -> None:
    store = MemoryStore()
    prepare = preparation(store=store, environment={"ARTA_API_KEY": "K-environment"})
    assert image(prepare).flow.credentials == ArtaCredentials(api_key="K-environment")
    issued = {"api_key": "K-file", "id_token": "I", "refresh_token": "R", "expires_in": 3600.0, "issued_at": 1.0}
    store.save("arta", ARTA.website, issued)
    assert image(preparation(store=store)).flow.credentials == msgspec.convert(issued, ArtaCredentials)
    # What was issued for one key is not used with another.
    assert image(prepare).flow.credentials == ArtaCredentials(api_key="K-environment")
    given = prepare.image("arta", "a cat", credentials={"api_key": "K-given"}, options={})
    assert given.flow.credentials == ArtaCredentials(api_key="K-given")
    assert (given.kept is None, image(prepare).kept is None) == (True, False)


def test_what_was_issued_for_the_environments_key_is_used_again() -> None:
    store = MemoryStore()
    issued = {"api_key": "K", "id_token": "I", "refresh_token": "R", "expires_in": 3600.0, "issued_at": 1.0}
    store.save("arta", ARTA.website, issued)
    prepare = preparation(store=store, environment={"ARTA_API_KEY": "K"})
    assert image(prepare).flow.credentials == msgspec.convert(issued, ArtaCredentials)


def test_a_provider_without_credentials_gets_none() -> None:
    store = MemoryStore()
    store.save("cromicle", CROMICLE.website, {"token": "T"})
    assert chat(preparation(store=store), credentials={"token": "T"}).flow.credentials is None


@pytest.mark.parametrize("given", [{}, {"token": 1.5}, {"token": None}, {"token": "T", "cpu_core_num": "T-secret"}])
def test_credentials_that_do_not_fit_are_refused_without_being_shown(given: dict[str, Any]) -> None:
    store = MemoryStore()
    prepare = preparation(store=store)
    for use in (lambda: prepare.log_in(HAILUO, given), lambda: chat(prepare, "hailuo", credentials=given)):
        with pytest.raises(InvalidInput, match=r"^the credentials do not fit: ") as caught:
            use()
        assert "T-secret" not in str(caught.value)
    assert store.load("hailuo", HAILUO.website) is None


def test_a_login_is_kept_whole_and_only_where_there_is_one() -> None:
    store = MemoryStore()
    preparation(store=store).log_in(HAILUO, HailuoCredentials(token="T", uuid="U"))
    kept = store.load("hailuo", HAILUO.website)
    assert kept is not None
    assert msgspec.convert(kept, HailuoCredentials) == HailuoCredentials(token="T", uuid="U")
    with pytest.raises(InvalidInput, match=r"^Cromicle needs no login$"):
        preparation(store=store).log_in(CROMICLE, {"token": "T"})


# Conversations.


def test_a_conversation_goes_to_the_providers_that_keep_one() -> None:
    told = {"token": "T", "chatID": "7", "characterID": "1"}
    flow = of(chat(model="hailuo", credentials={"token": "T"}, conversation=told), HailuoChat)
    assert flow.conversation == HailuoConversation(token="T", chat_id="7", character_id="1")
    with pytest.raises(InvalidInput, match=r"^Cromicle keeps no conversations: pass the history as messages$"):
        chat(conversation=told)
    with pytest.raises(InvalidInput, match=r"^the parts of the conversation do not fit: "):
        chat(model="hailuo", conversation={"token": "T"})


# Snapshots.


def restored(prepare: FlowFactory, snapshot: str, model: str = "arta") -> ReadyFlow:
    return prepare.restore(model, snapshot, credentials=None, resend=False)


def test_a_job_goes_on_with_what_is_kept_for_its_address() -> None:
    store = MemoryStore()
    store.save("arta", LOCAL, {"api_key": "K-local"})
    prepare = preparation(base_url=LOCAL, store=store, timeout=9.0)
    begun = image(prepare, n=2)
    again = restored(prepare, begun.flow.snapshot())
    assert again.flow == begun.flow
    assert again.flow.credentials == ArtaCredentials(api_key="K-local")
    assert again.flow.limits.total == 9.0
    assert (again.provider, again.origin, again.kept is None) == (ARTA, LOCAL, False)


def test_a_snapshot_gets_no_credentials_of_another_address() -> None:
    store = MemoryStore()
    store.save("arta", ARTA.website, {"api_key": "K-real"})
    snapshot = image(preparation(base_url="http://evil.example")).flow.snapshot()
    with pytest.raises(InvalidInput, match=r"^the snapshot is not of a job at https://ai-arta.com: give the base URL"):
        restored(preparation(store=store), snapshot)


def test_a_snapshot_of_another_provider_is_refused() -> None:
    with pytest.raises(SnapshotError):
        restored(preparation(), chat().flow.snapshot())
    with pytest.raises(InvalidInput, match=r"^unknown provider 'atra': did you mean 'arta'"):
        restored(preparation(), image().flow.snapshot(), model="atra")


def test_a_chat_is_not_resumed() -> None:
    with pytest.raises(InvalidInput, match=r"^Cromicle is for chats, and only image jobs are resumed: ask again"):
        restored(preparation(), chat().flow.snapshot(), model="cromicle")
