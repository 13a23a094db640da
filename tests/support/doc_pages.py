"""The README and the pages of `docs`: their blocks of code and their tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_CAPTION = re.compile(r":caption: (\S+)\n+")
_ROW = re.compile(r"^\|(.*)\|$", re.MULTILINE)


class Block(NamedTuple):
    """One block of code: its language, its text, the number of its first line, the file that it is part of."""

    language: str
    text: str
    line: int
    file: str


def blocks_of(page: Path, language: str) -> list[Block]:
    """The blocks of a page in this language."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        info, body, start = match["info"].strip(), match["body"], match.start("body")
        caption = _CAPTION.match(body) if info.startswith("{code-block}") else None
        if caption:
            body, start = body[caption.end() :], start + caption.end()
        if info.removeprefix("{code-block}").strip() == language:
            line = text.count("\n", 0, start) + 1
            found.append(Block(language, body, line, caption[1] if caption else ""))
    return found


def table_after(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without the header row."""
    text = page.read_text(encoding="utf-8")
    assert f"\n{heading}\n" in text, f"{page.name} has no heading {heading!r}"
    below = text.partition(f"\n{heading}\n")[2]
    table = re.search(r"(?:^\|.*\|\n)+", below, re.MULTILINE)
    assert table is not None, f"no table below {heading!r} in {page.name}"
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in _ROW.findall(table[0])]
    return rows[2:]


def first_column(page: Path, heading: str) -> list[str]:
    """The code in the first column of the first table below a heading."""
    return [row[0].strip("`") for row in table_after(page, heading)]
