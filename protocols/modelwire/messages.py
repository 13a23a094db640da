"""A conversation as messages, and its conversion to the single prompt that some providers take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from .errors import InvalidInput
from .names import require_utf8


class Part(msgspec.Struct, frozen=True):
    """One part of a message whose content is a list. Only parts of type `text` are used."""

    type: str = "text"
    text: str = ""


class Message(msgspec.Struct, frozen=True):
    """One message: its role (`user`, `assistant`, `system`, ...), and its content as text or as parts."""

    role: str
    content: str | tuple[Part, ...]

    @property
    def text(self) -> str:
        """The content as one string: the text parts, joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if part.type == "text")


# A caller's input: one prompt, or the history as messages or as the dicts that other libraries use.
Messages = str | Sequence[Message | Mapping[str, object]]


def as_messages(messages: Messages) -> tuple[Message, ...]:
    """The history as `Message`s.

    Raises `InvalidInput` if all messages are blank, if an item is not a message, and for a lone surrogate, which UTF-8
    cannot carry.
    """
    if isinstance(messages, str):
        history: tuple[Message, ...] = (Message("user", messages),)
    elif not isinstance(messages, Sequence):
        raise InvalidInput("messages must be a prompt, or a list of messages, each with a role and a content")
    else:
        history = tuple(_as_message(item) for item in messages)
    if not any(message.text.strip() for message in history):
        raise InvalidInput("the prompt is empty: say something")
    for message in history:
        parts = [] if isinstance(message.content, str) else [part.type + part.text for part in message.content]
        require_utf8("".join([message.role, message.text, *parts]), "the prompt")
    return history


def _as_message(item: object) -> Message:
    try:
        return item if isinstance(item, Message) else msgspec.convert(item, Message)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"not a message: {error}; a message has a role and a content") from None


def format_prompt(messages: Sequence[Message]) -> str:
    """The history as one prompt: the content of a single message, or lines `Role: content` for several messages.

    Blank messages are left out, and a last line `Assistant:` asks for the answer.
    """
    if len(messages) == 1:
        return messages[0].text
    lines = [f"{message.role.capitalize()}: {message.text}" for message in messages if message.text.strip()]
    return "\n".join([*lines, "Assistant:"])


def last_user_message(messages: Sequence[Message]) -> str:
    """The last uninterrupted run of user messages, without blank ones, joined by newlines."""
    run = list(_last_run(messages))
    return "\n".join(text for text in reversed(run) if text.strip())


def _last_run(messages: Sequence[Message]) -> Iterable[str]:
    found = False
    for message in reversed(messages):
        if message.role == "user":
            found = True
            yield message.text
        elif found:
            return
