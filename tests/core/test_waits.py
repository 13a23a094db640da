"""Each wait of a flow ends with its own event; every other event is ignored."""

from __future__ import annotations

from modelwire.commands import Finished, Sleep
from modelwire.events import BodyReceived, RequestFailed, ResponseEnded, ResponseStarted, Woken
from modelwire.limits import Limits
from modelwire.outputs import TextDelta
from played_flow import NOW, PlayedFlow, begin, say
from toy_flows import FetchFlow, SleepFlow, TextFlow


def test_events_before_start_are_ignored() -> None:
    session = PlayedFlow(FetchFlow())
    for event in (Woken(), ResponseStarted(1, 200, ()), BodyReceived(1, b"a"), ResponseEnded(1)):
        assert session.deliver(event) == []


def test_a_second_start_is_ignored() -> None:
    session = begin(FetchFlow())
    assert session.start() == []


def test_stale_events_are_ignored() -> None:
    session = begin(FetchFlow())
    session.respond(say("", 503))
    session.sleep_on()
    for event in (ResponseStarted(1, 200, ()), BodyReceived(1, b"old"), ResponseEnded(1), RequestFailed(1, "network")):
        assert session.deliver(event) == []
    session.respond(say("new"))
    assert session.text == "new"


def test_bytes_before_the_head_are_ignored() -> None:
    session = begin(TextFlow())
    assert session.deliver(BodyReceived(1, b"early")) == []
    session.respond(say("late"))
    assert session.text == "late"


def test_a_second_head_is_ignored() -> None:
    session = begin(TextFlow())
    session.deliver(ResponseStarted(1, 200, ()))
    assert session.deliver(ResponseStarted(1, 500, ())) == []
    session.respond(say("well"))
    assert session.succeeded


def test_the_clock_of_a_flow_never_goes_back() -> None:
    session = begin(SleepFlow(seconds=10))
    session.deliver(Woken(), after=-100)
    assert session.flow.now == NOW
    assert session.wait == Sleep(NOW + 10)


def test_a_sleep_ends_when_its_time_comes() -> None:
    session = begin(SleepFlow())
    assert session.log == [Sleep(NOW + 5)]
    assert session.deliver(Woken(), after=4.5) == [Sleep(NOW + 5)]
    assert session.deliver(Woken(), after=0.5) == [TextDelta("awake"), Finished(None)]


def test_a_sleep_is_not_longer_than_the_flow_may_last() -> None:
    session = begin(SleepFlow(seconds=100, limits=Limits(total=30.0)))
    assert session.wait == Sleep(NOW + 30)
    session.wake()
    assert session.is_over


def test_the_deadline_of_a_sleep() -> None:
    session = begin(SleepFlow())
    assert session.flow.deadline == NOW + 5
