"""The prompt, from the command line or from a pipe."""

from __future__ import annotations

import sys

import click


def read_prompt(words: tuple[str, ...]) -> str:
    """The words of the command line as one prompt; if there are none, or a single `-`, the text of stdin.

    Raises `click.UsageError` for an empty prompt, and if there are no words and stdin is a terminal.
    """
    if words and words != ("-",):
        return " ".join(words)
    if not words and sys.stdin.isatty():
        raise click.UsageError("give a PROMPT, or pipe one in")
    text = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    if not text:
        raise click.UsageError("the prompt is empty: give a PROMPT, or pipe one in")
    return text
