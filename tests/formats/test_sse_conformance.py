"""docs/conformance.md is up to date with the rules, and modelwire follows all of them."""

from __future__ import annotations

import re
from pathlib import Path

from event_stream_rules import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
TEXT = PAGE.read_text(encoding="utf-8")
STALE = "run python docs/tools/event_stream_conformance.py"


def rows() -> list[list[str]]:
    """The table of rules and decoders, its head first."""
    lines = re.findall(r"^\| (.*) \|$", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_the_table_has_every_rule_and_every_case() -> None:
    _, *rules, _ = rows()
    assert [(row[0], int(row[1])) for row in rules] == [(rule.name, len(rule.cases)) for rule in RULES], STALE


def test_the_page_explains_every_rule() -> None:
    for rule in RULES:
        assert f"- **{rule.name}.** {rule.says}\n" in TEXT, STALE


def test_modelwire_follows_every_rule() -> None:
    head, *rules = rows()
    assert head[2].startswith("modelwire ")
    assert {row[2] for row in rules} == {"all"}
    assert re.search(r"^\*\*modelwire\*\*, .*:\n\n- nothing$", TEXT, re.MULTILINE)


def test_the_other_decoders_are_named_with_their_versions() -> None:
    names = {cell.rpartition(" ")[0]: cell.rpartition(" ")[2] for cell in rows()[0][3:]}
    assert {"httpx-sse", "httpx2", "openai", "anthropic", "sseclient-py"} <= names.keys()
    assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in names.values())
