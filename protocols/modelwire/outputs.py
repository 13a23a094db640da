"""What to tell the user: the outputs that `Flow.handle` answers with, between its commands."""

from __future__ import annotations

from typing import Literal

import msgspec

from .json import JsonObject


class TextDelta(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The next piece of the answer."""

    text: str


class TextReplaced(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The server revised what it had said: `text` is the whole answer so far, instead of all that was shown."""

    text: str


class StatusChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A job moved on. `status` is the state it is in, `text` says it to a person."""

    status: Literal["waiting", "generating", "done"]
    text: str


class TitleChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The server gave the conversation a title."""

    title: str


class ConversationChanged(msgspec.Struct, frozen=True, tag=True):
    """What the provider needs to go on with this conversation later: keep it, and pass it as `conversation`.

    It may hold a token, so its repr shows none of it.
    """

    conversation: JsonObject

    def __repr__(self) -> str:
        return f"ConversationChanged(<{', '.join(self.conversation)}>)"


class CredentialsChanged(msgspec.Struct, frozen=True, tag=True):
    """Credentials were issued (keep them and pass them next time) or, when None, were refused (forget them)."""

    credentials: JsonObject | None

    def __repr__(self) -> str:
        kept = "None" if self.credentials is None else f"<{', '.join(self.credentials)}>"
        return f"CredentialsChanged({kept})"


class LoginRequired(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A person has to log in at `url` before the provider answers; `label` names the provider for a person."""

    label: str
    url: str


class JobAccepted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The provider took the job. From here on a snapshot of the flow is all that is needed to get its result."""

    job_id: str


class ImageReady(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An image can be had at `url`. `index` counts from 0 in the order that the provider named them."""

    url: str
    index: int


class ImageReceived(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The bytes of one image, whole and checked to be of `media_type` (`image/png`, `image/jpeg`, ...)."""

    url: str
    data: bytes
    media_type: str

    def __repr__(self) -> str:
        return f"ImageReceived(url={self.url!r}, data=<{len(self.data)} bytes>, media_type={self.media_type!r})"


class UsageReported(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What the provider says that the answer cost, in tokens."""

    input_tokens: int
    output_tokens: int


class Restarted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The answer begins again from its first character: forget the text shown before this."""


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
    | Restarted
)
