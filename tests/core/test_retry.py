"""The pause before a retry."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.engine.retry import is_temporary, retry_pause
from modelwire.errors import FailureKind
from modelwire.limits import Limits


def pause(**changes: Any) -> float | None:
    """The pause after one timeout, with 1,000 seconds left and half of the jitter, unless `changes` say otherwise."""
    case: dict[str, Any] = {
        "tries": 1,
        "kind": "timeout",
        "status": None,
        "retry_after": None,
        "repeatable": True,
        "remaining": 1000.0,
        "jitter": 0.5,
        "limits": Limits(),
    }
    return retry_pause(**case | changes)


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_temporary_kinds(kind: FailureKind) -> None:
    assert is_temporary(kind, None) == (kind in ("connect", "timeout", "network", "truncated"))
    assert is_temporary(kind, 200) == is_temporary(kind, None), "the response failed after a good head"


@pytest.mark.parametrize("status", range(400, 600))
def test_temporary_statuses(status: int) -> None:
    assert is_temporary("status", status) == (status in (408, 425, 429) or status >= 500)


def test_the_pauses_double_until_thirty_seconds() -> None:
    limits = Limits(tries=10_000)
    assert [pause(tries=tries, limits=limits) for tries in range(1, 10)] == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]
    assert pause(tries=9_999, limits=limits) == 15


def test_the_first_broken_connection_is_replaced_at_once() -> None:
    assert pause(kind="network") == 0.01
    assert pause(jitter=0.0) == 0.01, "a timestamp in milliseconds does not repeat"
    assert pause(kind="network", tries=2) == 0.5
    assert pause(kind="network", repeatable=False) is None
    assert pause(kind="network", remaining=0.0) is None
    assert pause(kind="connect") == 0.25


@given(tries=st.integers(1, 2), jitter=st.floats(0, 1, exclude_max=True), retry_after=st.none() | st.floats(0, 120))
def test_a_pause_is_retry_after_plus_jitter(tries: int, jitter: float, retry_after: float | None) -> None:
    seconds = pause(tries=tries, jitter=jitter, retry_after=retry_after)
    assert seconds is not None
    assert (retry_after or 0) <= seconds <= (retry_after or 0) + max(0.01, 0.5 * tries)


def test_no_more_tries_than_the_limit() -> None:
    assert pause(tries=2) is not None
    assert pause(tries=3) is None
    assert pause(tries=1, limits=Limits(tries=1)) is None
    assert pause(tries=1, limits=Limits(tries=0)) is None


def test_retry_after_has_a_maximum() -> None:
    assert pause(retry_after=120.0, jitter=0.0) == 120.01
    assert pause(retry_after=120.5) is None
    assert pause(retry_after=120.5, limits=Limits(retry_after=121.0)) is not None


def test_there_must_be_time_left_after_the_pause() -> None:
    assert pause(remaining=0.26) == 0.25
    assert pause(remaining=0.25) is None
    assert pause(retry_after=100.0, remaining=99.0) is None
    assert pause(remaining=0.0, jitter=0.0) is None
    assert pause(remaining=-5.0, jitter=0.0) is None


@pytest.mark.parametrize("kind", ["timeout", "network", "truncated"])
def test_a_request_that_is_not_repeatable_is_retried_only_if_it_was_not_sent(kind: str) -> None:
    assert pause(repeatable=False, kind=kind) is None
    assert pause(repeatable=False, kind="status", status=503) is None
    assert pause(repeatable=False, kind="connect") is not None
