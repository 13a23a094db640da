"""ARTA's jobs: submitted once, polled, and continued from a snapshot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arta_sessions import (
    API_KEY,
    GENERATING,
    KEY_ALONE,
    REFRESHED,
    SIGN_UP,
    SIGN_UP_URL,
    SIGNED_UP,
    STATUS,
    STATUS_URL,
    SUBMIT,
    SUBMIT_URL,
    SUBMITTED,
    WAITING,
    arta,
    calls,
    done,
    issued,
    polled,
    status,
)
from modelwire.commands import Sleep
from modelwire.errors import InDoubt
from modelwire.events import Cancel
from modelwire.limits import Limits
from modelwire.outputs import ImageReady, JobAccepted, StatusChanged
from modelwire.providers.arta import ArtaImage, ArtaOptions
from played_flow import NOW, Broken, PlayedFlow, begin, form, play, say, say_json, through_json


def test_a_job_whose_fate_is_unknown_is_in_doubt() -> None:
    for response in (Broken(kind="network"), Broken(kind="timeout"), say("", 502), say("<html>")):
        session = play(arta(), response)
        assert session.failure.kind == "in_doubt"
        assert calls(session) == [SUBMIT]


def test_a_submission_that_did_not_connect_is_retried() -> None:
    assert play(arta(), Broken(kind="connect"), SUBMITTED, done()).succeeded


@pytest.mark.parametrize("refusal", [400, 402, 429])
def test_a_job_that_is_refused_is_definite(refusal: int) -> None:
    session = play(arta(), say_json({"detail": "too many dragons"}, refusal))
    assert session.failure.status == refusal
    assert session.failure.kind in ("status", "rate_limited")
    assert "too many dragons" in session.failure.message


@pytest.mark.parametrize("body", [{"detail": "NSFW"}, {"error": {"message": "NSFW"}}, {"message": "NSFW"}])
def test_a_job_that_the_service_refuses_in_its_body(body: dict[str, Any]) -> None:
    session = play(arta(), say_json(body))
    assert session.failure.kind == "job_failed"
    assert session.failure.message == "the service did not accept the job: NSFW"
    assert session.outputs == []
    # The service has refused the job, so nothing is in doubt.
    assert json.loads(session.flow.snapshot())["in_doubt"] is False


@pytest.mark.parametrize("body", [{}, {"record_id": None}, {"record_id": ""}, {"job": "1"}])
def test_a_response_without_an_id_is_in_doubt(body: dict[str, Any]) -> None:
    session = play(arta(), say_json(body))
    assert session.failure.kind == "in_doubt"
    assert "the id of the job is missing" in session.failure.message
    assert session.outputs == []


@pytest.mark.parametrize(
    "record_id",
    [
        "a/b",
        "..",
        ".",
        "...",
        "a/../b",
        "a\r\nx: y",
        "a\n",
        "a b",
        "a?b",
        "a#b",
        "a%2fb",
        "ж",
        "a\\b",
        "a@b",
        "x" * 201,
    ],
)
def test_a_record_id_that_is_unsafe_in_a_url_is_refused(record_id: str) -> None:
    session = play(arta(), say_json({"record_id": record_id}))
    assert session.failure.kind == "in_doubt"
    assert "the id of the job is missing, or not safe in a URL" in session.failure.message
    assert record_id not in session.failure.message or record_id in (".", "..")
    assert calls(session) == [SUBMIT]


@pytest.mark.parametrize("record_id", ["a", "A-1_b.c~d", "..a", 5, "x" * 200, "01234567-89ab-cdef-0123-456789abcdef"])
def test_record_ids_that_are_safe_in_a_url(record_id: str | int) -> None:
    session = play(arta(), say_json({"record_id": record_id}))
    assert session.outputs == [JobAccepted(str(record_id))]
    assert session.request.url == f"{SUBMIT_URL}/{record_id}/status"


def test_record_id_of_another_type() -> None:
    assert play(arta(), say_json({"record_id": ["x"]})).failure.kind == "in_doubt"


def test_the_status_is_requested_every_two_seconds() -> None:
    session = begin(arta())
    session.respond(SUBMITTED)
    for _ in range(3):
        session.respond(status("IN_QUEUE"))
        assert session.wait == Sleep(session.now + 2)
        session.sleep_on()
    options = ArtaOptions(poll_interval=0.5)
    assert polled_once(options).wait == Sleep(NOW + 0.5)


def polled_once(options: ArtaOptions) -> PlayedFlow:
    session = begin(arta(options=options))
    session.respond(SUBMITTED)
    session.respond(status("IN_QUEUE"))
    return session


@pytest.mark.parametrize(
    ("seen", "emitted"),
    [
        ([], []),
        (["IN_QUEUE"], [WAITING]),
        (["IN_QUEUE"] * 3, [WAITING]),
        (["IN_PROGRESS"], [GENERATING]),
        (["IN_QUEUE", "IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS"], [WAITING, GENERATING]),
        (["IN_PROGRESS", "IN_QUEUE", "IN_PROGRESS"], [GENERATING, WAITING, GENERATING]),
    ],
)
def test_each_status_is_emitted_once_when_it_changes(seen: list[str], emitted: list[StatusChanged]) -> None:
    session = polled(*map(status, seen), done())
    assert session.all(StatusChanged) == [*emitted, StatusChanged("done", f"Generated in {2 * len(seen):.1f} s")]


def test_a_status_is_not_emitted_again_after_a_refresh() -> None:
    session = polled(status("IN_QUEUE"), say("", 401), REFRESHED, status("IN_QUEUE"), done())
    assert session.all(StatusChanged)[:-1] == [WAITING]


def test_all_images_are_emitted_in_order() -> None:
    urls = ["https://images.example/b", "https://images.example/a", "https://images.example/b"]
    assert polled(done(*urls)).all(ImageReady) == [ImageReady(url, index) for index, url in enumerate(urls)]


@pytest.mark.parametrize(
    "body", [{"status": "DONE"}, {"status": "DONE", "response": []}, {"status": "DONE", "response": None}]
)
def test_done_without_an_image_is_a_failure(body: dict[str, Any]) -> None:
    session = polled(say_json(body))
    assert (session.failure.kind, session.failure.message) == ("job_failed", "the job is done, but there is no image")
    assert session.failure.snapshot is None


@pytest.mark.parametrize("name", ["FAILED", "CANCELLED", "NSFW", "", "done", "In_Queue"])
def test_any_other_status_is_a_failure_that_names_it(name: str) -> None:
    session = polled(status("IN_QUEUE"), status(name))
    assert session.failure.kind == "job_failed"
    assert session.failure.message == f"the job ended with status {name!r}"
    assert session.failure.snapshot is None, "there is nothing to continue"


def test_a_status_is_named_in_few_printable_characters() -> None:
    message = polled(status("\x1b[31m" + "X" * 1000)).failure.message
    assert message.isprintable()
    assert len(message) < 100


@pytest.mark.parametrize(
    ("body", "path"),
    [({}, "status"), ({"status": 5}, "$.status"), ({"status": "DONE", "response": [{}]}, "$.response[0]")],
)
def test_a_status_of_another_shape_is_a_failure_with_the_job_in_it(body: dict[str, Any], path: str) -> None:
    failure = polled(say_json(body)).failure
    assert failure.kind == "protocol"
    assert path in failure.message
    assert failure.snapshot is not None


def test_defect_polling_has_a_deadline_and_its_failure_can_be_restored() -> None:
    session = polled(*[status("IN_PROGRESS")] * 150)
    assert session.failure.kind == "timeout"
    assert session.now == NOW + 300
    assert session.failure.snapshot is not None
    assert "issued-id-token" not in session.failure.snapshot
    flow = ArtaImage.restore(session.failure.snapshot, credentials=issued(-300))
    restored = play(flow, status("IN_PROGRESS"), done(), now=NOW + 400)
    assert calls(restored) == [STATUS, STATUS]
    assert restored.all(StatusChanged) == [GENERATING, StatusChanged("done", "Generated in 402.0 s")]
    assert restored.succeeded


def test_the_deadline_is_a_limit() -> None:
    assert polled(*[status("IN_QUEUE")] * 5, limits=Limits(total=10.0)).failure.kind == "timeout"


def test_status_requests_are_retried() -> None:
    assert polled(say("", 502), Broken(kind="network"), done()).succeeded


def test_after_job_accepted_nothing_is_paid_for_twice() -> None:
    responses = [SUBMITTED, status("IN_QUEUE"), status("IN_PROGRESS")]
    for count in range(1, len(responses) + 1):
        session = play(arta(model="gpt-image"), *responses[:count])
        restored = play(through_json(session.flow, issued(10)), status("IN_PROGRESS"), done())
        assert calls(restored) == [STATUS, STATUS]
        assert restored.all(ImageReady) == [ImageReady("https://images.example/1.png", 0)]


def test_a_submission_without_a_token_gets_one_first() -> None:
    session = begin(arta())
    snapshot = session.flow.snapshot().replace('"in_doubt":true', '"in_doubt":false')
    restored = play(ArtaImage.restore(snapshot, credentials=KEY_ALONE), SIGNED_UP, SUBMITTED, done())
    assert calls(restored) == [SIGN_UP, SUBMIT, STATUS]


@pytest.mark.parametrize(
    "url",
    [
        *("/images/1.png", "ftp://images.example/1.png", "https://", ""),
        # A download could not fetch these, so the flow must refuse them before the job is forgotten.
        *("gopher://images.example:70/1.png", "//images.example:80/1.png", "https://images.example/a\r\nX-Evil: 1"),
        *("https://[::1/1.png", "https://images.example:99999/1.png"),
        *("https://images.example/a b", "https://images.example/\0", "https://images.example/\u00e9"),
    ],
)
def test_an_image_without_a_valid_url_is_a_failure_with_a_snapshot(url: str) -> None:
    session = polled(done(url))
    assert session.failure.kind == "protocol"
    assert session.failure.snapshot
    assert session.all(ImageReady) == []


def test_a_job_can_be_continued_with_the_key_alone() -> None:
    session = polled(status("IN_QUEUE"))
    restored = play(through_json(session.flow, KEY_ALONE), SIGNED_UP, done())
    assert calls(restored) == [SIGN_UP, STATUS]
    assert restored.succeeded


def test_a_submission_is_in_doubt_after_a_crash() -> None:
    session = begin(arta(model="gpt-image"))
    with pytest.raises(InDoubt):
        through_json(session.flow, issued(10))
    again = begin(through_json(session.flow, issued(10), resend=True), entropy=b"other")
    assert form(again.request) == form(session.request), "the same style and the same seed"


def test_a_cancelled_job_can_be_continued() -> None:
    session = polled(status("IN_QUEUE"))
    session.deliver(Cancel())
    assert session.failure.kind == "cancelled"
    assert session.failure.snapshot is not None
    assert play(ArtaImage.restore(session.failure.snapshot, credentials=issued(10)), done()).succeeded


def test_no_secret_is_in_a_snapshot_or_a_message() -> None:
    session = play(arta(credentials=KEY_ALONE), SIGNED_UP, SUBMITTED)
    session.respond(say(f"bad id-token-1 refresh-token-1 {API_KEY} AIza%2Fkey%2B1%3D", 400))
    failure = session.failure
    assert failure.message == f"{STATUS_URL} answered with status 400: bad [secret] [secret] [secret] [secret]"
    assert failure.snapshot is not None
    for text in (failure.snapshot, repr(session.flow), repr(session.log), repr(issued(10))):
        assert "token-1" not in text
        assert "AIza" not in text


def test_the_key_is_not_in_the_message_of_a_sign_up_that_failed() -> None:
    failure = play(arta(credentials=KEY_ALONE), say("", 400)).failure
    assert failure.message == SIGN_UP_URL.partition("?")[0] + " answered with status 400"
