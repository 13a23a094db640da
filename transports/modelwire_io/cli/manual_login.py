"""Credentials that a person supplies by hand: a key or token on stdin or at a prompt, or values from a browser."""

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

# The console of a browser shows one of these for a value that is missing.
_MISSING = ("", "null", "undefined")


def read_token(provider: Provider) -> str:
    """Read a token or key, or JSON: all of stdin."""
    return _not_empty(provider, sys.stdin.buffer.read().decode("utf-8", "replace").strip())


def ask_for_token(provider: Provider) -> str:
    """Ask for a token or key at a prompt that does not show it. Raises `click.UsageError` without a terminal."""
    name = secret_name(provider)
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask on: pipe the {name} in, with --token-stdin")
    note(f"{provider.label}: {provider.note} {provider.website}")
    return _not_empty(provider, getpass.getpass(f"{provider.label} {name} (not shown): ").strip())


def as_credentials(provider: Provider, text: str) -> dict[str, object]:
    """The credentials in a token or key, or in a JSON object that holds all of them. Raises `InvalidInput`."""
    if not text.startswith("{"):
        return {provider.secret_field: _checked(secret_name(provider), text, r"[!-~]+")}
    try:
        values: dict[str, object] = msgspec.json.decode(text, type=dict)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"the input looks like JSON but does not parse: {error}") from None
    if not values.get(provider.secret_field):
        raise InvalidInput(f"the JSON has no {provider.secret_field}")
    return values


def read_values(provider: Provider, url: str, expressions: Mapping[str, str]) -> dict[str, object]:
    """Ask for values that the developer tools of a browser show: one after another, at prompts that do not show them.

    `expressions` maps each field of the credentials to its JavaScript expression. All but the first may be left empty.
    Raises `InvalidInput` for a value that a header cannot carry, and if the first is empty.
    """
    note(f"Log in to {provider.label} at {url} with your own browser. Then open its developer tools (F12), and")
    note("evaluate each of these in the Console: copy(EXPRESSION) puts its value into the clipboard.")
    if sys.stdin.isatty():
        values = _ask_for_each(expressions)
    else:
        note(f"From stdin, one a line, and all but the first may be empty: {', '.join(expressions.values())}")
        values = _lines_of_stdin()
    found: dict[str, object] = {}
    for name, expression in expressions.items():
        value = next(values, "")
        if value not in _MISSING:
            pattern = r"[!-~]+" if name == provider.secret_field else r"[ -~]+"
            found[name] = _checked(f"value of {expression}", value, pattern)
        elif name == provider.secret_field:
            raise InvalidInput(f"{expression} is empty: it has a value once you have logged in")
    return found


def secret_name(provider: Provider) -> str:
    """The name of the one required credential, such as "api key"."""
    return provider.secret_field.replace("_", " ")


def _ask_for_each(expressions: Mapping[str, str]) -> Iterator[str]:
    may_be_empty = ""
    for expression in expressions.values():
        yield _unquoted(getpass.getpass(f"{expression} (not shown{may_be_empty}): "))
        may_be_empty = "; may be left empty"


def _lines_of_stdin() -> Iterator[str]:
    return map(_unquoted, sys.stdin.buffer.read().decode("utf-8", "replace").splitlines())


def _unquoted(text: str) -> str:
    """`text` without the quotes that a console puts around a string."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _not_empty(provider: Provider, text: str) -> str:
    if not text:
        raise click.UsageError(f"the {secret_name(provider)} is empty")
    return text


def _checked(what: str, text: str, pattern: str) -> str:
    if not re.fullmatch(pattern, text):
        raise InvalidInput(f"the {what} contains a blank or another invalid character: copy it again")
    return text
