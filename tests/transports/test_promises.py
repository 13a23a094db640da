"""What the documentation says of every transport: its lines, its features, and what not every one promises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import transport_promises
from doc_pages import DOCS, table_after
from transport_promises import PROMISES, REUSE, SOCKS, TRIO, Promise
from transport_variants import VARIANTS

TRANSPORTS = Path(__file__).parents[2] / "transports" / "modelwire_io"
NAMES = {promise: name for name, promise in vars(transport_promises).items() if isinstance(promise, Promise)}


def as_row(promise: Promise) -> list[str]:
    """The promise as a row of the table."""
    return [promise.text, ", ".join(f"`{name}`" for name in promise.not_by), promise.instead]


def test_the_documentation_has_every_promise() -> None:
    assert table_after(DOCS / "transports.md", "## What not all of them promise") == [as_row(each) for each in PROMISES]


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES.get)
def test_a_promise_is_kept_by_some_and_not_by_those_it_names(promise: Promise) -> None:
    known = {variant.name for variant in VARIANTS} | {f"{variant.name} ({variant.style})" for variant in VARIANTS}
    assert set(promise.not_by) <= known
    assert {variant.keeps(promise) for variant in VARIANTS} == {True, False}


def test_every_promise_is_in_the_table_and_tested() -> None:
    assert list(NAMES) == list(PROMISES)
    tests = Path(transport_promises.__file__).parent
    text = "".join(
        path.read_text(encoding="utf-8") for path in [*tests.glob("contract/*.py"), *tests.glob("test_*.py")]
    )
    for name in NAMES.values():
        assert re.search(rf"\bkeeps\({name}\)|\b{name}\.", text), name


# The table of all transports.


def as_cells(name: str) -> list[str]:
    """What the table says of a transport that can be worked out: its lines, and a few features."""
    found = [variant for variant in VARIANTS if variant.name == name]
    runs_async = any(variant.style == "asyncio" for variant in found)
    answers = [yes_or_no(name, promise) for promise in (TRIO, REUSE, SOCKS)]
    return [lines_of(name), answers[0] if runs_async else "", *answers[1:]]


def yes_or_no(name: str, promise: Promise) -> str:
    return "no" if name in promise.not_by else "yes"


def lines_of(name: str) -> str:
    """Lines of the modules that a transport has to itself, and of those that it shares, in fifties."""
    mine = modules_of(name)
    others = set[str]().union(*(modules_of(other) for other in names_of_files() if other != file_of(name)))
    own, shared = sum(map(length, mine - others)), sum(map(length, mine & others))
    return f"{50 * round(own / 50):,} + {50 * round(shared / 50):,}"


def names_of_files() -> list[str]:
    names = [path.stem.removesuffix("_transport") for path in TRANSPORTS.glob("*_transport.py")]
    return [name for name in names if name != "default"]


def file_of(name: str) -> str:
    return "httpx" if name == "httpx2" else name


@cache
def modules_of(name: str) -> set[str]:
    """The modules that a transport imports, directly or not."""
    found, left = set[str](), [f"{file_of(name)}_transport"]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += imports_of(module)
    return found


def imports_of(module: str) -> Iterator[str]:
    """The modules beside it that a module imports. `drive` says what a transport is, and belongs to none."""
    for node in ast.walk(ast.parse((TRANSPORTS / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module not in (None, "drive"):
            yield str(node.module)


def length(module: str) -> int:
    return len((TRANSPORTS / f"{module}.py").read_text(encoding="utf-8").splitlines())


def test_the_documentation_has_every_transport_with_its_lines_and_features() -> None:
    rows = {row[0].strip("`"): row[4:] for row in table_after(DOCS / "transports.md", "## What there is")}
    names = {variant.name for variant in VARIANTS}
    assert rows.keys() == names | {"memory"}
    assert {name: rows[name] for name in names} == {name: as_cells(name) for name in names}
    assert rows["memory"] == [lines_of("memory"), "yes", "", ""]
