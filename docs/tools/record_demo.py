"""Records the output of `modelwire demo`, and draws it as a terminal: `docs/demo.svg`.

    python docs/tools/record_demo.py

The picture shows the first and the last provider, and says that others are left out.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.text import Text

from modelwire.catalog import PROVIDERS
from terminal import draw, typed

PICTURE = Path(__file__).resolve().parents[1] / "demo.svg"
COMMAND = "modelwire demo -O pictures"
LABELS = [provider.label for provider in PROVIDERS.values()]
DESCRIPTION = """A terminal in which the command "modelwire demo" runs every provider against the emulators:
  what Cromicle answered, how ARTA drew a picture, and a table of the requests and times of all five."""


def record() -> str:
    """Run the command in a terminal, and return its output."""
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", "from modelwire_io.cli import main; main()", *COMMAND.split()[1:]],
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=theirs,
        )
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        if process.wait():
            raise SystemExit(f"the demo ended with exit code {process.returncode}")
    return written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # on Linux: the other end of the terminal is closed
        return b""


def shorten(screen: Text) -> list[Text]:
    """The lines to draw: all but those of the providers between the first and the last."""
    lines = list(screen.split("\n", allow_blank=True))
    places = [next(number for number, line in enumerate(lines) if line.plain == label) for label in LABELS]
    left_out = Text(f"… {', '.join(LABELS[1:-1])} …", style="italic dim")
    return [*lines[: places[1]], left_out, Text(), *lines[places[-1] :]]


def main() -> None:
    """Record, and draw."""
    lines = shorten(Text.from_ansi(record().rstrip("\n")))
    draw(PICTURE, [typed(COMMAND), *lines], title="modelwire demo", description=DESCRIPTION)


if __name__ == "__main__":
    main()
