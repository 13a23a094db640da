"""The stage of the kit: what happens between a flow and its emulator, and what does not."""

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
from modelwire.testing.faults.hostile import BODIES, VALUES, Bad, Lined, Repeated, Spliced, Valued, Whole, places_of
from modelwire.testing.faults.moves import FAULTS, make
from modelwire.testing.stage import FATAL_TROUBLE, Stage
from modelwire.testing.wire import Answer, pieces


def stage_of(flow: type[EchoChat | EchoImage] = EchoChat) -> Stage:
    return kit_for(flow).scenes()[0].stage()


def test_everything_goes_as_it_should() -> None:
    stage = stage_of()
    stage.finish()
    assert stage.outcome == ("Grüße an alle, die 世界 kennen 🐉 ", 0, None)
    assert [answer.status for answer in stage.answers] == [200, 200]
    assert stage.trouble == 0


def test_the_scenes_of_a_flow_that_keeps_credentials() -> None:
    scenes = kit_for(EchoChat).scenes()
    assert [repr(scene) for scene in scenes] == [
        "<scene: first>",
        "<scene: again>",
        "<scene: 40 minutes later>",
        "<scene: 30 days later>",
        "<scene: forgotten>",
    ]
    assert [len(scene.answers) for scene in scenes] == [2, 1, 1, 1, 1]


def test_what_is_paid_for_is_what_a_job_was_accepted_for() -> None:
    assert kit_for(EchoImage).scenes()[0].paid_for == {("POST", "/jobs")}
    assert kit_for(EchoChat).scenes()[0].paid_for == set()


def test_one_byte_after_the_other() -> None:
    stage = stage_of()
    assert stage.reach(1)
    stage.go_on()
    while not any(isinstance(item, TextDelta) for item in stage.session.items):
        stage.go_on(1)
    assert stage.session.steps[-1].event.data == b"\n"  # type: ignore[union-attr]


def test_no_request_of_that_number() -> None:
    assert not stage_of().reach(2)


def test_faults_are_nothing_to_what_is_over() -> None:
    stage = stage_of()
    stage.finish()
    outcome, requests = stage.outcome, len(stage.requests)
    make(FAULTS, stage)
    stage.cut_short()
    stage.answer(Answer(500))
    Break(0, 3, "end").play(stage)
    assert (stage.outcome, len(stage.requests)) == (outcome, requests)


def test_a_refusal_comes_before_a_head_or_not_at_all() -> None:
    stage = stage_of()
    make([Stage.go_on, Stage.go_on], stage)
    assert stage.has_head
    stage.refuse(503)
    assert stage.trouble == 0


def test_what_a_flow_can_bear_is_no_ruin() -> None:
    stage = stage_of()
    stage.go_on()
    stage.refuse(503, "7")
    assert isinstance(stage.session.wait, Sleep)
    assert stage.trouble == 1
    stage.go_on()
    assert isinstance(stage.session.wait, SendRequest)
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
        (0, lambda stage: stage.oversleep(2.0)),
        (0, lambda stage: stage.pass_time(-1.0)),
        (0, lambda stage: stage.forget()),
        (0, lambda stage: stage.cancel()),
        (0, lambda stage: stage.cut_short()),
        (3, lambda stage: stage.oversleep()),
        (3, lambda stage: stage.fail("network")),
    ],
)
def test_what_no_flow_can_bear(at: int, fault: Callable[[Stage], None]) -> None:
    stage = stage_of()
    stage.reach(1)
    make([lambda stage: stage.go_on(60)] * at, stage)
    fault(stage)
    assert stage.trouble >= FATAL_TROUBLE


def test_an_order_that_must_not_be_repeated_can_bear_no_more_than_a_connection_that_fails() -> None:
    for kind, trouble in (("connect", 1), ("network", FATAL_TROUBLE)):
        stage = stage_of(EchoImage)
        stage.reach(1)
        stage.fail(kind)  # type: ignore[arg-type]
        assert stage.trouble == trouble


def test_an_end_that_is_none() -> None:
    stage = stage_of()
    with pytest.raises(AssertionError, match="not over"):
        stage.check_outcome(stage.outcome)


# What a service should not send.


@pytest.mark.parametrize(
    ("change", "body"),
    [
        (Whole("a page"), BODIES["a page"]),
        (Valued(0, "true"), b'{true: 1, "b": "x"}'),
        (Valued(1, "nothing at all"), b'{"a": , "b": "x"}'),
        (Valued(6, "null"), b'{"a": 1, null: "x"}'),
        (Lined(0, 0), b""),
        (Lined(5, 2), b'{"a": 1, "b": "x"}' * 2),
        (Repeated(2), b'{"a": 1, "b": "x"}' * 2),
        (Spliced(1, 3, b"?"), b'{?: 1, "b": "x"}'),
        (Spliced(19, 1, b"?"), b'?"a": 1, "b": "x"}'),
    ],
)
def test_a_change(change: hostile.Change, body: bytes) -> None:
    assert change.of(b'{"a": 1, "b": "x"}') == body


def test_a_change_where_there_is_nothing_to_be_changed() -> None:
    assert Valued(3, "true").of(b"text") == VALUES["true"] + b"text"
    assert Lined(3, 2).of(b"") == b""


def test_the_places_where_there_are_values() -> None:
    body = b'{"id": 1, "words": ["a", "b"]}' + b"\n" + b'{"id": 2, "words": ["c", "d"]}'
    places = places_of(body)
    values = [Valued(place, "null").of(body) for place in places]
    # Of each kind the first and the last: of the ids, and of the words.
    assert body.replace(b"1", b"null") in values
    assert body.replace(b"2", b"null") in values
    assert body.replace(b'"a"', b"null") in values
    assert body.replace(b'"d"', b"null") in values
    assert places == sorted(set(places))
    assert len(places_of(b'{"id": 1, "words": ["a"]}\n' * 500)) < 20


def test_a_bad_answer_is_bad_only_where_it_says_so() -> None:
    good = Answer(200, (("a", "b"),), b"body", stays_open=True)
    assert Bad().instead_of(good) == good
    assert Bad(Whole("nothing"), 404, "never").instead_of(good) == (404, (("retry-after", "9" * 400),), b"", True)


def test_an_answer_is_shown_short() -> None:
    assert repr(Answer(200, (), b"x" * 100)) == f"Answer(status=200, body=b'{'x' * 40}'...)"
    assert repr(Answer(404, (), b"no")) == "Answer(status=404, body=b'no')"


def test_a_body_in_pieces() -> None:
    assert list(pieces(b"abcdef", [4, 1, 13])) == [b"a", b"bcd", b"ef", b""]


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
def test_the_name_of_none(name: str) -> None:
    assert not secrecy.SECRET_NAMES.fullmatch(name)


def test_every_character_in_digits() -> None:
    assert echoes.escaped("a🐉") == r"\u0061\ud83d\udc09"
    assert re.fullmatch(r"(\\u[0-9a-f]{4})*", echoes.escaped("Grüße"))
