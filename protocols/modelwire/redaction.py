"""Make a server's text safe to show: hide secrets, remove control characters, shorten it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from .http import Headers, media_type

PLACEHOLDER = "[secret]"

# Characters: a shorter string is not treated as a secret. Replacing it would garble every message.
SHORTEST_SECRET = 4

# Characters: this much of a longer secret identifies it. The rest is not compared, which bounds the search.
MATCH_PREFIX_CHARS = 64
# Characters: the part of an error response that is searched for its message. A body that was cut short may end inside
# a secret, which is not found then: that end must be far behind everything that is shown.
_SEARCHED_CHARS = 16 * 1024
# C0, DEL, C1, Unicode line ends and bidirectional overrides, which could move a terminal's cursor or reorder a line of
# a log; and lone surrogates, which cannot be printed.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+|[\ud800-\udfff]")


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced, as it is, percent-encoded or escaped as JSON.

    Of a long secret only the beginning is searched for, and everything up to the next blank or quote is replaced. A
    server may choose both a token and a text, and could otherwise make the search arbitrarily slow.
    """
    # Longest first: a secret may contain another.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        rest = r"[^\s\"'<>]*" if len(secret) > MATCH_PREFIX_CHARS else ""
        text = re.sub(f"(?:{spellings(secret[:MATCH_PREFIX_CHARS])}){rest}", PLACEHOLDER, text)
    return text


# A flow redacts several texts with the same few secrets.
@lru_cache(maxsize=256)
def spellings(secret: str) -> str:
    """A pattern, without capturing groups, that finds a secret as it is, percent-encoded or escaped as JSON.

    Encoders differ in which characters they escape, and how. Each of the three alternatives can match a text in one way
    only, so it never backtracks.
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
    """The fields in which JSON services put an error's message."""

    error: _ErrorDetail | str | None = None
    message: str = ""
    detail: str = ""
    error_description: str = ""


def error_text(headers: Headers, body: bytes, secrets: Iterable[str] = ()) -> str:
    """The message of an error response: of a JSON error, or the title of a page; else the body as text.

    It contains no secrets, but may contain control characters: pass it to `printable` before it is shown.
    """
    text = redact(body.decode("utf-8", "replace"), secrets)[:_SEARCHED_CHARS]
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
