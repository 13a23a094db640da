"""What a person sees: text to stdout, everything else to stderr, and nothing that a terminal would obey."""

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
    """Make sure that no character of an answer can end the command: what a terminal lacks is shown as `?`."""
    # A stream that was closed before the command began is None.
    sys.stdin = sys.stdin or _open_nothing("r")
    sys.stdout = sys.stdout or _open_nothing("w")
    sys.stderr = sys.stderr or _open_nothing("w")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def write_text(text: str) -> None:
    """A piece of an answer to stdout, at once; to a terminal without control characters, to a pipe as it came."""
    _write(_shown(text))


def write_line(text: str = "", *, style: Style | None = None) -> None:
    """A line to stdout, in a style where stdout shows it."""
    line = _shown(text)
    if style is not None and is_colourful(sys.stdout):
        line = _STYLES[style] + line + _RESET
    _write(f"{line}\n")


def note(text: str) -> None:
    """A line about what is going on, to stderr."""
    print(one_line(text), file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """`text` without anything that a terminal would obey, line ends included."""
    return " ".join(_CONTROL.sub(" ", text).splitlines())


def is_colourful(stream: TextIO) -> bool:
    """Whether colours and moving bars are welcome on this stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _open_nothing(mode: Literal["r", "w"]) -> TextIO:
    # As Python's own streams, it is open to the end.
    return open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False)


def _shown(text: str) -> str:
    return _CONTROL.sub("", text) if sys.stdout.isatty() else text


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
