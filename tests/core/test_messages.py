"""Messages, and the prompt that is made of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.messages import Message, Part, as_messages, format_prompt, last_user_message
from modelwire.names import require_utf8


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


def test_a_prompt_alone_is_a_user_message() -> None:
    assert as_messages("Hi") == (user("Hi"),)


def test_messages_and_dicts_and_parts() -> None:
    history = as_messages(
        [
            user("a"),
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "image_url"}, {"text": "d"}]},
        ]
    )
    assert history == (
        user("a"),
        assistant("b"),
        Message("user", (Part("text", "c"), Part("image_url"), Part("text", "d"))),
    )
    assert history[2].text == "cd"


def test_parts_other_than_text_are_ignored() -> None:
    assert Message("user", (Part("image", "not this"), Part("text", "this"))).text == "this"


def test_fields_of_other_libraries_are_ignored() -> None:
    assert as_messages([{"role": "user", "content": "a", "name": "x", "id": 5}]) == (user("a"),)


@pytest.mark.parametrize(
    "item",
    [
        5,
        None,
        "text",
        {},
        {"role": "user"},
        {"content": "x"},
        {"role": 5, "content": "x"},
        {"role": "user", "content": 5},
        {"role": "user", "content": ["x"]},
        {"role": "user", "content": [{"text": 5}]},
    ],
)
def test_an_invalid_message_is_refused(item: Any) -> None:
    with pytest.raises(InvalidInput, match="a message has a role and a content"):
        as_messages([item])


@pytest.mark.parametrize("messages", ["", " \t\n", [], [user("")], [user(" "), assistant("\n")]])
def test_an_empty_prompt_is_refused(messages: Any) -> None:
    with pytest.raises(InvalidInput, match="the prompt is empty"):
        as_messages(messages)


@pytest.mark.parametrize(
    "messages",
    [
        "a\ud800",
        [user("a"), assistant("\udfff")],
        [Message("\ud800", "a")],
        [Message("user", (Part("text", "a\ud800"),))],
        # Ignored parts too: they would be written into a snapshot.
        [user("a"), Message("user", (Part("image", "\ud800"),))],
        [user("a"), Message("user", (Part("\ud800"),))],
    ],
)
def test_a_lone_surrogate_is_refused(messages: Any) -> None:
    with pytest.raises(InvalidInput, match="the prompt holds a lone surrogate"):
        as_messages(messages)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert require_utf8("\U0001f409", "it") == "🐉"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_single_message_is_its_content_alone(text: str) -> None:
    assert format_prompt(as_messages(text)) == text
    assert format_prompt([assistant(text)]) == text


def test_several_messages_are_lines() -> None:
    history = [Message("system", "Be brief."), user("Hi"), assistant(" "), assistant("Hello!"), user("And\nnow?")]
    assert format_prompt(history) == "System: Be brief.\nUser: Hi\nAssistant: Hello!\nUser: And\nnow?\nAssistant:"


def test_a_role_is_capitalised() -> None:
    assert format_prompt([Message("TOOL", "x"), Message("", "y")]) == "Tool: x\n: y\nAssistant:"


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([user("a")], "a"),
        ([user("a"), assistant("b")], "a"),
        ([user("a"), assistant("b"), user("c")], "c"),
        ([user("a"), assistant("b"), user("c"), user("d")], "c\nd"),
        ([user("a"), assistant("b"), user("c"), user(" "), user("d")], "c\nd"),
        ([user("a"), user("b"), assistant("c"), Message("system", "d")], "a\nb"),
        ([user("a"), assistant("b"), user("")], ""),
        ([assistant("b")], ""),
        ([], ""),
    ],
)
def test_the_last_user_message(history: list[Message], expected: str) -> None:
    assert last_user_message(history) == expected


@pytest.mark.parametrize("given", [None, 5, Message("user", "hi")])
def test_other_types_are_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match="a prompt, or a list of messages"):
        as_messages(given)
