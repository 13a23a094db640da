"""Cromicle's wire, as its page uses it."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.limits import Limits
from modelwire.outputs import TextDelta
from modelwire.providers.cromicle import PROVIDER, CromicleChat, CromicleEndpoints, CromicleOptions
from played_flow import Broken, ScriptedResponse, begin, bytewise, cuts, header_map, play, say, two_part_cuts

TEXT = "Grüße, 世界! 🐉"


def test_the_request() -> None:
    request = begin(CromicleChat(messages="Привет, world")).request
    assert (request.method, request.url) == ("POST", "https://cromicle.top/chat")
    assert header_map(request) == {"accept": "*/*", "content-type": "application/json"}
    assert json.loads(request.body) == {
        "message": "Привет, world",
        "token": "abc",
        # The output of sha256sum for abc and the message.
        "hash": "de67378b51d7683cc7e7e70f9546170ec86875b6f4ba4f9fff645f0a55ee287c",
    }
    assert request.repeatable
    assert not request.public_only


def test_a_history_is_one_prompt() -> None:
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image"}]},
    ]
    body = json.loads(begin(CromicleChat(messages=messages)).request.body)
    assert body["message"] == "System: Be brief.\nUser: Hi\nAssistant:"


def test_the_constants_are_options() -> None:
    flow = CromicleChat(
        messages="x",
        options=CromicleOptions(token="t"),
        endpoints=CromicleEndpoints(site="http://127.0.0.1:8000/cromicle", chat_path="/v2"),
    )
    request = begin(flow).request
    assert request.url == "http://127.0.0.1:8000/cromicle/v2"
    assert json.loads(request.body)["hash"] == hashlib.sha256(b"tx").hexdigest()


def test_the_answer_is_plain_text() -> None:
    session = play(CromicleChat(messages="x"), say(TEXT))
    assert session.outputs == [TextDelta(TEXT)]
    assert session.succeeded


def test_defect_characters_split_between_chunks() -> None:
    for chunks in [bytewise(TEXT.encode()), *two_part_cuts(TEXT.encode())]:
        session = play(CromicleChat(messages="x"), ScriptedResponse(chunks=chunks))
        assert session.text == TEXT
        assert "" not in [output.text for output in session.all(TextDelta)]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_any_text_in_any_chunks(text: str, data: st.DataObject) -> None:
    session = play(CromicleChat(messages="x"), ScriptedResponse(chunks=data.draw(cuts(text.encode()))))
    assert session.text == text


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert play(CromicleChat(messages="x"), say(b"a\xff\xc3(b")).text == "a\ufffd\ufffd(b"


def test_an_empty_answer_is_a_failure() -> None:
    assert play(CromicleChat(messages="x"), say("")).failure.kind == "no_answer"


def test_an_answer_cut_off_in_a_character_is_a_failure() -> None:
    failure = play(CromicleChat(messages="x"), say("Grü".encode()[:-1])).failure
    assert (failure.kind, failure.text) == ("truncated", "Gr")


def test_an_answer_cut_off_is_a_failure_with_its_text() -> None:
    failure = play(CromicleChat(messages="x"), Broken(kind="network", after=say("Hel"))).failure
    assert (failure.kind, failure.text) == ("network", "Hel")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503, 599])
def test_any_status_of_400_or_more_is_a_failure(status: int) -> None:
    flow = CromicleChat(messages="x", limits=Limits(tries=1))
    session = play(flow, say("<html><title>Nope</title>", status))
    assert session.failure.status == status
    assert session.text == ""
    assert session.failure.message == f"https://cromicle.top/chat answered with status {status}: a page titled 'Nope'"


@pytest.mark.parametrize("model", [None, "", "gpt-3.5-turbo", "GPT-3.5-Turbo"])
def test_the_model(model: str | None) -> None:
    assert begin(CromicleChat(messages="x", model=model)).requests


def test_another_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidInput, match=r"unknown model 'gpt-4' for CromicleChat: did you mean 'gpt-3\.5-turbo'"):
        CromicleChat(messages="x", model="gpt-4")


@pytest.mark.parametrize("messages", ["", " \n", [], [{"role": "user", "content": ""}]])
def test_an_empty_prompt_is_refused(messages: str | list[dict[str, object]]) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        CromicleChat(messages=messages)


def test_a_flow_does_not_show_its_prompt() -> None:
    assert "diary" not in repr(CromicleChat(messages="my diary", options=CromicleOptions(token="my diary")))


def test_what_the_catalog_says() -> None:
    assert (PROVIDER.name, PROVIDER.flows, PROVIDER.status) == ("cromicle", {"chat": CromicleChat}, "gone")
    assert CromicleChat.default_model == "gpt-3.5-turbo"
    assert PROVIDER.credentials is None
