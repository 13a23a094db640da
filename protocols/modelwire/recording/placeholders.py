"""Placeholders: how a recording hides every secret and can still be played.

A recording holds no secret, yet a replay must hand its events to the flow again and compare the results. So each secret
has one placeholder, which replaces it wherever it occurs: in the credentials, in a request, in a server's echo.
A placeholder is letters and digits, because URLs, headers, forms and JSON carry these unchanged.

A secret has one of two sources. It was *learnt*, from the caller or from a server (a key, a token, a cookie): in a
replay, the flow learns the placeholder in its place. Or the flow *generated* it (a signature, a password drawn from
`secret_entropy`): in a replay, the flow generates another one, because it starts from placeholders, and draws from
`entropy` alone. That one must be recognised; this is the work of fingerprints.

A worked example. A flow has a token, and signs its request with the first 12 hex digits of SHA-256 of `TOKEN:Hello`:

                   in the session    in the file         in a replay
    token          tok-8f3a51        SECRET0001X         SECRET0001X
    signature      3fb4a422dfcb      SECRET0002X         7913aeef60f6
    fingerprint                      738b76a5cded0e34    738b76a5cded0e34

1. Record. `flow.secrets` holds the token and the signature, in the order in which the flow got them.
   `choose_placeholders` numbers them, and `Placeholders` replaces them in all that is written.
2. Take fingerprints. `Recorder.lines` plays its own recording once. Now the token is `SECRET0001X`, so the signature
   is SHA-256 of `SECRET0001X:Hello`, `7913aeef60f6`. It is not a placeholder, so the flow has generated it; it is the
   flow's second secret, so it belongs to the second placeholder. Its fingerprint, 16 hex digits of its own SHA-256,
   goes into the first line: `{"SECRET0002X": "738b76a5cded0e34"}`. That reveals nothing of the session's signature,
   because it is computed from placeholders.
3. Replay. The flow generates `7913aeef60f6` again. `find_generated` finds its fingerprint in the first line, and so its
   placeholder. That works in both directions: `placeholder_map` replaces `7913aeef60f6` by `SECRET0002X` before the
   request is compared with the recorded one; and if a recorded response echoes `SECRET0002X`, `Replay` gives the flow
   `7913aeef60f6`, which the flow knows as its secret and hides.
4. Replay with a flow that has changed, and signs with MD5: `c9303ef635d9`. Its fingerprint is not in the first line.
   `find_generated` assigns it the first placeholder that is left, and `placeholder_map` marks it: the request now holds
   `SECRET0002X (generated differently)`, which differs from the recorded one. So the change is found, although the
   file does not hold the signature.

A secret is found as it is, percent-encoded, or escaped as JSON. It is also found if it was split between two chunks or
two deltas: the pieces of one body, or of one text, are joined, searched, and cut again in the same places, but never
inside a placeholder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import AnyStr, NamedTuple

from modelwire.redaction import MATCH_PREFIX_CHARS, PLACEHOLDER, SHORTEST_SECRET, spellings

# Values that are not secret, though a cookie may hold them. Replacing them would break every JSON text.
_PLAIN_WORDS = frozenset({"true", "false", "null", "none"})
_COOKIE_VALUE = re.compile(r"=([^;]*)")


def filter_trivial(secrets: Iterable[str]) -> list[str]:
    """The secrets that get a placeholder, in order: all but plain words such as `true`."""
    return [secret for secret in secrets if secret.lower() not in _PLAIN_WORDS]


def choose_placeholders(secrets: Sequence[str], text: str) -> list[str]:
    """A placeholder for each secret, in order; none of them occurs in `text`.

    A secret of digits gets digits: it may be a number in JSON, and must remain one. A secret of more than
    `MATCH_PREFIX_CHARS` characters gets a placeholder as long, so that `redact` treats the two alike.
    """
    letters, digits = _unused_stem("SECRET", "Z", text), _unused_stem("7070707", "7", text)
    chosen = []
    for number, secret in enumerate(secrets, 1):
        is_number = secret.isascii() and secret.isdigit()
        placeholder = f"{digits}{number:04d}" if is_number else f"{letters}{number:04d}X"
        chosen.append(
            placeholder.ljust(MATCH_PREFIX_CHARS + 1, placeholder[-1])
            if len(secret) > MATCH_PREFIX_CHARS
            else placeholder
        )
    return chosen


def _unused_stem(stem: str, padding: str, text: str) -> str:
    while stem in text:
        stem += padding
    return stem


class GeneratedSecret(NamedTuple):
    """A secret that a flow generated in a replay, and the placeholder of the secret that it generated in the session.

    `is_same` is False if the flow now generates it differently, so that the placeholder is only a guess.
    """

    secret: str
    placeholder: str
    is_same: bool


def find_generated(
    secrets: Iterable[str], placeholders: Sequence[str], fingerprints: Mapping[str, str] | None = None
) -> list[GeneratedSecret]:
    """The secrets that a flow generated in a replay: those that are not placeholders.

    Without fingerprints, the n-th secret belongs to the n-th placeholder. That holds only for the flow that was
    recorded: a changed flow may have more secrets, or fewer.
    """
    learnt = set(placeholders)
    numbered = enumerate(filter_trivial(secrets))
    generated = [(number, secret) for number, secret in numbered if secret not in learnt]
    if fingerprints is None:
        return [
            GeneratedSecret(secret, placeholders[number], True)
            for number, secret in generated
            if number < len(placeholders)
        ]
    by_fingerprint = {fingerprint: placeholder for placeholder, fingerprint in fingerprints.items()}
    found = [(secret, by_fingerprint.get(_fingerprint(secret))) for _, secret in generated]
    left = iter([placeholder for placeholder in fingerprints if placeholder not in dict(found).values()])
    return [
        GeneratedSecret(secret, placeholder or next(left, PLACEHOLDER), placeholder is not None)
        for secret, placeholder in found
    ]


def fingerprints_of(generated: Iterable[GeneratedSecret]) -> dict[str, str]:
    """Fingerprints by placeholder: they identify generated secrets without revealing them."""
    return {placeholder: _fingerprint(secret) for secret, placeholder, _ in generated}


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def placeholder_map(generated: Iterable[GeneratedSecret], placeholders: Iterable[str]) -> dict[str, str]:
    """The replacement of each secret of a flow that plays a recording, by secret."""
    names = {placeholder: placeholder for placeholder in placeholders}
    for secret, placeholder, is_same in generated:
        names[secret] = placeholder if is_same else f"{placeholder} (generated differently)"
    return names


class Placeholders:
    """Replaces secrets by their placeholders; `names` maps secrets to placeholders."""

    def __init__(self, names: Mapping[str, str]) -> None:
        # A placeholder is never changed, even if it contains a secret.
        names = {name: name for name in names.values()} | dict(names)
        # Longest first: a secret may contain another.
        secrets = sorted(names, key=len, reverse=True)
        long = [secret for secret in secrets if len(secret) > MATCH_PREFIX_CHARS]
        pattern = _pattern(secrets, long)
        self._names = [names[secret] for secret in (*secrets, *long)]
        self._text = re.compile(pattern, re.ASCII)
        self._data = re.compile(pattern.encode("utf-8", "surrogatepass"))
        self._mask = re.compile("|".join([*map(re.escape, dict.fromkeys(names.values())), "[A-Za-z0-9]"]))

    def text(self, text: str) -> str:
        """`text` without secrets; lone surrogates, which UTF-8 cannot carry, become question marks."""
        return self._text.sub(self._placeholder_of, text).encode("utf-8", "replace").decode()

    def data(self, data: bytes) -> bytes:
        """`data` without secrets."""
        return self._data.sub(lambda match: self._placeholder_of(match).encode(), data)

    def texts(self, pieces: Sequence[str]) -> list[str]:
        """The pieces of one text, without secrets."""
        return _replace_in_pieces(pieces, "".join(pieces), self._text, self.text)

    def chunks(self, pieces: Sequence[bytes]) -> list[bytes]:
        """The pieces of one body, without secrets."""
        return _replace_in_pieces(pieces, b"".join(pieces), self._data, self.data)

    def header(self, name: str, value: str) -> str:
        """The value of a header without secrets.

        The flow does not know the cookies that it ignores, so their letters and digits become `x`. Length and
        punctuation stay, so that the flow ignores these cookies in a replay too.
        """
        value = self.text(value)
        if name.lower() == "set-cookie":
            return _COOKIE_VALUE.sub(self._masked, value, count=1)
        return _COOKIE_VALUE.sub(self._masked, value) if name.lower() == "cookie" else value

    def _masked(self, match: re.Match[str]) -> str:
        value = match[1].strip()
        if len(value) < SHORTEST_SECRET or not filter_trivial([value]):
            return match[0]
        return self._mask.sub(lambda found: found[0] if len(found[0]) > 1 else "x", match[0])

    def _placeholder_of(self, match: re.Match[str] | re.Match[bytes]) -> str:
        # The pattern has one group for each name, and no other groups.
        assert match.lastindex is not None
        return self._names[match.lastindex - 1]


def _pattern(secrets: Sequence[str], long: Sequence[str]) -> str:
    """A pattern for all secrets, one group for each, and then for whatever begins like one of the `long` ones."""
    if not secrets:
        return "(?!)"
    # Fast path: check the first characters of all spellings before any spelling; most characters match none.
    first = "".join(map(re.escape, sorted({secret[0] for secret in secrets} | set("%\\+ "))))
    whole = [f"({spellings(secret)})" for secret in secrets]
    # A server may echo only the beginning of a token, so whatever begins like a token is hidden.
    prefixes = [f"((?:{spellings(secret[:MATCH_PREFIX_CHARS])})[A-Za-z0-9._~+/=%-]*)" for secret in long]
    return f"(?=[{first}])(?:{'|'.join([*whole, *prefixes])})"


def _replace_in_pieces(
    pieces: Sequence[AnyStr], whole: AnyStr, pattern: re.Pattern[AnyStr], replace: Callable[[AnyStr], AnyStr]
) -> list[AnyStr]:
    """The pieces with their secrets replaced; as many as before, though some may be empty now."""
    spans: list[tuple[int, int]] = [match.span() for match in pattern.finditer(whole)]
    cuts: list[int] = [0, *_cuts_outside(accumulate(len(piece) for piece in pieces), spans, whole)]
    return [replace(whole[start:end]) for start, end in pairwise(cuts)]


def _cuts_outside(ends: Iterable[int], spans: Sequence[tuple[int, int]], whole: str | bytes) -> Iterator[int]:
    """The ends of pieces, each moved out of the span that it is in: to the end of the span.

    The flow had seen the beginning of the secret when the piece ended, so the placeholder must be in this piece.
    """
    never = len(whole) + 1
    remaining = iter([*spans, (never, never)])
    start, stop = next(remaining)
    for end in ends:
        while stop <= end:
            start, stop = next(remaining)
        if end <= start:
            yield end
        else:
            # Less than one UTF-8 character: a decoder has not emitted anything of the secret yet, so cut before it.
            yield stop if _holds_character(whole[start:end]) else start


def _holds_character(part: str | bytes) -> bool:
    return isinstance(part, str) or bool(part.decode("utf-8", "ignore"))
