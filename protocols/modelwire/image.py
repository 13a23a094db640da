"""The flows that draw pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from .messages import Message, Messages, as_messages, last_user_message
from .models import ModelFlow


@dataclass(kw_only=True)
class ImageFlow(ModelFlow):
    """A job that draws `prompt`, or else the last user message of `messages`: an `ImageReady` for each image.

    Raises `InvalidInput` if both are empty, and for an unknown model.
    """

    default_timeout: ClassVar[float] = 300.0

    prompt: str = field(default="", repr=False)
    messages: Messages = field(default=(), metadata={"saved_as": tuple[Message, ...]}, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.prompt.strip():
            self.prompt = last_user_message(as_messages(self.messages or ""))
        as_messages(self.prompt)
        self.messages = ()
