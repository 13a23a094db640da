"""A picture of a terminal, as SVG that a screen reader can read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS = 100
THEME = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)] * 2,
)
# No font is fetched. Every reader has one of these fonts, and every text has an explicit width.
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}" role="img"
    aria-labelledby="title description">
  <title id="title">TITLE</title>
  <desc id="description">DESCRIPTION</desc>
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


def typed(command: str) -> Text:
    """A command behind its prompt."""
    return Text.assemble(("$ ", "dim"), (command, "bold"))


def draw(picture: Path, lines: Iterable[Text], *, title: str, description: str) -> None:
    """Write a picture of these lines."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    for line in lines:
        console.print(line, overflow="fold")
    template = TEMPLATE.replace("TITLE", escape(title)).replace("DESCRIPTION", escape(description))
    drawn = console.export_svg(title="", theme=THEME, code_format=template, unique_id=picture.stem)
    picture.write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n", encoding="utf-8")
