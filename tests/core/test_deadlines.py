"""The deadlines of a flow: its total time, and the time without content."""

from __future__ import annotations

import pytest

from modelwire.commands import AbortRequest, Finished, SendRequest, Sleep
from modelwire.errors import Failure
from modelwire.events import BodyReceived, ResponseStarted, Woken
from modelwire.limits import Limits
from modelwire.outputs import TextDelta
from played_flow import NOW, begin, play, say
from toy_flows import SHOWN_URL, EventFlow, FetchFlow, JobFlow, SleepFlow, TextFlow, ToyFlow


def test_the_deadline_of_a_request_is_the_earlier_of_two() -> None:
    (command,) = begin(FetchFlow(limits=Limits(total=50.0))).all(SendRequest)
    assert command.deadline == NOW + 50
    (command,) = begin(FetchFlow(limits=Limits(total=50.0, idle=20.0))).all(SendRequest)
    assert command.deadline == NOW + 20


def test_the_total_time_of_a_flow() -> None:
    session = begin(FetchFlow(limits=Limits(total=50.0)))
    session.deliver(ResponseStarted(1, 200, ()), after=49)
    assert session.deliver(Woken(), after=1) == [
        AbortRequest(1),
        Finished(
            Failure(
                kind="timeout",
                message="not finished within 50 seconds; allow more time, or try again later",
                phase="start",
            )
        ),
    ]


def test_the_total_time_has_a_default_by_the_kind_of_flow() -> None:
    assert begin(SleepFlow(seconds=1e6)).wait == Sleep(NOW + 600)
    session = play(JobFlow(), say(""), say("job-1"))
    session.sleep_on()
    while not session.is_over:
        session.respond(say("wait"))
        session.sleep_on()
    assert session.now == NOW + 300
    assert session.failure.message.startswith("not finished within 300 seconds")


def test_a_request_without_content_is_retried() -> None:
    session = begin(FetchFlow(limits=Limits(idle=20.0, tries=2)))
    aborted, pause = session.wake()
    assert aborted == AbortRequest(1)
    assert isinstance(pause, Sleep)
    session.sleep_on()
    session.wake()
    assert session.failure.kind == "timeout"
    assert session.failure.message == f"no content came from {SHOWN_URL} for 20 seconds"


def test_keep_alive_comments_are_not_content() -> None:
    session = begin(EventFlow(limits=Limits(idle=20.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    for _ in range(19):
        session.deliver(BodyReceived(1, b": still here\n\n"), after=1)
        assert session.flow.deadline == NOW + 20
    session.deliver(BodyReceived(1, b": still here\n\n"), after=1)
    assert session.failure.kind == "timeout"


def test_content_moves_the_deadline_and_an_early_wake_up_reports_it() -> None:
    session = begin(EventFlow(limits=Limits(idle=20.0, total=100.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    assert session.deliver(BodyReceived(1, b"data: Hel\n\n"), after=15) == [TextDelta("Hel")]
    assert session.flow.deadline == NOW + 35
    # The driver still waits for the first deadline.
    assert session.deliver(Woken(), after=5) == [SendRequest(1, session.request, NOW + 35)]
    session.deliver(BodyReceived(1, b"data: Hello\n\n"), after=10)
    session.wake()
    assert session.now == NOW + 50
    assert (session.failure.kind, session.failure.text) == ("timeout", "Hello")


def test_content_does_not_move_the_end_of_the_flow() -> None:
    session = begin(EventFlow(limits=Limits(idle=20.0, total=30.0)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"data: a\n\n"), after=15)
    assert session.flow.deadline == NOW + 30
    session.deliver(BodyReceived(1, b"data: ab\n\n"), after=15)
    assert session.failure.message.startswith("not finished within 30 seconds")
    assert session.failure.text == "ab"


def test_a_status_is_content_as_well() -> None:
    session = begin(EventFlow(limits=Limits(idle=20.0)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"event: status\ndata: working\n\n"), after=15)
    assert session.flow.deadline == NOW + 35


@pytest.mark.parametrize("flow", [FetchFlow, TextFlow])
def test_a_late_head_is_a_timeout_even_without_woken(flow: type[ToyFlow]) -> None:
    session = begin(flow(limits=Limits(idle=20.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()), after=21)
    assert session.failure.kind == "timeout"


def test_a_dripping_body_is_a_timeout_even_without_woken() -> None:
    session = begin(FetchFlow(limits=Limits(idle=20.0, tries=1)))
    session.deliver(ResponseStarted(1, 200, ()))
    for _ in range(20):
        assert not session.is_over
        session.deliver(BodyReceived(1, b"x"), after=1)
    assert session.failure.kind == "timeout"


def test_a_total_time_of_zero() -> None:
    assert begin(FetchFlow(limits=Limits(total=0.0))).failure.kind == "timeout"
