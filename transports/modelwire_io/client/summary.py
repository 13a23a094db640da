"""What a flow has told so far: the outputs, added up."""

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
    """The state that the outputs of one flow add up to."""

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

    def note(self, output: Output) -> None:
        """Take one output into account."""
        if type(output) is TextDelta:
            # Nearly every one is, and there are many.
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
