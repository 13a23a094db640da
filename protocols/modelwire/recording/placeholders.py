"""What stands for secrets in a recording: letters and digits, which come through every encoding unchanged.

A secret is found as it is, percent-encoded or escaped as JSON, and also where it was cut in two: pieces of one whole
are joined, searched, and cut again where they had been cut, but never inside a placeholder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import AnyStr, NamedTuple

from modelwire.redaction import MATCH_PREFIX_CHARS, PLACEHOLDER, SHORTEST_SECRET, spellings

# What a cookie, for one, may hold without any secrecy. Replaced, it would take the sense out of every JSON text.
_PLAIN_WORDS = frozenset({"true", "false", "null", "none"})
_COOKIE_VALUE = re.compile(r"=([^;]*)")


def filter_trivial(secrets: Iterable[str]) -> list[str]:
    """The secrets that get a placeholder, in their order."""
    return [secret for secret in secrets if secret.lower() not in _PLAIN_WORDS]


def choose_placeholders(secrets: Sequence[str], text: str) -> list[str]:
    """A placeholder for each secret, in order, that is like nothing in `text`.

    A secret of digits gets digits: where it stands as a number in JSON, there has to be a number. A long secret gets
    a long placeholder: `redact` treats the two alike.
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


def _unused_stem(stem: str, more: str, text: str) -> str:
    while stem in text:
        stem += more
    return stem


class GeneratedSecret(NamedTuple):
    """A secret that a flow has made itself while it played a recording, and the placeholder of what it made then.

    `is_same` is false where it has made something else.
    """

    secret: str
    placeholder: str
    is_same: bool


def find_generated(
    secrets: Iterable[str], placeholders: Sequence[str], fingerprints: Mapping[str, str] | None = None
) -> list[GeneratedSecret]:
    """What a flow that plays a recording has made itself; all that it has learnt are placeholders already.

    Without fingerprints, the n-th secret is what the n-th placeholder stands for.
    """
    learnt = set(placeholders)
    numbered = enumerate(filter_trivial(secrets))
    made = [(number, secret) for number, secret in numbered if secret not in learnt]
    if fingerprints is None:
        return [
            GeneratedSecret(secret, placeholders[number], True) for number, secret in made if number < len(placeholders)
        ]
    by_fingerprint = {fingerprint: placeholder for placeholder, fingerprint in fingerprints.items()}
    found = [(secret, by_fingerprint.get(_fingerprint(secret))) for _, secret in made]
    left = iter([placeholder for placeholder in fingerprints if placeholder not in dict(found).values()])
    return [
        GeneratedSecret(secret, placeholder or next(left, PLACEHOLDER), placeholder is not None)
        for secret, placeholder in found
    ]


def fingerprints_of(made: Iterable[GeneratedSecret]) -> dict[str, str]:
    """What tells secrets from others without telling them, by placeholder."""
    return {placeholder: _fingerprint(secret) for secret, placeholder, _ in made}


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def placeholder_map(made: Iterable[GeneratedSecret], placeholders: Iterable[str]) -> dict[str, str]:
    """What stands for each secret of a flow that plays a recording."""
    names = {placeholder: placeholder for placeholder in placeholders}
    for secret, placeholder, is_same in made:
        names[secret] = placeholder if is_same else f"{placeholder} (made in another way)"
    return names


class Placeholders:
    """Puts the placeholders of `names` (secret -> placeholder) in the place of the secrets."""

    def __init__(self, names: Mapping[str, str]) -> None:
        # A placeholder stays what it is, even where a secret is a part of it.
        names = {name: name for name in names.values()} | dict(names)
        # The longest first: a secret may contain another.
        secrets = sorted(names, key=len, reverse=True)
        long = [secret for secret in secrets if len(secret) > MATCH_PREFIX_CHARS]
        pattern = _pattern(secrets, long)
        self._names = [names[secret] for secret in (*secrets, *long)]
        self._text = re.compile(pattern, re.ASCII)
        self._data = re.compile(pattern.encode("utf-8", "surrogatepass"))
        self._mask = re.compile("|".join([*map(re.escape, dict.fromkeys(names.values())), "[A-Za-z0-9]"]))

    def text(self, text: str) -> str:
        """`text` without secrets. What UTF-8 cannot carry becomes a question mark."""
        return self._text.sub(self._name_of, text).encode("utf-8", "replace").decode()

    def data(self, data: bytes) -> bytes:
        """`data` without secrets."""
        return self._data.sub(lambda match: self._name_of(match).encode(), data)

    def texts(self, pieces: Sequence[str]) -> list[str]:
        """The pieces of one text, without secrets."""
        return _cut_again(pieces, "".join(pieces), self._text, self.text)

    def chunks(self, pieces: Sequence[bytes]) -> list[bytes]:
        """The pieces of one body, without secrets."""
        return _cut_again(pieces, b"".join(pieces), self._data, self.data)

    def header(self, name: str, value: str) -> str:
        """The value of a header without secrets, and without those of cookies that the flow has not taken.

        What is masked keeps its length and everything but letters and digits: a flow will take it no more than
        before.
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

    def _name_of(self, match: re.Match[str] | re.Match[bytes]) -> str:
        # Each spelling of a secret is one group, and there are no others.
        assert match.lastindex is not None
        return self._names[match.lastindex - 1]


def _pattern(secrets: Sequence[str], long: Sequence[str]) -> str:
    """What finds any of the secrets, each in a group of its own, and then any beginning of a long one."""
    if not secrets:
        return "(?!)"
    # The first characters of all spellings, looked at before any of them is tried: most of a body is neither.
    first = "".join(map(re.escape, sorted({secret[0] for secret in secrets} | set("%\\+ "))))
    whole = [f"({spellings(secret)})" for secret in secrets]
    # A server may cut short what it repeats. What begins like a token is one, be it another.
    begun = [f"((?:{spellings(secret[:MATCH_PREFIX_CHARS])})[A-Za-z0-9._~+/=%-]*)" for secret in long]
    return f"(?=[{first}])(?:{'|'.join([*whole, *begun])})"


def _cut_again(
    pieces: Sequence[AnyStr], whole: AnyStr, pattern: re.Pattern[AnyStr], replace: Callable[[AnyStr], AnyStr]
) -> list[AnyStr]:
    """As many pieces as before, each with its secrets replaced."""
    spans: list[tuple[int, int]] = [match.span() for match in pattern.finditer(whole)]
    cuts: list[int] = [0, *_moved(accumulate(len(piece) for piece in pieces), spans, whole)]
    return [replace(whole[start:end]) for start, end in pairwise(cuts)]


def _moved(ends: Iterable[int], spans: Sequence[tuple[int, int]], whole: str | bytes) -> Iterator[int]:
    """Where to cut, so that none of the spans is cut in two: behind it, as its first half has come already."""
    beyond = len(whole) + 1
    remaining = iter([*spans, (beyond, beyond)])
    start, stop = next(remaining)
    for end in ends:
        while stop <= end:
            start, stop = next(remaining)
        if end <= start:
            yield end
        else:
            # Half a character is none: whoever decodes the bytes has seen nothing of the secret yet.
            yield stop if _holds_character(whole[start:end]) else start


def _holds_character(part: str | bytes) -> bool:
    return isinstance(part, str) or bool(part.decode("utf-8", "ignore"))
