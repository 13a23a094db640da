"""Outputs: what a flow emits for the user. `Flow.handle` returns them together with commands."""

from __future__ import annotations

from typing import Literal

import msgspec

from .json import JsonObject


class TextDelta(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The next piece of the answer."""

    text: str


class TextReplaced(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The server revised its answer: `text` is the whole answer so far, and replaces all text before it."""

    text: str


class StatusChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The state of a job changed: `status` is for programs, `text` for a person."""

    status: Literal["waiting", "generating", "done"]
    text: str


class TitleChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The server gave the conversation a title."""

    title: str


class ConversationChanged(msgspec.Struct, frozen=True, tag=True):
    """The data with which this conversation can be continued: save it, and pass it as `conversation` next time.

    It may contain a token, so the repr does not show it.
    """

    conversation: JsonObject

    def __repr__(self) -> str:
        return f"ConversationChanged(<{', '.join(self.conversation)}>)"


class CredentialsChanged(msgspec.Struct, frozen=True, tag=True):
    """Credentials were issued (store them, and supply them next time), or refused if None (delete the stored ones)."""

    credentials: JsonObject | None

    def __repr__(self) -> str:
        shown = "None" if self.credentials is None else f"<{', '.join(self.credentials)}>"
        return f"CredentialsChanged({shown})"


class LoginRequired(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The provider requires a login: a person has to log in at `url`. `label` is the provider's name for display."""

    label: str
    url: str


class JobAccepted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The provider accepted the job. From now on, a snapshot of the flow is enough to get the result."""

    job_id: str


class ImageReady(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An image can be downloaded from `url`. `index` counts from 0, in the provider's order."""

    url: str
    index: int


class ImageReceived(msgspec.Struct, frozen=True, tag=True, gc=False):
    """One complete image. Its bytes were checked to be of `media_type` (`image/png`, `image/jpeg`, ...)."""

    url: str
    data: bytes
    media_type: str

    def __repr__(self) -> str:
        return f"ImageReceived(url={self.url!r}, data=<{len(self.data)} bytes>, media_type={self.media_type!r})"


class UsageReported(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The number of tokens that the provider counted."""

    input_tokens: int
    output_tokens: int


class ModelsListed(msgspec.Struct, frozen=True, tag=True):
    """The models that the service has, by the names that it calls them."""

    models: tuple[str, ...]


class Restarted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The answer starts again from its first character: discard the text emitted before this."""


Output = (
    TextDelta
    | TextReplaced
    | StatusChanged
    | TitleChanged
    | ConversationChanged
    | CredentialsChanged
    | LoginRequired
    | JobAccepted
    | ImageReady
    | ImageReceived
    | UsageReported
    | ModelsListed
    | Restarted
)
