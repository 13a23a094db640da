"""The state that a flow's outputs add up to."""

from __future__ import annotations

from modelwire.json import JsonObject
from modelwire.outputs import (
    ConversationChanged,
    CredentialsChanged,
    Output,
    Restarted,
    TextDelta,
    TextReplaced,
    TitleChanged,
    UsageReported,
)


class OutputSummary:
    """The text, title, conversation, credentials and usage after all outputs so far."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self.title: str | None = None
        self.conversation: JsonObject | None = None
        self.credentials: JsonObject | None = None
        self.usage: UsageReported | None = None

    @property
    def text(self) -> str:
        """The answer as it stands."""
        return "".join(self._text)

    def add(self, output: Output) -> None:
        """Take one output into account."""
        if type(output) is TextDelta:
            # The fast path: nearly every output is one.
            self._text.append(output.text)
            return
        match output:
            case TextReplaced(text):
                self._text = [text]
            case Restarted():
                self._text = []
            case TitleChanged(title):
                self.title = title
            case ConversationChanged(conversation):
                self.conversation = conversation
            case CredentialsChanged(credentials):
                self.credentials = credentials
            case UsageReported():
                self.usage = output
            case _:
                pass
