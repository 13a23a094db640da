"""Requests that must not be sent twice."""

from __future__ import annotations

from functools import partial

import pytest

from modelwire.errors import Failure, InDoubt
from modelwire.events import RequestFailed, ResponseStarted
from modelwire.flow import Steps
from modelwire.limits import Limits
from modelwire.outputs import JobAccepted
from played_flow import Broken, Outcome, PlayedFlow, ScriptedResponse, play, say, through_json
from toy_flows import CustomFlow, JobFlow


def test_a_request_that_must_not_be_repeated_is_retried_if_it_was_not_sent() -> None:
    session = play(JobFlow(), say(""), Broken(kind="connect"), say("job-1"), say("done"))
    assert session.succeeded


@pytest.mark.parametrize(
    "response",
    [
        Broken(kind="timeout"),
        Broken(kind="network"),
        Broken(kind="protocol"),
        Broken(kind="network", after=say("jo")),
        say("", 500),
        say("", 503, retry_after="1"),
        say("", 100),
        ScriptedResponse(chunks=[b"x" * 2000]),
    ],
)
def test_a_request_that_must_not_be_repeated_is_in_doubt_after_anything_later(response: Outcome) -> None:
    session = play(JobFlow(limits=Limits(body=1000)), say(""), response)
    assert session.failure.kind == "in_doubt"
    assert session.failure.phase == "submit"
    assert session.failure.message.startswith("the request may have been carried out, and was not sent again (")
    assert len(session.requests) == 2
    assert isinstance(session.failure.exception(), InDoubt)


def test_silence_after_such_a_request_is_in_doubt() -> None:
    session = play(JobFlow(), say(""))
    session.wake()
    assert session.failure.kind == "in_doubt"


def test_a_connect_failure_after_the_response_began_is_in_doubt() -> None:
    session = play(JobFlow(), say(""))
    session.deliver(ResponseStarted(2, 200, ()))
    session.deliver(RequestFailed(2, "connect", "so they say"))
    assert session.failure.kind == "in_doubt"
    assert len(session.requests) == 2


def test_an_earlier_doubt_stays_until_the_job_is_accepted() -> None:
    session = play(JobFlow(), say(""))
    resent = PlayedFlow(JobFlow.restore(session.flow.snapshot(), resend=True))
    resent.start()
    resent.play(*[Broken(kind="connect")] * 3)
    assert resent.failure.kind == "in_doubt"
    with pytest.raises(InDoubt):
        JobFlow.restore(resent.flow.snapshot())
    again = play(JobFlow.restore(session.flow.snapshot(), resend=True), say("7"))
    assert again.all(JobAccepted) == [JobAccepted("7")]
    assert JobFlow.restore(again.flow.snapshot())


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_after_such_a_request_is_in_doubt(status: int) -> None:
    # A redirect often means "done, the result is there".
    session = play(JobFlow(), say(""), say("", status))
    assert (session.failure.kind, session.failure.status) == ("in_doubt", status)


@pytest.mark.parametrize("status", [400, 404, 408, 425, 429])
def test_a_refusal_of_such_a_request_is_definite(status: int) -> None:
    session = play(JobFlow(), say(""), say("", status))
    assert session.failure.kind in ("status", "rate_limited")
    assert len(session.requests) == 2
    assert through_json(session.flow), "the server certainly did not carry it out"


def test_a_refused_job_is_definite() -> None:
    session = play(JobFlow(), say(""), say("", 402))
    assert session.failure == Failure(kind="job_failed", message="no money", phase="submit")


def test_requests_after_such_a_request_are_not_in_doubt() -> None:
    session = play(JobFlow(), say(""), say("job-1"), *[say("", 500)] * 3)
    assert session.failure.kind == "status"


def test_a_definite_failure_does_not_settle_an_earlier_doubt() -> None:
    # One phase pays, then sends another request, which certainly fails. The payment may have been carried out.
    def pay_and_ask(flow: CustomFlow) -> Steps:
        yield from flow.fetch(partial(flow.request, repeatable=False))
        yield from flow.fetch(flow.request)

    for response in (Broken(kind="connect"), say("", 404)):
        session = play(CustomFlow(steps=pay_and_ask, limits=Limits(tries=1)), say("paid"), response)
        assert session.failure.kind == "in_doubt"


def test_a_snapshot_taken_during_such_a_request_is_in_doubt() -> None:
    session = play(JobFlow(), say(""))
    with pytest.raises(InDoubt, match="resend=True"):
        through_json(session.flow)
    restored = play(through_json(session.flow, resend=True), say("job-1"), say("done"))
    assert restored.succeeded


def test_a_flow_to_be_sent_again_stays_in_doubt_until_it_starts() -> None:
    session = play(JobFlow(), say(""))
    with pytest.raises(InDoubt):
        through_json(through_json(session.flow, resend=True))


def test_a_snapshot_of_a_flow_that_ended_in_doubt_is_in_doubt() -> None:
    session = play(JobFlow(), say(""), Broken(kind="network"))
    with pytest.raises(InDoubt):
        through_json(session.flow)


def test_a_snapshot_between_two_attempts_of_such_a_request_is_not_in_doubt() -> None:
    session = play(JobFlow(), say(""))
    session.respond(Broken(kind="connect"))
    assert through_json(session.flow)
