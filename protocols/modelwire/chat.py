"""What the chat flows share: the messages they begin with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, cast

from .flow import Flow
from .messages import Message, Messages, as_messages, format_prompt
from .provider import resolve_model


@dataclass(kw_only=True)
class ChatFlow(Flow):
    """A flow that answers messages with text. `messages` is a prompt, or the history; `model` one of its models.

    Raises `InvalidInput` for an empty prompt and for an unknown model.
    """

    models: ClassVar[dict[str, tuple[str, ...]]]
    default_model: ClassVar[str]

    messages: Messages = field(metadata={"stored": tuple[Message, ...]}, repr=False)
    model: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.messages = as_messages(self.messages)
        resolve_model(self.models, self.model, self.default_model, type(self).__name__)

    @property
    def history(self) -> tuple[Message, ...]:
        """The messages, as such."""
        return cast("tuple[Message, ...]", self.messages)

    @property
    def prompt(self) -> str:
        """The history as one prompt."""
        return format_prompt(self.history)
