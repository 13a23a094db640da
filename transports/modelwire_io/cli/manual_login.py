"""Credentials that a person brings: a key or token on stdin or at a prompt, or the values that a browser shows."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterator, Mapping

import click
import msgspec

from modelwire.errors import InvalidInput
from modelwire.provider import Provider

from .terminal import note

# How the console of a browser shows that there is nothing.
_NOTHING = ("", "null", "undefined")


def read_token(provider: Provider) -> str:
    """All of stdin: a token or key, or JSON."""
    return _not_empty(provider, sys.stdin.buffer.read().decode("utf-8", "replace").strip())


def ask_for_token(provider: Provider) -> str:
    """What a person types at a prompt, where it is not shown."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask on: pipe the {token_of(provider)} in, with --token-stdin")
    note(f"{provider.label}: {provider.note} {provider.website}")
    return _not_empty(provider, getpass.getpass(f"{provider.label} {token_of(provider)} (not shown): ").strip())


def as_credentials(provider: Provider, given: str) -> dict[str, object]:
    """A token or key, or a JSON object with all of the provider's credentials. Raises `InvalidInput` for neither."""
    if not given.startswith("{"):
        return {provider.secret_field: _checked(token_of(provider), given, r"[!-~]+")}
    try:
        values: dict[str, object] = msgspec.json.decode(given, type=dict)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"what was read begins like JSON, and is none: {error}") from None
    if not values.get(provider.secret_field):
        raise InvalidInput(f"the JSON that was read has no {provider.secret_field}")
    return values


def read_values(provider: Provider, url: str, places: Mapping[str, str]) -> dict[str, object]:
    """The values that a browser's own tools show, one after another, none of them shown again.

    `places` are the JavaScript expressions, by the credentials' field; all but the first may be left empty.
    """
    note(f"Log in to {provider.label} at {url} with your own browser. Then open its developer tools (F12), and")
    note("let the Console show each of these: copy(EXPRESSION) there puts it into the clipboard.")
    if sys.stdin.isatty():
        lines = _ask_for_each(places)
    else:
        note(f"From stdin, one a line, and all but the first may be empty: {', '.join(places.values())}")
        lines = _lines()
    found: dict[str, object] = {}
    for name, place in places.items():
        value = next(lines, "")
        if value not in _NOTHING:
            found[name] = _checked(
                f"value of {place}", value, r"[!-~]+" if name == provider.secret_field else r"[ -~]+"
            )
        elif name == provider.secret_field:
            raise InvalidInput(f"{place} is empty: it is there once you have logged in")
    return found


def token_of(provider: Provider) -> str:
    """What the provider calls the one thing that it cannot do without."""
    return provider.secret_field.replace("_", " ")


def _ask_for_each(places: Mapping[str, str]) -> Iterator[str]:
    may_be_empty = ""
    for place in places.values():
        yield _unquoted(getpass.getpass(f"{place} (not shown{may_be_empty}): "))
        may_be_empty = "; may be left empty"


def _lines() -> Iterator[str]:
    return map(_unquoted, sys.stdin.buffer.read().decode("utf-8", "replace").splitlines())


def _unquoted(text: str) -> str:
    """A value without the quotes in which a console shows a text."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _not_empty(provider: Provider, text: str) -> str:
    if not text:
        raise click.UsageError(f"the {token_of(provider)} is empty")
    return text


def _checked(what: str, text: str, pattern: str) -> str:
    if not re.fullmatch(pattern, text):
        raise InvalidInput(f"the {what} holds a blank or a character that it cannot hold: copy it again")
    return text
