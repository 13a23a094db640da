"""The stage of the kit: progress, faults and changes to responses."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from echo_service import EchoChat, EchoImage, kit_for
from modelwire.commands import SendRequest, Sleep
from modelwire.outputs import TextDelta
from modelwire.testing import secrecy
from modelwire.testing.faults import echoes, hostile
from modelwire.testing.faults.breaks import Break
from modelwire.testing.faults.hostile import (
    BODIES,
    VALUES,
    BadResponse,
    RepeatedBody,
    RepeatedLine,
    ReplacedBody,
    ReplacedValue,
    Splice,
    places_of,
)
from modelwire.testing.faults.moves import FAULTS, play_moves
from modelwire.testing.stage import FATAL_TROUBLE, Stage
from modelwire.testing.wire import ScriptedResponse, chunks_of


def stage_of(flow: type[EchoChat | EchoImage] = EchoChat) -> Stage:
    return kit_for(flow).scenes()[0].stage()


def test_a_session_without_faults() -> None:
    stage = stage_of()
    stage.finish()
    assert stage.outcome == ("Grüße an alle, die 世界 kennen 🐉 ", 0, None)
    assert [response.status for response in stage.responses] == [200, 200]
    assert stage.trouble == 0


def test_the_scenes_of_a_flow_whose_credentials_are_stored() -> None:
    scenes = kit_for(EchoChat).scenes()
    assert [repr(scene) for scene in scenes] == [
        "<scene: first>",
        "<scene: again>",
        "<scene: 40 minutes later>",
        "<scene: 30 days later>",
        "<scene: forgotten>",
    ]
    assert [len(scene.responses) for scene in scenes] == [2, 1, 1, 1, 1]


def test_the_paid_operations_are_those_that_a_job_was_accepted_for() -> None:
    assert kit_for(EchoImage).scenes()[0].paid_operations == {("POST", "/jobs")}
    assert kit_for(EchoChat).scenes()[0].paid_operations == set()


def test_a_body_can_arrive_byte_by_byte() -> None:
    stage = stage_of()
    assert stage.reach(1)
    stage.go_on()
    while not any(isinstance(item, TextDelta) for item in stage.watched.items):
        stage.go_on(1)
    assert stage.watched.calls[-1].event.data == b"\n"  # type: ignore[union-attr]


def test_a_request_that_is_never_sent_is_not_reached() -> None:
    assert not stage_of().reach(2)


def test_faults_after_the_end_change_nothing() -> None:
    stage = stage_of()
    stage.finish()
    outcome, requests = stage.outcome, len(stage.requests)
    play_moves(FAULTS, stage)
    stage.end_body_early()
    stage.respond(ScriptedResponse(500))
    Break(0, 3, "end").play(stage)
    assert (stage.outcome, len(stage.requests)) == (outcome, requests)


def test_a_response_that_has_begun_cannot_be_refused() -> None:
    stage = stage_of()
    play_moves([Stage.go_on, Stage.go_on], stage)
    assert stage.has_head
    stage.refuse(503)
    assert stage.trouble == 0


def test_faults_that_a_flow_must_get_over() -> None:
    stage = stage_of()
    stage.go_on()
    stage.refuse(503, "7")
    assert isinstance(stage.watched.wait, Sleep)
    assert stage.trouble == 1
    stage.go_on()
    assert isinstance(stage.watched.wait, SendRequest)
    stage.fail("network")
    assert stage.trouble == 2
    stage.finish()
    stage.check_outcome(kit_for(EchoChat).scenes()[0].outcome)


@pytest.mark.parametrize(
    ("at", "fault"),
    [
        (0, lambda stage: stage.fail("protocol")),
        (0, lambda stage: stage.refuse(404)),
        (0, lambda stage: stage.refuse(429, "100")),
        (0, lambda stage: stage.time_out(2.0)),
        (0, lambda stage: stage.pass_time(-1.0)),
        (0, lambda stage: stage.reset_service()),
        (0, lambda stage: stage.cancel()),
        (0, lambda stage: stage.end_body_early()),
        (3, lambda stage: stage.time_out()),
        (3, lambda stage: stage.fail("network")),
    ],
)
def test_faults_that_a_flow_need_not_get_over(at: int, fault: Callable[[Stage], None]) -> None:
    stage = stage_of()
    stage.reach(1)
    play_moves([lambda stage: stage.go_on(60)] * at, stage)
    fault(stage)
    assert stage.trouble >= FATAL_TROUBLE


def test_an_unrepeatable_request_must_get_over_a_failed_connection_alone() -> None:
    for kind, trouble in (("connect", 1), ("network", FATAL_TROUBLE)):
        stage = stage_of(EchoImage)
        stage.reach(1)
        stage.fail(kind)  # type: ignore[arg-type]
        assert stage.trouble == trouble


def test_the_outcome_of_an_unfinished_flow_cannot_be_checked() -> None:
    stage = stage_of()
    with pytest.raises(AssertionError, match="the flow has not finished"):
        stage.check_outcome(stage.outcome)


# Bad responses.


@pytest.mark.parametrize(
    ("change", "body"),
    [
        (ReplacedBody("a page"), BODIES["a page"]),
        (ReplacedValue(0, "true"), b'{true: 1, "b": "x"}'),
        (ReplacedValue(1, "nothing at all"), b'{"a": , "b": "x"}'),
        (ReplacedValue(6, "null"), b'{"a": 1, null: "x"}'),
        (RepeatedLine(0, 0), b""),
        (RepeatedLine(5, 2), b'{"a": 1, "b": "x"}' * 2),
        (RepeatedBody(2), b'{"a": 1, "b": "x"}' * 2),
        (Splice(1, 3, b"?"), b'{?: 1, "b": "x"}'),
        (Splice(19, 1, b"?"), b'?"a": 1, "b": "x"}'),
    ],
)
def test_a_change(change: hostile.Change, body: bytes) -> None:
    assert change.apply(b'{"a": 1, "b": "x"}') == body


def test_a_change_to_a_body_that_has_nothing_to_change() -> None:
    assert ReplacedValue(3, "true").apply(b"text") == VALUES["true"] + b"text"
    assert RepeatedLine(3, 2).apply(b"") == b""


def test_the_places_of_json_values() -> None:
    body = b'{"id": 1, "words": ["a", "b"]}' + b"\n" + b'{"id": 2, "words": ["c", "d"]}'
    places = places_of(body)
    values = [ReplacedValue(place, "null").apply(body) for place in places]
    # The first and the last of each kind: ids and words.
    assert body.replace(b"1", b"null") in values
    assert body.replace(b"2", b"null") in values
    assert body.replace(b'"a"', b"null") in values
    assert body.replace(b'"d"', b"null") in values
    assert places == sorted(set(places))
    assert len(places_of(b'{"id": 1, "words": ["a"]}\n' * 500)) < 20


def test_a_bad_response_changes_only_what_it_names() -> None:
    good = ScriptedResponse(200, (("a", "b"),), b"body", stays_open=True)
    assert BadResponse().apply(good) == good
    assert BadResponse(ReplacedBody("nothing"), 404, "retry never").apply(good) == (
        404,
        (("retry-after", "9" * 400),),
        b"",
        True,
    )


def test_the_repr_of_a_response_is_short() -> None:
    assert repr(ScriptedResponse(200, (), b"x" * 100)) == f"ScriptedResponse(status=200, body=b'{'x' * 40}'...)"
    assert repr(ScriptedResponse(404, (), b"no")) == "ScriptedResponse(status=404, body=b'no')"


def test_a_body_is_cut_into_chunks() -> None:
    assert list(chunks_of(b"abcdef", [4, 1, 13])) == [b"a", b"bcd", b"ef", b""]


# Secrets.


@pytest.mark.parametrize(
    "name",
    ["Authorization", "cookie", "x-api-key", "apiKey", "key", "id_token", "sessionId", "yy_signature", "password"],
)
def test_the_name_of_a_secret(name: str) -> None:
    assert secrecy.SECRET_NAMES.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["accept", "token_type", "tokenType", "expires_in", "session_expires", "monkey", "nonce"]
)
def test_a_name_that_is_not_that_of_a_secret(name: str) -> None:
    assert not secrecy.SECRET_NAMES.fullmatch(name)


def test_every_character_is_escaped() -> None:
    assert echoes.escaped("a🐉") == r"\u0061\ud83d\udc09"
    assert re.fullmatch(r"(\\u[0-9a-f]{4})*", echoes.escaped("Grüße"))
