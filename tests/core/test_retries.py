"""Which failures are retried, how often, and after which pause."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.commands import Sleep
from modelwire.errors import RateLimited
from modelwire.events import RequestFailed, ResponseStarted
from modelwire.flow import Steps
from modelwire.limits import Limits
from modelwire.outputs import TextDelta, TextReplaced
from modelwire.text import TextSink
from played_flow import NOW, Broken, Outcome, ScriptedResponse, begin, header, play, say
from toy_flows import CustomFlow, EventFlow, FetchFlow, JobFlow, TextFlow, play_until_sleep


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_transient_statuses_are_retried(status: int) -> None:
    session = play(TextFlow(), say("not now", status), say("Hello"))
    assert session.succeeded
    assert session.text == "Hello"


@pytest.mark.parametrize("kind", ["connect", "timeout", "network"])
def test_transient_failures_are_retried(kind: Any) -> None:
    session = play(TextFlow(), Broken(kind=kind), say("Hello"))
    assert session.succeeded
    assert session.text == "Hello"


def test_an_error_response_counts_even_if_its_body_is_cut_off() -> None:
    session = begin(FetchFlow())
    session.deliver(ResponseStarted(1, 429, (("retry-after", "60"),)))
    items = session.deliver(RequestFailed(1, "network", "cut off"))
    assert isinstance(items[-1], Sleep)
    assert items[-1].until >= session.now + 60
    refused = begin(FetchFlow())
    refused.deliver(ResponseStarted(1, 400, ()))
    refused.deliver(RequestFailed(1, "network", "cut off"))
    assert (refused.failure.kind, refused.failure.status) == ("status", 400)
    assert len(refused.requests) == 1


def test_an_answer_cut_off_before_its_first_character_is_retried() -> None:
    assert play(TextFlow(), say(b"\xe2\x82"), say("Hello")).text == "Hello"


@pytest.mark.parametrize(
    "response", [Broken(kind="protocol"), say("", 600), say("", 302), say("", 404), say("", 501 - 100), say("")]
)
def test_other_failures_are_not_retried(response: Outcome) -> None:
    session = play(TextFlow(), response)
    assert session.failure
    assert len(session.requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        Broken(kind="network", after=say("Hel")),
        Broken(kind="timeout", after=say("Hel")),
        Broken(kind="connect", after=say("Hel")),
        ScriptedResponse(body=b"Hel\xe2\x82"),
    ],
)
def test_nothing_is_retried_after_the_first_text(broken: Outcome) -> None:
    session = play(TextFlow(), broken)
    assert len(session.requests) == 1
    assert session.failure.text == "Hel"


def test_nothing_is_retried_after_text_was_replaced() -> None:
    body = b"data: Hello\n\ndata: Bye\n\n"
    session = play(EventFlow(), Broken(kind="network", after=say(body)))
    assert session.outputs == [TextDelta("Hello"), TextReplaced("Bye")]
    assert len(session.requests) == 1
    assert session.failure.text == "Bye"


def test_a_status_output_does_not_pass_the_commit_point() -> None:
    broken = Broken(kind="network", after=say(b"event: status\ndata: working\n\n"))
    assert play(EventFlow(), broken, say(b"data: Hi\n\nevent: end\ndata\n\n")).text == "Hi"


def test_silence_after_the_first_text_is_not_retried() -> None:
    session = begin(TextFlow())
    session.respond(ScriptedResponse(body=b"Hel", stays_open=True))
    session.wake()
    assert (session.failure.kind, session.failure.text) == ("timeout", "Hel")


def test_each_request_has_its_own_commit_point() -> None:
    def tell_and_ask(flow: CustomFlow) -> Steps:
        yield from flow.stream(flow.request, lambda: TextSink(flow.emit))
        yield from flow.fetch(flow.request)

    assert play(CustomFlow(steps=tell_and_ask), say("Hello"), say("", 503), say("")).succeeded


def test_a_request_has_at_most_three_attempts() -> None:
    session = play(FetchFlow(), *[say("busy", 503)] * 3)
    assert len(session.requests) == 3
    assert session.failure.status == 503


def test_the_number_of_attempts_is_a_limit() -> None:
    assert len(play(FetchFlow(limits=Limits(tries=1)), say("", 503)).requests) == 1
    assert len(play(FetchFlow(limits=Limits(tries=5)), *[say("", 503)] * 5).requests) == 5


def test_attempts_are_counted_for_each_request() -> None:
    session = play(JobFlow(), say("", 503), say("", 503), say(""), say("job"), say("", 503), say("", 503), say("done"))
    assert session.succeeded


def test_each_attempt_builds_a_new_request() -> None:
    session = begin(FetchFlow())
    session.deliver(RequestFailed(1, "network"), after=3)
    session.play(say("x"))
    first, second = session.requests
    assert header(first, "nonce") != header(second, "nonce")
    assert header(first, "time") == str(NOW)
    assert float(header(second, "time")) >= NOW + 3


def test_each_attempt_has_a_new_sink() -> None:
    # Half a character of the first try must not meet the other half in the second.
    session = play(TextFlow(), Broken(kind="network", after=say(b"\xe2\x82")), say(b"\xacuro"))
    assert session.text == "\ufffduro"
    session = play(
        EventFlow(), Broken(kind="network", after=say(b"data: Hel")), say(b"lo\n\ndata: Bye\n\nevent: end\ndata\n\n")
    )
    assert session.text == "Bye"


@given(st.binary(min_size=16, max_size=16))
def test_pauses_are_full_jitter_backoff(entropy: bytes) -> None:
    session = begin(FetchFlow(limits=Limits(tries=9)), entropy=entropy)
    bounds = []
    while not session.is_over:
        session.respond(say("", 500))
        if isinstance(session.wait, Sleep):
            bounds.append(session.wait.until - session.now)
        session.sleep_on()
    for pause, bound in zip(bounds, [0.5, 1, 2, 4, 8, 16, 30, 30], strict=True):
        assert 0 <= pause < bound + 1e-6


def test_pauses_are_spread_over_all_of_their_range() -> None:
    pauses = []
    for i in range(200):
        session = begin(FetchFlow(), entropy=b"%d" % i)
        session.respond(say("", 500))
        assert isinstance(session.wait, Sleep)
        pauses.append(session.wait.until - NOW)
    assert min(pauses) < 0.05
    assert max(pauses) > 0.45
    assert 0.2 < sum(pauses) / len(pauses) < 0.3


@pytest.mark.parametrize("value", ["7", "Tue, 14 Nov 2023 22:13:27 GMT"])
@pytest.mark.parametrize("status", [429, 503, 500])
def test_retry_after_is_obeyed(value: str, status: int) -> None:
    # NOW is 22:13:20.25 of that day.
    session = play_until_sleep(FetchFlow(), say("", status, retry_after=value))
    assert isinstance(session.wait, Sleep)
    assert NOW + 6.7 <= session.wait.until <= NOW + 7.5


def test_an_invalid_retry_after_is_ignored() -> None:
    session = play_until_sleep(FetchFlow(), say("", 503, retry_after="soon"))
    assert isinstance(session.wait, Sleep)
    assert session.wait.until < NOW + 0.5


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_over_the_limit_is_a_failure(status: int) -> None:
    session = play(FetchFlow(), say("", status, retry_after="3600"))
    failure = session.failure
    assert (failure.kind, failure.status, failure.retry_after) == ("rate_limited", status, 3600.0)
    assert "try again in 3600 seconds" in failure.message
    error = failure.exception()
    assert isinstance(error, RateLimited)
    assert error.retry_after == 3600


def test_a_retry_after_of_just_the_limit_is_obeyed() -> None:
    session = play_until_sleep(FetchFlow(), say("", 429, retry_after="120"))
    assert session.flow.deadline >= NOW + 120
    assert (
        begin(FetchFlow(limits=Limits(retry_after=119.0))).respond(say("", 429, retry_after="120"))[-1] != session.wait
    )


def test_retry_after_beyond_the_end_of_the_flow_is_not_waited_for() -> None:
    session = play(FetchFlow(limits=Limits(total=60.0)), say("", 429, retry_after="90"))
    assert session.failure.kind == "rate_limited"
    assert session.now == NOW


def test_a_429_without_retry_after_is_rate_limiting_as_well() -> None:
    session = play(FetchFlow(), *[say("", 429)] * 3)
    assert (session.failure.kind, session.failure.retry_after) == ("rate_limited", None)


def test_a_503_without_retry_after_is_not() -> None:
    assert play(FetchFlow(), *[say("", 503)] * 3).failure.kind == "status"
