"""Output to a person: answers to stdout, notes to stderr, and no control character to a terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import Literal, TextIO

Style = Literal["bold", "dim"]

# Everything in C0 and C1 but tab and line feed: escape sequences begin with one of these.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES: dict[Style, str] = {"bold": "\x1b[1m", "dim": "\x1b[2m"}
_RESET = "\x1b[0m"


def prepare_streams() -> None:
    """Replace streams that are closed, and let stdout and stderr write `?` for a character that they cannot encode."""
    # A stream that was closed before the command began is None.
    sys.stdin = sys.stdin or _open_null("r")
    sys.stdout = sys.stdout or _open_null("w")
    sys.stderr = sys.stderr or _open_null("w")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def write_text(text: str) -> None:
    """Write a piece of an answer to stdout, without buffering; to a terminal without control characters."""
    _write(_safe(text))


def write_line(text: str = "", *, style: Style | None = None) -> None:
    """Write a line to stdout, styled if stdout is a terminal with colours."""
    line = _safe(text)
    if style is not None and has_colours(sys.stdout):
        line = _STYLES[style] + line + _RESET
    _write(f"{line}\n")


def note(text: str) -> None:
    """Write a line to stderr."""
    print(one_line(text), file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """`text` on one line, with each control character replaced by a space."""
    return " ".join(_CONTROL.sub(" ", text).splitlines())


def has_colours(stream: TextIO) -> bool:
    """True if colours and moving bars are welcome on this stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _open_null(mode: Literal["r", "w"]) -> TextIO:
    # Left open until the process ends, as Python's own streams are.
    return open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False)


def _safe(text: str) -> str:
    """`text` as stdout may show it: a terminal gets no control characters, a pipe gets everything."""
    return _CONTROL.sub("", text) if sys.stdout.isatty() else text


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
