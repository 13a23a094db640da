"""What of a server's words may reach a person: no secret, no control character, no wall of text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from .http import Headers, media_type

PLACEHOLDER = "[secret]"

# Characters: a shorter string is not treated as a secret, because replacing it would garble every message.
SHORTEST_SECRET = 4

# So many characters of a secret tell it from every other text.
MATCH_PREFIX_CHARS = 64
# So many characters of an error response are looked at for what it says. What was cut off the end of a long one may
# have been the rest of a secret, which was not found for that reason: it must be far from what is shown.
_EXPLAINED = 16 * 1024
# C0, DEL, C1, the Unicode line ends and the bidirectional overrides: what could move a terminal's cursor or reorder
# a line of a log.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+|[\ud800-\udfff]")


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced, also where it was percent-encoded or escaped as JSON.

    A long secret is known by its beginning, and goes up to the next blank or quote: whoever chooses both a token and
    a text could otherwise make the search for the one in the other as slow as they like.
    """
    # The longest first: a secret may contain another.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        rest = r"[^\s\"'<>]*" if len(secret) > MATCH_PREFIX_CHARS else ""
        text = re.sub(f"(?:{spellings(secret[:MATCH_PREFIX_CHARS])}){rest}", PLACEHOLDER, text)
    return text


# A flow says several things that hold none of the same few secrets.
@lru_cache(maxsize=256)
def spellings(secret: str) -> str:
    """A pattern that finds a secret as it is or encoded; it has no groups of its own.

    Encoders differ in what they leave alone and how they write the rest. In each of the three spellings, one text
    can be read in one way only: nothing here backtracks.
    """
    spelt = ("".join(map(spell, secret)) for spell in (re.escape, _percent_encoded, _json_escaped))
    return "|".join(dict.fromkeys(spelt))


def _percent_encoded(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    encoded = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "replace"))
    plain = {"%": "", " ": "|[ +]"}.get(character, f"|{re.escape(character)}")
    return f"(?i:{encoded}{plain})"


def _json_escaped(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    units = character.encode("utf-16-be", "replace")
    encoded = "".join(rf"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    plain = msgspec.json.encode(character.encode("utf-8", "replace").decode()).decode()[1:-1]
    return f"(?i:{encoded}|{re.escape(plain)}" + (r"|\\/)" if character == "/" else ")")


def printable(text: str, longest: int = 200) -> str:
    """`text` as one line that is safe to print, cut at `longest` characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


class _ErrorDetail(msgspec.Struct):
    message: str = ""


class _ErrorResponse(msgspec.Struct):
    """The shapes in which JSON services say what is wrong."""

    error: _ErrorDetail | str | None = None
    message: str = ""
    detail: str = ""
    error_description: str = ""


def explain(headers: Headers, body: bytes, secrets: Iterable[str] = ()) -> str:
    """What an error response says, as far as that can be told: the message of a JSON error, the title of a page.

    It is without secrets, and not yet fit to be printed.
    """
    text = redact(body.decode("utf-8", "replace"), secrets)[:_EXPLAINED]
    if media_type(headers).endswith("json") or text.lstrip().startswith("{"):
        try:
            response = msgspec.json.decode(text, type=_ErrorResponse)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return text
        error = response.error.message if isinstance(response.error, _ErrorDetail) else response.error
        return response.error_description or error or response.message or response.detail or text
    title = re.search(r"<title[^>]{0,200}>([^<]{0,500})", text, re.IGNORECASE)
    if title is not None:
        return f"a page titled '{title[1].strip()}'"
    return text
