"""The flows that answer messages with text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from .messages import Message, Messages, as_messages, format_prompt
from .models import ModelFlow


@dataclass(kw_only=True)
class ChatFlow(ModelFlow):
    """A flow that answers messages with text. `messages` is a prompt, or the history.

    Raises `InvalidInput` for an empty prompt and for an unknown model.
    """

    messages: Messages = field(metadata={"saved_as": tuple[Message, ...]}, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.messages = as_messages(self.messages)

    @property
    def history(self) -> tuple[Message, ...]:
        """The messages as `Message`s."""
        return cast("tuple[Message, ...]", self.messages)

    @property
    def prompt(self) -> str:
        """The history as one prompt."""
        return format_prompt(self.history)
