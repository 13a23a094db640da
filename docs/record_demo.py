"""Records `modelwire demo` as it runs, and draws its terminal: `docs/demo.svg`.

    python docs/record_demo.py

The providers between the first and the last are left out of the picture, which says so.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from modelwire.catalog import PROVIDERS

PICTURE = Path(__file__).resolve().parent / "demo.svg"
COLUMNS = 100
COMMAND = "modelwire demo -O pictures"
LABELS = [provider.label for provider in PROVIDERS.values()]

THEME = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)] * 2,
)
# No font is fetched from anywhere: whoever looks has one of these, and every piece of text is told how wide it is.
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}" role="img"
    aria-labelledby="title description">
  <title id="title">modelwire demo</title>
  <desc id="description">A terminal in which the command "modelwire demo" runs every provider against the emulators:
  what Cromicle answered, how ARTA drew a picture, and a table of the requests and times of all five.</desc>
  <style>
  .{unique_id}-matrix {{
    font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
    font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
  }}
  {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""


def record() -> str:
    """What the command writes to a terminal."""
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
    except OSError:  # how Linux says that the other end of a terminal is closed
        return b""


def shorten(screen: Text) -> list[Text]:
    """The lines to be drawn: all but what the providers between the first and the last said."""
    lines = list(screen.split("\n", allow_blank=True))
    places = [next(number for number, line in enumerate(lines) if line.plain == label) for label in LABELS]
    left_out = Text(f"… {', '.join(LABELS[1:-1])} …", style="italic dim")
    return [*lines[: places[1]], left_out, Text(), *lines[places[-1] :]]


def main() -> None:
    """Record, and draw."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.assemble(("$ ", "dim"), (COMMAND, "bold")))
    for line in shorten(Text.from_ansi(record().rstrip("\n"))):
        console.print(line, overflow="fold")
    picture = console.export_svg(title="", theme=THEME, code_format=TEMPLATE, unique_id="demo")
    PICTURE.write_text("\n".join(line.rstrip() for line in picture.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
