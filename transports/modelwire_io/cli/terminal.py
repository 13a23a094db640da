"""What a person sees: text to stdout, everything else to stderr, and nothing that a terminal would obey."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

# Everything in C0 and C1 but tab and line feed: escape sequences begin with one of these.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def prepare_streams() -> None:
    """Make sure that no character of an answer can end the command: what a terminal lacks is shown as `?`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def write_text(text: str) -> None:
    """A piece of an answer to stdout, at once; to a terminal without control characters, to a pipe as it came."""
    sys.stdout.write(_CONTROL.sub("", text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def write_line(text: str = "") -> None:
    """A line to stdout."""
    write_text(f"{text}\n")


def note(text: str) -> None:
    """A line about what is going on, to stderr."""
    print(_CONTROL.sub(" ", text), file=sys.stderr, flush=True)


def is_colourful(stream: TextIO) -> bool:
    """Whether colours and moving bars are welcome on this stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def bold(text: str) -> str:
    """`text` in bold, where stdout shows it."""
    return f"\x1b[1m{text}\x1b[0m" if is_colourful(sys.stdout) else text


def dim(text: str) -> str:
    """`text` dimmed, where stdout shows it."""
    return f"\x1b[2m{text}\x1b[0m" if is_colourful(sys.stdout) else text
