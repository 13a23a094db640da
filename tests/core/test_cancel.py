"""`Cancel` at any moment."""

from __future__ import annotations

import pytest

from modelwire.commands import AbortRequest, Finished
from modelwire.errors import Failure, InDoubt
from modelwire.events import Cancel
from modelwire.flow import Steps
from played_flow import NOW, PlayedFlow, ScriptedResponse, begin, play, say, through_json
from toy_flows import CustomFlow, FetchFlow, JobFlow, SleepFlow, TextFlow, play_until_sleep

CANCELLED = Finished(Failure(kind="cancelled", message="cancelled by the caller", phase="start"))


def test_cancel_before_the_start() -> None:
    session = PlayedFlow(FetchFlow())
    assert session.deliver(Cancel()) == [CANCELLED]
    assert session.start() == []


def test_cancel_during_a_request() -> None:
    assert begin(FetchFlow()).deliver(Cancel()) == [AbortRequest(1), CANCELLED]


def test_cancel_in_the_middle_of_an_answer() -> None:
    session = begin(TextFlow())
    session.respond(ScriptedResponse(body=b"Hel", stays_open=True))
    session.deliver(Cancel())
    assert (session.failure.kind, session.failure.text) == ("cancelled", "Hel")


def test_cancel_while_sleeping() -> None:
    assert begin(SleepFlow()).deliver(Cancel()) == [CANCELLED]


def test_cancel_between_two_attempts() -> None:
    session = play_until_sleep(FetchFlow(), say("", 503))
    assert session.deliver(Cancel()) == [CANCELLED]


def test_cancel_after_the_end() -> None:
    assert play(FetchFlow(), say("x")).deliver(Cancel()) == []


def test_cancel_while_a_job_is_being_submitted_is_cancelled_and_its_snapshot_in_doubt() -> None:
    session = play(JobFlow(), say(""))
    session.deliver(Cancel())
    assert session.failure.kind == "cancelled"
    with pytest.raises(InDoubt):
        through_json(session.flow)


def test_a_cancelled_phase_runs_its_finally() -> None:
    cleaned: list[str] = []

    def careful(flow: CustomFlow) -> Steps:
        try:
            yield from flow.fetch(flow.request)
        finally:
            cleaned.append("up")

    begin(CustomFlow(steps=careful)).deliver(Cancel())
    assert cleaned == ["up"]


def test_an_error_of_a_finally_reaches_the_caller_and_the_flow_is_over() -> None:
    def careless(flow: CustomFlow) -> Steps:
        try:
            yield from flow.fetch(flow.request)
        finally:
            raise ZeroDivisionError

    session = begin(CustomFlow(steps=careless))
    with pytest.raises(ZeroDivisionError):
        session.flow.handle(Cancel(), NOW)
    assert session.flow.handle(Cancel(), NOW) == []
