"""Snapshots: what they hold, and what a restored flow does."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.commands import Finished, SendRequest
from modelwire.download import ImageDownload
from modelwire.errors import InDoubt, InvalidInput, SnapshotError
from modelwire.events import Cancel, Woken
from modelwire.flow import Steps
from modelwire.limits import Limits
from modelwire.outputs import Restarted
from played_flow import NOW, ScriptedResponse, begin, header, play, say, shown, through_json
from toy_flows import FetchFlow, JobFlow, TextFlow


def test_a_snapshot_is_one_line_of_json() -> None:
    snapshot = begin(JobFlow(order="a cat")).flow.snapshot()
    assert "\n" not in snapshot
    assert json.loads(snapshot) == {
        "flow": "JobFlow",
        "version": 1,
        "phase": "start",
        "fields": {"order": "a cat", "job": ""},
        "request_id": 1,
        "text_delivered": False,
        "in_doubt": False,
        "job_id": "",
    }


def test_a_snapshot_holds_no_credentials_and_no_limits() -> None:
    session = begin(JobFlow(credentials={"token": "T-12345678"}, limits=Limits(total=7.0)))
    assert "T-12345678" not in session.flow.snapshot()
    assert through_json(session.flow).credentials is None
    assert through_json(session.flow).limits == Limits()


def test_a_flow_is_continued_with_credentials_and_limits_of_its_own() -> None:
    flow = JobFlow.restore(JobFlow().snapshot(), credentials={"token": "T-12345678"}, limits=Limits(total=7.0))
    assert flow.credentials == {"token": "T-12345678"}
    assert "T-12345678" in flow.secrets
    assert flow.limits.total == 7


def test_a_snapshot_may_be_text_or_bytes() -> None:
    snapshot = JobFlow(order="a cat").snapshot()
    assert JobFlow.restore(snapshot) == JobFlow.restore(snapshot.encode()) == JobFlow(order="a cat")


def test_a_restored_job_continues_and_is_not_paid_for_twice() -> None:
    session = play(JobFlow(), say(""), say("job-1"), say("wait"))
    flow = through_json(session.flow)
    assert isinstance(flow, JobFlow)
    assert flow.job == "job-1"
    restored = play(flow, say("done"))
    assert restored.succeeded
    assert len(restored.requests) == 1


def test_changes_of_an_unfinished_phase_are_not_in_the_snapshot() -> None:
    def change_and_wait(flow: JobFlow) -> Steps:
        flow.order = "changed"
        yield from flow.fetch(flow.request)

    class Changing(JobFlow):
        def start(self) -> Steps:
            return change_and_wait(self)

    session = begin(Changing())
    assert json.loads(session.flow.snapshot())["fields"]["order"] == "one dragon"


def test_a_snapshot_before_the_start() -> None:
    assert play(through_json(FetchFlow()), say("x")).succeeded


def test_a_snapshot_of_a_finished_flow_finishes_at_once() -> None:
    session = play(JobFlow(), say(""), say("job-1"), say("done"))
    assert begin(through_json(session.flow)).log == [Finished(None)]


def test_a_restored_finished_answer_does_not_restart() -> None:
    # Nothing is sent again, so the shown text stays.
    session = play(TextFlow(), say("Hello"))
    assert begin(through_json(session.flow)).log == [Finished(None)]


def test_a_restored_flow_counts_its_time_from_its_own_start() -> None:
    session = play(JobFlow(), say(""), say("job-1"))
    session.deliver(Woken(), after=200)
    session.play()
    later = NOW + 100_000
    restored = begin(through_json(session.flow), now=later)
    assert restored.flow.deadline == later + 120
    while not restored.is_over:
        restored.respond(say("wait"))
        restored.sleep_on()
    assert restored.now == later + 300


def test_a_restored_flow_that_had_emitted_text_begins_with_restarted() -> None:
    session = begin(TextFlow())
    session.respond(ScriptedResponse(body=b"Hel", stays_open=True))
    restored = begin(through_json(session.flow))
    assert restored.log[0] == Restarted()
    restored.respond(say("Hello"))
    assert restored.text == "Hello"
    assert shown(session.log + restored.log) == "Hello"


def test_restarted_is_emitted_once_after_any_number_of_snapshots() -> None:
    session = begin(TextFlow())
    session.respond(ScriptedResponse(body=b"Hel", stays_open=True))
    again = through_json(through_json(session.flow))
    restored = begin(again)
    assert restored.outputs == [Restarted()]
    # `Restarted` has been emitted: nothing is shown now that a later restore would have to take back.
    assert begin(through_json(restored.flow)).outputs == []


def test_a_restored_flow_without_earlier_output_does_not_restart() -> None:
    assert begin(through_json(begin(TextFlow()).flow)).outputs == []


def test_a_restored_flow_draws_other_numbers_even_from_the_same_entropy() -> None:
    session = begin(FetchFlow())
    restored = begin(through_json(session.flow))
    assert header(session.request, "nonce") != header(restored.request, "nonce")


def test_a_restored_flow_continues_the_request_ids() -> None:
    assert isinstance(wait := begin(through_json(begin(FetchFlow()).flow)).wait, SendRequest)
    assert wait.request_id == 2


def test_the_failure_of_a_running_job_holds_its_snapshot() -> None:
    session = play(JobFlow(limits=Limits(total=10.0)), say(""), say("job-1"), *[say("wait")] * 5)
    assert session.failure.kind == "timeout"
    assert session.failure.snapshot is not None
    restored = play(JobFlow.restore(session.failure.snapshot), say("done"))
    assert restored.succeeded


def test_a_restored_job_is_still_a_job_when_it_fails_again() -> None:
    session = play(JobFlow(), say(""), say("job-1"))
    restored = begin(through_json(session.flow))
    restored.deliver(Cancel())
    assert restored.failure.snapshot is not None


def test_a_flow_without_a_job_has_no_snapshot_in_its_failure() -> None:
    assert play(JobFlow(), say("", 404)).failure.snapshot is None


GOOD = json.loads(JobFlow().snapshot())


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        "\udc80",
        b"\xff",
        '{"flow": "\\ud800"}',
        "[" * 100_000,
        json.dumps(GOOD | {"version": "1"}),
        json.dumps(GOOD | {"fields": None}),
        json.dumps(GOOD | {"fields": {"order": 5, "job": ""}}),
        json.dumps(GOOD | {"fields": {"order": "x"}}),
        json.dumps(GOOD | {"request_id": "x"}),
        json.dumps(GOOD | {"request_id": -1}),
        json.dumps(GOOD | {"request_id": 10**30}),
        json.dumps({key: value for key, value in GOOD.items() if key != "phase"}),
    ],
)
def test_a_damaged_snapshot_is_refused(damaged: str | bytes) -> None:
    with pytest.raises(SnapshotError):
        JobFlow.restore(damaged)


@given(st.data())
def test_a_snapshot_with_any_byte_changed_is_refused_or_works(data: st.DataObject) -> None:
    session = play(JobFlow(), say(""), say("job-1"), say("wait"))
    snapshot = bytearray(session.flow.snapshot().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        snapshot[data.draw(st.integers(0, len(snapshot) - 1))] = data.draw(st.integers(0, 255))
    try:
        flow = JobFlow.restore(bytes(snapshot))
    except (SnapshotError, InDoubt):
        return
    assert begin(flow).log
    assert JobFlow.restore(flow.snapshot(), resend=True)


def test_a_snapshot_of_another_flow_is_refused() -> None:
    with pytest.raises(SnapshotError, match="a snapshot of 'FetchFlow', not of 'JobFlow'"):
        JobFlow.restore(FetchFlow().snapshot())


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(SnapshotError, match="version 2, and this JobFlow reads version 1"):
        JobFlow.restore(json.dumps(GOOD | {"version": 2}))


@pytest.mark.parametrize(
    ("old", "new"), [('"version": 1', f'"version": {"9" * 4000}'), ('"start"', '"' + "x" * 4000 + '"')]
)
def test_a_refusal_of_a_snapshot_is_short(old: str, new: str) -> None:
    whole = json.dumps(GOOD)
    assert old in whole
    with pytest.raises(SnapshotError) as info:
        JobFlow.restore(whole.replace(old, new))
    assert len(str(info.value)) < 400


def test_a_refusal_of_the_fields_of_a_snapshot_is_short() -> None:
    given = json.dumps(json.loads(ImageDownload(url="https://a.example/", provider_url="https://a.example").snapshot()))
    with pytest.raises(SnapshotError) as info:
        ImageDownload.restore(given.replace("https://a.example/", "x" * 4000))
    assert len(str(info.value)) < 400


@pytest.mark.parametrize(
    "phase",
    ["", "nothing", "fetch", "stream", "sleep", "_try", "__init__", "handle", "request", "order", "snapshot", "now"],
)
def test_a_name_that_is_not_a_phase_is_refused(phase: str) -> None:
    with pytest.raises(SnapshotError, match="has no phase"):
        JobFlow.restore(json.dumps(GOOD | {"phase": phase}))


def test_invalid_input_in_a_snapshot_is_refused() -> None:
    @dataclass(kw_only=True)
    class Choosy(FetchFlow):
        word: str = "good"

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.word != "good":
                raise InvalidInput("a bad word")

    snapshot = Choosy().snapshot()
    assert Choosy.restore(snapshot).word == "good"
    with pytest.raises(SnapshotError, match="a bad word"):
        Choosy.restore(snapshot.replace("good", "evil"))
