"""The events of OpenAI's API as typed JSON: only the text is decoded."""

from __future__ import annotations

import msgspec


class Delta(msgspec.Struct):
    """A piece of text. The last event of an answer has none."""

    content: str | None = None


class Choice(msgspec.Struct):
    """One of the answers; these requests ask for one."""

    delta: Delta


class ChatChunk(msgspec.Struct):
    """The data of one event."""

    choices: list[Choice]


decode_chunk = msgspec.json.Decoder(ChatChunk).decode
