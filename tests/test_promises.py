"""What not every transport promises: the table in the tests is the one in the documentation, and it is about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import transports_under_test
from test_docs import DOCS, table_after
from transports_under_test import CARRIERS, PROMISES, Promise

NAMES = {promise: name for name, promise in vars(transports_under_test).items() if isinstance(promise, Promise)}


def as_row(promise: Promise) -> list[str]:
    """The promise as a row of the table."""
    return [promise.text, ", ".join(f"`{name}`" for name in promise.not_by), promise.instead]


def test_the_documentation_has_every_promise() -> None:
    assert table_after(DOCS / "transports.md", "## What not all of them promise") == [as_row(each) for each in PROMISES]


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES.get)
def test_a_promise_is_kept_by_some_and_not_by_those_it_names(promise: Promise) -> None:
    known = {carrier.name for carrier in CARRIERS} | {f"{carrier.name} ({carrier.style})" for carrier in CARRIERS}
    assert set(promise.not_by) <= known
    assert {carrier.keeps(promise) for carrier in CARRIERS} == {True, False}


def test_every_promise_is_in_the_table_and_tested() -> None:
    assert list(NAMES) == list(PROMISES)
    tests = Path(transports_under_test.__file__).parent
    text = "".join(
        path.read_text(encoding="utf-8") for path in [*tests.glob("contract/*.py"), *tests.glob("test_*.py")]
    )
    for name in NAMES.values():
        assert re.search(rf"\bkeeps\({name}\)|\b{name}\.", text), name
