"""The documentation's tables of all transports: their features, and the promises that not every one keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

import transport_promises
from contract import TransportContract
from doc_pages import DOCS, table_after
from transport_promises import PROMISES, REUSE, SOCKS, TRIO, Promise
from transport_variants import CLIENT_VARIANTS, VARIANTS

PAGE = DOCS / "transports.md"
EVERY = [*VARIANTS, *CLIENT_VARIANTS]
NAMES = {promise: name for name, promise in vars(transport_promises).items() if isinstance(promise, Promise)}


def rows(*, over_clients: bool) -> Iterator[list[str]]:
    """A row for each promise that some of these transports do not keep: those over a program's clients, or others."""
    for promise in PROMISES:
        names = [f"`{name}`" for name in promise.not_by if ("." in name) == over_clients]
        if names:
            yield [promise.text, ", ".join(names), promise.instead]


def test_the_documentation_has_every_promise() -> None:
    assert table_after(PAGE, "## What not all of them promise") == [*rows(over_clients=False)]
    assert table_after(PAGE, "### Over your own client") == [*rows(over_clients=True)]


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES.get)
def test_a_promise_is_kept_by_some_and_not_by_those_it_names(promise: Promise) -> None:
    known = {variant.name for variant in EVERY} | {f"{variant.name} ({variant.style})" for variant in EVERY}
    assert set(promise.not_by) <= known
    assert {variant.keeps(promise) for variant in EVERY} == {True, False}


def test_every_promise_is_in_the_table_and_tested() -> None:
    assert list(NAMES) == list(PROMISES)
    support = Path(transport_promises.__file__).parent
    text = "".join(
        path.read_text(encoding="utf-8") for path in [*support.glob("contract/*.py"), support / "transport_variants.py"]
    )
    for promise, name in NAMES.items():
        assert promise.tests or re.search(rf"\bkeeps\({name}\)|\b{name}\.", text), name


@pytest.mark.parametrize("promise", [promise for promise in PROMISES if promise.tests], ids=NAMES.get)
def test_the_tests_of_a_promise_exist(promise: Promise) -> None:
    for test in promise.tests:
        name, _, parameters = test.removesuffix("]").partition("[")
        method = getattr(TransportContract, name)
        assert not parameters or parameters in ids_of(method), test


def ids_of(test: object) -> set[str]:
    """The ids of the parameters of a test, as pytest joins them."""
    every = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            given = mark.kwargs.get("ids") or [getattr(value, "id", value) for value in mark.args[1]]
            every.append([str(each) for each in given])
    return {"-".join(each) for each in product(*every)}


# The table of all transports.


def features(name: str) -> list[str]:
    """The last cells of a transport's row: trio, reused connections, SOCKS proxies."""
    runs_async = any(variant.name == name and variant.style == "asyncio" for variant in VARIANTS)
    on_trio, *others = ["no" if name in promise.not_by else "yes" for promise in (TRIO, REUSE, SOCKS)]
    return [on_trio if runs_async else "", *others]


def test_the_documentation_has_every_transport_with_its_features() -> None:
    found = {row[0].strip("`"): row[4:] for row in table_after(PAGE, "## All transports")}
    names = {variant.name for variant in VARIANTS}
    assert found == {name: features(name) for name in names} | {"memory": ["yes", "", ""]}
