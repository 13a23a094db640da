"""The pool of idle connections: which one is taken, which are dropped, and when."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire_io.net.connection_pool import ConnectionPool


@pytest.fixture
def pool() -> ConnectionPool[str]:
    return ConnectionPool(idle_seconds=10.0, max_idle=4)


def test_takes_the_most_recently_used_connection(pool: ConnectionPool[str]) -> None:
    assert pool.put("route", "a", 0.0) == pool.put("route", "b", 1.0) == []
    assert pool.take("route", 2.0) == ("b", [])
    assert pool.take("route", 2.0) == ("a", [])
    assert pool.take("route", 2.0) == (None, [])


def test_takes_no_connection_of_another_route(pool: ConnectionPool[str]) -> None:
    pool.put("one", "a", 0.0)
    assert pool.take("other", 0.0) == (None, [])


def test_drops_expired_connections_of_every_route(pool: ConnectionPool[str]) -> None:
    pool.put("one", "a", 0.0)
    pool.put("other", "b", 5.0)
    assert pool.take("third", 9.9) == (None, [])
    assert pool.take("third", 10.0) == (None, ["a"])
    assert pool.put("third", "c", 15.0) == ["b"]
    assert pool.take("third", 24.9) == ("c", [])


def test_drops_expired_connections_of_a_route_and_takes_another(pool: ConnectionPool[str]) -> None:
    pool.put("route", "a", 0.0)
    pool.put("route", "b", 5.0)
    assert pool.take("route", 12.0) == ("b", ["a"])


def test_evicts_the_least_recently_used_connection(pool: ConnectionPool[str]) -> None:
    assert [pool.put("route", name, 0.0) for name in "abcdef"] == [[], [], [], [], ["a"], ["b"]]
    assert pool.take("route", 0.0) == ("f", [])


@pytest.mark.skipif(sys.platform == "win32", reason="no limit is known")
def test_uses_at_most_half_of_the_open_files_allowed() -> None:
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, allowed[1]))
    try:
        pool: ConnectionPool[int] = ConnectionPool()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    dropped = [pool.put("route", number, 0.0) for number in range(129)]
    assert dropped == [[]] * 128 + [[0]]


def test_the_limit_counts_all_routes_together(pool: ConnectionPool[str]) -> None:
    assert [pool.put(f"route {name}", name, 0.0) for name in "abcdef"] == [[], [], [], [], ["a"], ["b"]]
    assert pool.take("route b", 0.0) == (None, [])
    assert pool.take("route c", 0.0) == ("c", [])


def test_closing_returns_all_connections_and_pools_none_after_that(pool: ConnectionPool[str]) -> None:
    pool.put("one", "a", 0.0)
    pool.put("other", "b", 0.0)
    assert pool.close() == ["a", "b"]
    assert pool.put("one", "c", 0.0) == ["c"]
    assert pool.take("one", 0.0) == (None, [])
    assert pool.close() == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 6))))
def test_loses_no_connection(steps: list[tuple[str, bool, float]]) -> None:
    pool: ConnectionPool[int] = ConnectionPool(idle_seconds=10.0, max_idle=3)
    pooled: dict[int, tuple[str, float]] = {}
    now = 0.0
    for number, (route, is_put, pause) in enumerate(steps):
        now += pause
        if is_put:
            pooled[number] = (route, now)
            gone = pool.put(route, number, now)
            expected = max((each for each in pooled), key=lambda each: pooled[each][1])
            assert expected not in gone
        else:
            found, gone = pool.take(route, now)
            if found is not None:
                assert pooled[found][0] == route
                assert pooled.pop(found)[1] > now - 10.0
        for each in gone:
            del pooled[each]
        assert len(pooled) <= 3
    assert sorted(pool.close()) == sorted(pooled)
