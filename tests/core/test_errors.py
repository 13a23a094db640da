"""Failures as data, and the exceptions that they become."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from modelwire import errors
from modelwire.errors import EXCEPTIONS, Failure, FailureKind, FlowFailed, ModelwireError

KINDS = get_args(FailureKind)
CLASSES = {
    "connect": errors.ConnectError,
    "timeout": errors.DeadlineExceeded,
    "network": errors.NetworkError,
    "truncated": errors.TruncatedError,
    "protocol": errors.RemoteProtocolError,
    "limit": errors.LimitExceeded,
    "status": errors.StatusError,
    "rate_limited": errors.RateLimited,
    "refused": errors.Refused,
    "login_required": errors.LoginRequiredError,
    "page_lost": errors.PageLost,
    "no_answer": errors.NoAnswer,
    "job_failed": errors.JobFailed,
    "in_doubt": errors.InDoubt,
    "cancelled": errors.Cancelled,
}


def failure(kind: FailureKind) -> Failure:
    return Failure(
        kind=kind, message="why", phase="poll", status=429, retry_after=1.5, text="Hel", snapshot='{"flow": "x"}'
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_becomes_the_exception_of_its_kind(kind: FailureKind) -> None:
    error = failure(kind).exception()
    assert type(error) is CLASSES[kind] is EXCEPTIONS[kind]
    assert isinstance(error, FlowFailed)
    assert (str(error), error.status, error.retry_after) == ("why", 429, 1.5)
    assert error.failure == failure(kind), "no field is lost"


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_goes_through_json(kind: FailureKind) -> None:
    encoded = msgspec.json.encode(failure(kind))
    assert msgspec.json.decode(encoded, type=Failure) == failure(kind)


def test_failures_can_be_compared_and_hashed() -> None:
    assert failure("status") == failure("status")
    assert failure("status") != failure("refused")
    assert len({failure("status"), failure("status")}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_raised_in_a_phase_is_the_same_as_data(kind: FailureKind) -> None:
    error = EXCEPTIONS[kind]("why", status=500, retry_after=2.0)
    assert error.failure == Failure(kind=kind, message="why", status=500, retry_after=2.0)


def test_there_is_one_tree() -> None:
    for name in ("LocalProtocolError", "InvalidInput", "SnapshotError", "TextRevised", "FlowFailed"):
        assert issubclass(getattr(errors, name), ModelwireError)
    assert issubclass(errors.RateLimited, errors.StatusError)
    assert issubclass(errors.Refused, errors.StatusError)
    # Code that does not know modelwire can catch a caller's mistakes as ValueError.
    assert issubclass(errors.InvalidInput, ValueError)
    assert issubclass(errors.SnapshotError, ValueError)


def test_text_revised_has_the_whole_text() -> None:
    error = errors.TextRevised("all of it")
    assert error.whole == "all of it"
    assert "all of it" not in str(error)


def test_the_repr_of_a_failure_shows_neither_the_answer_nor_the_prompt() -> None:
    shown = repr(
        Failure(kind="network", message="why", phase="ask", text="my answer", snapshot='{"prompt": "my diary"}')
    )
    assert "my " not in shown
    assert "kind='network', message='why', phase='ask'" in shown
    assert "text=<9 characters>, snapshot=<22 characters>" in shown
