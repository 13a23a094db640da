"""ARTA, as its app speaks to it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from modelwire.commands import AbortRequest, Sleep
from modelwire.errors import InDoubt, InvalidInput
from modelwire.events import Cancel, CredentialsReplaced
from modelwire.limits import Limits
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, LoginRequired, StatusChanged
from modelwire.provider import parse_options
from modelwire.providers.arta import PROVIDER, ArtaCredentials, ArtaEndpoints, ArtaImage, ArtaOptions
from played_flow import (
    NOW,
    Broken,
    Outcome,
    ScriptedResponse,
    Session,
    begin,
    form,
    header_map,
    play,
    say,
    say_json,
    through_json,
)

API_KEY = "AIza/key+1="
SIGN_UP_URL = "https://www.googleapis.com/identitytoolkit/v3/relyingparty/signupNewUser?key=AIza%2Fkey%2B1%3D"
REFRESH_URL = "https://securetoken.googleapis.com/v1/token?key=AIza%2Fkey%2B1%3D"
SUBMIT_URL = "https://img-gen-prod.ai-arta.com/api/v1/text2image"
STATUS_URL = f"{SUBMIT_URL}/record-1/status"

SIGNED_UP = say_json(
    {"kind": "x", "idToken": "id-token-1", "refreshToken": "refresh-token-1", "expiresIn": "3600", "localId": "y"}
)
REFRESHED = say_json(
    {"id_token": "id-token-2", "refresh_token": "refresh-token-2", "expires_in": "7200", "user_id": "y"}
)
SUBMITTED = say_json({"record_id": "record-1"})
WAITING = StatusChanged("waiting", "Waiting")
GENERATING = StatusChanged("generating", "Generating")

KEY_ALONE = ArtaCredentials(api_key=API_KEY)


def kept(age: float, expires_in: float = 3600.0, **fields: Any) -> ArtaCredentials:
    """Credentials that were issued that many seconds ago."""
    defaults: dict[str, Any] = {"api_key": API_KEY, "id_token": "kept-id-token", "refresh_token": "kept-refresh-token"}
    return ArtaCredentials(**defaults | fields, issued_at=NOW - age, expires_in=expires_in)


def arta(prompt: str = "a dragon", **fields: Any) -> ArtaImage:
    given: dict[str, Any] = {"credentials": kept(age=10)}
    return ArtaImage(prompt=prompt, **given | fields)


def status(name: str, *urls: str) -> ScriptedResponse:
    return say_json({"status": name, "response": [{"url": url} for url in urls], "record_id": "record-1"})


def done(*urls: str) -> ScriptedResponse:
    return status("DONE", *(urls or ("https://images.example/1.png",)))


def polled(*replies: Outcome, **fields: Any) -> Session:
    """A session whose job was taken, and whose status came like this."""
    return play(arta(**fields), SUBMITTED, *replies)


def calls(session: Session) -> list[tuple[str, str]]:
    return [(request.method, request.url) for request in session.requests]


SIGN_UP, REFRESH, SUBMIT, STATUS = (
    ("POST", SIGN_UP_URL),
    ("POST", REFRESH_URL),
    ("POST", SUBMIT_URL),
    ("GET", STATUS_URL),
)


# The steps.


def test_the_steps_of_a_new_account() -> None:
    session = play(arta(credentials=KEY_ALONE), SIGNED_UP, SUBMITTED, status("IN_QUEUE"), status("IN_PROGRESS"), done())
    assert calls(session) == [SIGN_UP, SUBMIT, STATUS, STATUS, STATUS]
    assert session.outputs == [
        CredentialsChanged(
            {
                "api_key": API_KEY,
                "id_token": "id-token-1",
                "refresh_token": "refresh-token-1",
                "expires_in": 3600.0,
                "issued_at": NOW,
            }
        ),
        JobAccepted("record-1"),
        WAITING,
        GENERATING,
        StatusChanged("done", "Generated in 4.0 s"),
        ImageReady("https://images.example/1.png", 0),
    ]
    assert session.succeeded


def test_signing_up() -> None:
    request = begin(arta(credentials=KEY_ALONE)).request
    assert header_map(request) == {"content-type": "application/json"}
    assert json.loads(request.body) == {"clientType": "CLIENT_TYPE_ANDROID"}


def test_refreshing() -> None:
    session = begin(arta(credentials=kept(age=1800)))
    assert calls(session) == [REFRESH]
    assert header_map(session.request) == {"content-type": "application/x-www-form-urlencoded"}
    assert form(session.request) == [("grant_type", "refresh_token"), ("refresh_token", "kept-refresh-token")]


def test_submitting() -> None:
    request = begin(arta("Дракон & friends", options=ArtaOptions(seed=12345))).request
    assert header_map(request) == {
        "authorization": "kept-id-token",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert form(request) == [
        ("prompt", "Дракон & friends"),
        ("negative_prompt", "blurry, deformed hands, ugly"),
        ("style", "Flux"),
        ("images_num", "1"),
        ("cfg_scale", "7"),
        ("steps", "30"),
        ("aspect_ratio", "1:1"),
        ("seed", "12345"),
    ]
    assert not request.repeatable


def test_polling() -> None:
    request = polled().request
    assert (request.method, request.url) == STATUS
    assert header_map(request) == {"authorization": "kept-id-token"}
    assert request.body == b""
    assert request.repeatable


def test_the_options() -> None:
    options = ArtaOptions(
        negative_prompt="", n=4, cfg_scale=7.5, steps=50, aspect_ratio="16:9", seed=0, client_type="IOS"
    )
    session = play(arta(credentials=KEY_ALONE, options=options), SIGNED_UP)
    assert json.loads(session.requests[0].body) == {"clientType": "IOS"}
    assert dict(form(session.request)) == {
        "prompt": "a dragon",
        "negative_prompt": "",
        "style": "Flux",
        "images_num": "4",
        "cfg_scale": "7.5",
        "steps": "50",
        "aspect_ratio": "16:9",
        "seed": "0",
    }


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("n", ["1", "100"], ["0", "101", "1.5"]),
        ("steps", ["1"], ["0", "many"]),
        ("cfg_scale", ["0", "7.5"], ["-1"]),
        ("aspect_ratio", ["16:9", "1:1"], ["wide", "16", "16:9:4", ":", "1\n:1", "1:1\n"]),
        ("seed", ["0", "99999999"], ["-1"]),
        ("poll_interval", ["0.1"], ["0", "0.05", "-2"]),
    ],
)
def test_what_options_may_be(name: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert begin(arta(options=parse_options(ArtaOptions, {name: text}))).requests
    for text in bad:
        with pytest.raises(InvalidInput, match=name):
            parse_options(ArtaOptions, {name: text})


def test_the_endpoints_are_fields() -> None:
    base = "http://127.0.0.1:8000/arta"
    endpoints = ArtaEndpoints(identity=base, token=base, images=base)
    session = play(arta(credentials=KEY_ALONE, endpoints=endpoints), SIGNED_UP, SUBMITTED)
    assert [request.url.partition("?")[0] for request in session.requests] == [
        f"{base}/identitytoolkit/v3/relyingparty/signupNewUser",
        f"{base}/api/v1/text2image",
        f"{base}/api/v1/text2image/record-1/status",
    ]
    refresh = begin(arta(credentials=kept(age=1800), endpoints=endpoints)).request
    assert refresh.url == f"{base}/v1/token?key=AIza%2Fkey%2B1%3D"


def test_the_seed_is_drawn_between_9999_and_99999999() -> None:
    seeds = [int(dict(form(begin(arta(), entropy=b"%d" % i).request))["seed"]) for i in range(300)]
    assert all(9999 <= seed <= 99999999 for seed in seeds)
    assert min(seeds) < 5_000_000
    assert max(seeds) > 95_000_000
    assert len(set(seeds)) > 290


# Credentials and their age.


@pytest.mark.parametrize("age", [-300, -10, 0, 10, 1799])
def test_younger_than_half_their_life_they_are_used(age: float) -> None:
    session = begin(arta(credentials=kept(age)))
    assert calls(session) == [SUBMIT]
    assert session.outputs == []


@pytest.mark.parametrize("age", [1800, 2700, 3599])
def test_between_half_and_the_end_they_are_refreshed(age: float) -> None:
    session = play(arta(credentials=kept(age)), REFRESHED)
    assert calls(session) == [REFRESH, SUBMIT]
    assert header_map(session.request)["authorization"] == "id-token-2"


@pytest.mark.parametrize("age", [3600, 10**9, -301, -(10**9)])
def test_after_the_end_they_are_made_anew(age: float) -> None:
    session = play(arta(credentials=kept(age)), SIGNED_UP)
    assert calls(session) == [SIGN_UP, SUBMIT]
    assert header_map(session.request)["authorization"] == "id-token-1"


@pytest.mark.parametrize("held", [KEY_ALONE, kept(10, id_token=""), kept(1800, refresh_token="")])
def test_what_is_not_whole_is_made_anew(held: ArtaCredentials) -> None:
    assert calls(begin(arta(credentials=held))) == [SIGN_UP]


def test_defect_the_age_counts_from_when_they_were_issued() -> None:
    session = play(arta(credentials=KEY_ALONE), SIGNED_UP)
    (changed,) = session.all(CredentialsChanged)
    stored = msgspec.convert(json.loads(json.dumps(changed.credentials)), ArtaCredentials)
    # However often the file was copied or touched since.
    for later, expected in ((1799, SUBMIT), (1800, REFRESH), (3600, SIGN_UP)):
        assert calls(begin(arta(credentials=stored), now=NOW + later)) == [expected]


def test_defect_what_a_refresh_says_of_its_life_is_stored() -> None:
    session = play(arta(credentials=kept(1800)), REFRESHED)
    assert session.outputs == [
        CredentialsChanged(
            {
                "api_key": API_KEY,
                "id_token": "id-token-2",
                "refresh_token": "refresh-token-2",
                "expires_in": 7200.0,
                "issued_at": NOW,
            }
        )
    ]


@pytest.mark.parametrize("refusal", [400, 401, 403])
def test_a_refresh_that_is_refused_falls_back_to_a_new_account(refusal: int) -> None:
    session = play(arta(credentials=kept(1800)), say_json({"error": {"message": "TOKEN_EXPIRED"}}, refusal), SIGNED_UP)
    assert calls(session) == [REFRESH, SIGN_UP, SUBMIT]
    assert header_map(session.request)["authorization"] == "id-token-1"


@pytest.mark.parametrize("reply", [say("", 404), say("<html>"), say_json({"id_token": "x"}), say_json({})])
def test_a_refresh_that_fails_otherwise_is_a_failure(response: ScriptedResponse) -> None:
    session = play(arta(credentials=kept(1800)), response)
    assert session.failure.phase == "refresh"
    assert session.outputs == []


@pytest.mark.parametrize("held", [None, ArtaCredentials(), kept(4000, api_key="")])
def test_without_a_key_one_is_asked_for(held: ArtaCredentials | None) -> None:
    session = begin(arta(credentials=held))
    assert session.log[0] == LoginRequired("ARTA", "https://ai-arta.com")
    assert len(session.log) == 2, "in the same batch"
    assert session.failure.kind == "login_required"
    assert "ARTA_API_KEY" in session.failure.message


def test_a_token_without_a_key_will_do() -> None:
    session = play(arta(credentials=kept(10, api_key="")), SUBMITTED, done())
    assert session.succeeded


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"refreshToken": "r", "expiresIn": "3600"}, "idToken"),
        ({"idToken": None, "refreshToken": "r", "expiresIn": "3600"}, "$.idToken"),
        ({"idToken": "", "refreshToken": "r", "expiresIn": "3600"}, "$.idToken"),
        ({"idToken": "i", "refreshToken": "r", "expiresIn": "soon"}, "$.expires_in"),
        ({"idToken": "i", "refreshToken": "r", "expiresIn": "-5"}, "$.expires_in"),
        ({"idToken": "i", "refreshToken": "r", "expiresIn": -5}, "$.expires_in"),
        ({"idToken": "i", "refreshToken": "r", "expiresIn": "1e300"}, "$.expires_in"),
        ({"idToken": "i", "refreshToken": "r", "expiresIn": "9" * 5000}, "$.expires_in"),
        ({"idToken": "i", "refreshToken": "r", "expiresIn": 1.5}, "$.expiresIn"),
        ([], "expected"),
    ],
)
def test_a_sign_up_without_a_token_is_a_failure(body: object, path: str) -> None:
    session = play(arta(credentials=KEY_ALONE), say_json(body))
    assert session.failure.kind == "protocol"
    assert path in session.failure.message
    assert session.outputs == []


def test_html_instead_of_json() -> None:
    failure = play(arta(credentials=KEY_ALONE), say("<html><body>captcha")).failure
    assert failure.kind == "protocol"
    assert failure.message == "not JSON: an HTML page (a login, captcha or maintenance page?)"


def test_a_life_may_be_a_number() -> None:
    signed_up = say_json({"idToken": "id-token-1", "refreshToken": "refresh-token-1", "expiresIn": 60})
    session = play(arta(credentials=KEY_ALONE), signed_up)
    (changed,) = session.all(CredentialsChanged)
    assert changed.credentials is not None
    assert changed.credentials["expires_in"] == 60


# A token that is refused on the way.


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_token_refused_at_submitting_is_refreshed_once(refusal: int) -> None:
    session = play(arta(), say("", refusal), REFRESHED, SUBMITTED, done())
    assert calls(session) == [SUBMIT, REFRESH, SUBMIT, STATUS]
    assert session.succeeded


def test_a_token_refused_while_polling_is_refreshed_and_polling_goes_on() -> None:
    session = polled(status("IN_QUEUE"), say("", 401), REFRESHED, status("IN_PROGRESS"), done())
    assert calls(session) == [SUBMIT, STATUS, STATUS, REFRESH, STATUS, STATUS]
    assert [header_map(request).get("authorization") for request in session.requests[-2:]] == ["id-token-2"] * 2
    assert session.succeeded


def test_a_token_may_expire_again_much_later() -> None:
    session = polled(say("", 401), REFRESHED, status("IN_QUEUE"), say("", 401), REFRESHED, done())
    assert session.succeeded


def test_a_new_token_that_is_refused_too_is_a_failure() -> None:
    session = polled(say("", 401), REFRESHED, say("go away", 403))
    assert (session.failure.kind, session.failure.status) == ("refused", 403)
    assert "go away" in session.failure.message
    session = play(arta(), say("", 401), REFRESHED, say("", 401))
    assert session.failure.kind == "refused"


def test_a_token_that_cannot_be_refreshed_is_replaced_by_a_new_account() -> None:
    session = polled(say("", 401), SIGNED_UP, done(), credentials=kept(10, refresh_token=""))
    assert calls(session) == [SUBMIT, STATUS, SIGN_UP, STATUS]
    assert session.succeeded
    session = polled(say("", 401), say("", 400), SIGNED_UP, done())
    assert calls(session) == [SUBMIT, STATUS, REFRESH, SIGN_UP, STATUS]
    assert session.succeeded


def test_a_token_that_cannot_be_replaced_is_a_failure() -> None:
    session = polled(say("", 401), credentials=kept(10, refresh_token="", api_key=""))
    assert session.failure.kind == "refused"


# Credentials that others share.


def replaced(**fields: Any) -> CredentialsReplaced:
    return CredentialsReplaced(msgspec.to_builtins(kept(0, **fields)))


def test_credentials_are_awaited_while_a_token_is_made_or_refreshed_and_at_no_other_time() -> None:
    for held in (KEY_ALONE, kept(2000)):
        session = Session(arta(credentials=held))
        seen = [session.flow.awaits_credentials]
        session.start()
        seen.append(session.flow.awaits_credentials)
        session.answer(say("", 503))
        seen.append(session.flow.awaits_credentials)
        for response in (SIGNED_UP if held is KEY_ALONE else REFRESHED, SUBMITTED, done()):
            session.play(response)
            seen.append(session.flow.awaits_credentials)
        assert session.succeeded
        assert seen == [False, True, True, False, False, False]


def test_a_token_that_another_has_got_is_used_instead_of_a_new_one() -> None:
    session = begin(arta(credentials=kept(2000)))
    abort, submit = session.deliver(replaced(id_token="another-id-token"))
    assert (abort, calls(session)) == (AbortRequest(1), [REFRESH, SUBMIT])
    assert submit == session.wait
    assert header_map(session.request)["authorization"] == "another-id-token"
    session.play(SUBMITTED, done())
    assert session.succeeded
    assert session.all(CredentialsChanged) == []


def test_a_token_that_another_has_got_is_used_for_polling_too_and_may_be_refused_once_more() -> None:
    session = polled(say("", 401))
    session.deliver(replaced(id_token="another-id-token"))
    assert header_map(session.request)["authorization"] == "another-id-token"
    session.play(say("", 401))
    assert dict(form(session.request))["refresh_token"] == "kept-refresh-token"
    session.play(REFRESHED, say("", 401))
    assert session.failure.kind == "refused"
    assert calls(session) == [SUBMIT, STATUS, REFRESH, STATUS, REFRESH, STATUS]


def test_a_token_that_another_has_got_and_that_has_aged_is_refreshed_in_its_turn() -> None:
    session = begin(arta(credentials=kept(2000)))
    session.deliver(CredentialsReplaced(msgspec.to_builtins(kept(1900, refresh_token="another-refresh-token"))))
    assert calls(session) == [REFRESH, REFRESH]
    assert dict(form(session.request))["refresh_token"] == "another-refresh-token"


# Submitting is paid for once.


def test_a_job_whose_fate_is_unknown_is_in_doubt() -> None:
    for response in (Broken(kind="network"), Broken(kind="timeout"), say("", 502), say("<html>")):
        session = play(arta(), response)
        assert session.failure.kind == "in_doubt"
        assert calls(session) == [SUBMIT]


def test_a_submission_that_did_not_connect_is_tried_again() -> None:
    assert play(arta(), Broken(kind="connect"), SUBMITTED, done()).succeeded


@pytest.mark.parametrize("refusal", [400, 402, 429])
def test_a_job_that_is_refused_is_definite(refusal: int) -> None:
    session = play(arta(), say_json({"detail": "too many dragons"}, refusal))
    assert session.failure.status == refusal
    assert session.failure.kind in ("status", "rate_limited")
    assert "too many dragons" in session.failure.message


@pytest.mark.parametrize("body", [{"detail": "NSFW"}, {"error": {"message": "NSFW"}}, {"message": "NSFW"}])
def test_a_job_that_was_not_taken(body: dict[str, Any]) -> None:
    session = play(arta(), say_json(body))
    assert session.failure.kind == "job_failed"
    assert session.failure.message == "the service took no job: NSFW"
    assert session.outputs == []
    # That was a plain no: there is nothing to be in doubt about.
    assert json.loads(session.flow.snapshot())["in_doubt"] is False


@pytest.mark.parametrize("body", [{}, {"record_id": None}, {"record_id": ""}, {"job": "1"}])
def test_an_answer_that_names_no_job_is_in_doubt(body: dict[str, Any]) -> None:
    session = play(arta(), say_json(body))
    assert session.failure.kind == "in_doubt"
    assert "gave no id of a job" in session.failure.message
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
def test_a_record_id_that_means_something_in_a_url_is_refused(record_id: str) -> None:
    session = play(arta(), say_json({"record_id": record_id}))
    assert session.failure.kind == "in_doubt"
    assert "no id of a job that can stand in a URL" in session.failure.message
    assert record_id not in session.failure.message or record_id in (".", "..")
    assert calls(session) == [SUBMIT]


@pytest.mark.parametrize("record_id", ["a", "A-1_b.c~d", "..a", 5, "x" * 200, "01234567-89ab-cdef-0123-456789abcdef"])
def test_record_ids_that_are_plain(record_id: str | int) -> None:
    session = play(arta(), say_json({"record_id": record_id}))
    assert session.outputs == [JobAccepted(str(record_id))]
    assert session.request.url == f"{SUBMIT_URL}/{record_id}/status"


def test_record_id_of_another_type() -> None:
    assert play(arta(), say_json({"record_id": ["x"]})).failure.kind == "in_doubt"


# Polling.


def test_the_status_is_asked_for_every_two_seconds() -> None:
    session = begin(arta())
    session.answer(SUBMITTED)
    for _ in range(3):
        session.answer(status("IN_QUEUE"))
        assert session.wait == Sleep(session.now + 2)
        session.sleep_on()
    options = ArtaOptions(poll_interval=0.5)
    assert polled_once(options).wait == Sleep(NOW + 0.5)


def polled_once(options: ArtaOptions) -> Session:
    session = begin(arta(options=options))
    session.answer(SUBMITTED)
    session.answer(status("IN_QUEUE"))
    return session


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ([], []),
        (["IN_QUEUE"], [WAITING]),
        (["IN_QUEUE"] * 3, [WAITING]),
        (["IN_PROGRESS"], [GENERATING]),
        (["IN_QUEUE", "IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS"], [WAITING, GENERATING]),
        (["IN_PROGRESS", "IN_QUEUE", "IN_PROGRESS"], [GENERATING, WAITING, GENERATING]),
    ],
)
def test_each_status_is_told_once_when_it_changes(seen: list[str], told: list[StatusChanged]) -> None:
    session = polled(*map(status, seen), done())
    assert session.all(StatusChanged) == [*told, StatusChanged("done", f"Generated in {2 * len(seen):.1f} s")]


def test_a_status_is_not_told_again_after_a_refresh() -> None:
    session = polled(status("IN_QUEUE"), say("", 401), REFRESHED, status("IN_QUEUE"), done())
    assert session.all(StatusChanged)[:-1] == [WAITING]


def test_all_images_are_told_in_order() -> None:
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
    assert session.failure.snapshot is None, "there is nothing to go on with"


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


def test_defect_polling_has_a_deadline_and_its_failure_goes_on() -> None:
    session = polled(*[status("IN_PROGRESS")] * 150)
    assert session.failure.kind == "timeout"
    assert session.now == NOW + 300
    assert session.failure.snapshot is not None
    assert "kept-id-token" not in session.failure.snapshot
    flow = ArtaImage.restore(session.failure.snapshot, credentials=kept(-300))
    restored = play(flow, status("IN_PROGRESS"), done(), now=NOW + 400)
    assert calls(restored) == [STATUS, STATUS]
    assert restored.all(StatusChanged) == [GENERATING, StatusChanged("done", "Generated in 402.0 s")]
    assert restored.succeeded


def test_the_deadline_is_a_limit() -> None:
    assert polled(*[status("IN_QUEUE")] * 5, limits=Limits(total=10.0)).failure.kind == "timeout"


def test_status_requests_are_tried_again() -> None:
    assert polled(say("", 502), Broken(kind="network"), done()).succeeded


# Going on.


def test_after_job_accepted_nothing_is_paid_for_twice() -> None:
    replies = [SUBMITTED, status("IN_QUEUE"), status("IN_PROGRESS")]
    for count in range(1, len(replies) + 1):
        session = play(arta(model="gpt-image"), *replies[:count])
        restored = play(through_json(session.flow, kept(10)), status("IN_PROGRESS"), done())
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
        # None of these can be fetched, and who fetches images must not be the one to find out.
        *("gopher://images.example:70/1.png", "//images.example:80/1.png", "https://images.example/a\r\nX-Evil: 1"),
        *("https://[::1/1.png", "https://images.example:99999/1.png"),
        *("https://images.example/a b", "https://images.example/\0", "https://images.example/\u00e9"),
    ],
)
def test_an_image_without_a_url_is_a_failure_that_can_be_gone_on_from(url: str) -> None:
    session = polled(done(url))
    assert session.failure.kind == "protocol"
    assert session.failure.snapshot
    assert session.all(ImageReady) == []


def test_a_job_can_be_gone_on_with_though_all_credentials_are_lost_but_the_key() -> None:
    session = polled(status("IN_QUEUE"))
    restored = play(through_json(session.flow, KEY_ALONE), SIGNED_UP, done())
    assert calls(restored) == [SIGN_UP, STATUS]
    assert restored.succeeded


def test_a_submission_under_way_is_in_doubt_after_a_crash() -> None:
    session = begin(arta(model="gpt-image"))
    with pytest.raises(InDoubt):
        through_json(session.flow, kept(10))
    again = begin(through_json(session.flow, kept(10), resend=True), entropy=b"other")
    assert form(again.request) == form(session.request), "the same style and the same seed"


def test_cancelled_while_it_waits_the_job_can_be_gone_on_with() -> None:
    session = polled(status("IN_QUEUE"))
    session.deliver(Cancel())
    assert session.failure.kind == "cancelled"
    assert session.failure.snapshot is not None
    assert play(ArtaImage.restore(session.failure.snapshot, credentials=kept(10)), done()).succeeded


def test_no_secret_is_in_a_snapshot_or_a_message() -> None:
    session = play(arta(credentials=KEY_ALONE), SIGNED_UP, SUBMITTED)
    session.answer(say(f"bad id-token-1 refresh-token-1 {API_KEY} AIza%2Fkey%2B1%3D", 400))
    failure = session.failure
    assert failure.message == f"{STATUS_URL} answered with status 400: bad [secret] [secret] [secret] [secret]"
    assert failure.snapshot is not None
    for text in (failure.snapshot, repr(session.flow), repr(session.log), repr(kept(10))):
        assert "token-1" not in text
        assert "AIza" not in text


def test_the_key_is_not_in_the_message_of_a_sign_up_that_failed() -> None:
    failure = play(arta(credentials=KEY_ALONE), say("", 400)).failure
    assert failure.message == SIGN_UP_URL.partition("?")[0] + " answered with status 400"


# The prompt.


def test_the_prompt_is_the_given_one_else_the_last_user_message() -> None:
    messages = [
        {"role": "user", "content": "a cat"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "a dragon"},
        {"role": "user", "content": " "},
        {"role": "user", "content": "in red"},
        {"role": "assistant", "content": "well"},
    ]
    request = begin(ArtaImage(messages=messages, credentials=kept(10))).request
    assert dict(form(request))["prompt"] == "a dragon\nin red"
    request = begin(ArtaImage(prompt="a dog", messages=messages, credentials=kept(10))).request
    assert dict(form(request))["prompt"] == "a dog"


@pytest.mark.parametrize(
    "messages", [(), "", " ", [{"role": "system", "content": "x"}], [{"role": "user", "content": ""}]]
)
def test_an_empty_prompt_is_refused(messages: Any) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        ArtaImage(prompt=" ", messages=messages)


def test_a_prompt_that_utf8_cannot_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="surrogate"):
        ArtaImage(prompt="\ud800")


# Models.

MODELS = {
    "flux": "Flux",
    "medieval": "Medieval",
    "vincent-van-gogh": "Vincent Van Gogh",
    "f-dev": "F Dev",
    "flux-dev": "F Dev",
    "f-pro": "F Pro",
    "flux-pro": "F Pro",
    "low-poly": "Low Poly",
    "dreamshaper-xl": "Dreamshaper-xl",
    "anima-pencil-xl": "Anima-pencil-xl",
    "biomech": "Biomech",
    "trash-polka": "Trash Polka",
    "no-style": "No Style",
    "cheyenne-xl": "Cheyenne-xl",
    "chicano": "Chicano",
    "embroidery-tattoo": "Embroidery tattoo",
    "red-and-black": "Red and Black",
    "fantasy-art": "Fantasy Art",
    "watercolor": "Watercolor",
    "dotwork": "Dotwork",
    "old-school-colored": "Old school colored",
    "realistic-tattoo": "Realistic tattoo",
    "japanese-2": "Japanese_2",
    "realistic-stock-xl": "Realistic-stock-xl",
    "revanimated": "RevAnimated",
    "professional": "Professional",
    "anime": "Anime",
    "cinematic-art": "Cinematic Art",
    "sdxl-1.0": "SDXL 1.0",
    "sdxl-l": "SDXL L",
    "photographic": "Photographic",
    "surrealism": "Surrealism",
    "kawaii": "Kawaii",
    "juggernaut-xl": "Juggernaut-xl",
    "playground-xl": "Playground-xl",
    "katayama-mix-xl": "Katayama-mix-xl",
    "yamers-realistic-xl": "Yamers-realistic-xl",
    "pony-xl": "Pony-xl",
    "cor-epica-xl": "Cor-epica-xl",
    "anything-xl": "Anything-xl",
    "tattoo": "tattoo",
    "mini-tattoo": "Mini tattoo",
    "flame-design": "Flame design",
    "neo-traditional": "Neo-traditional",
    "old-school": "Old School",
    "new-school": "New School",
    "black-ink": "Black Ink",
    "on-limbs-black": "On limbs black",
    "on-limbs-color": "On limbs color",
    "graffiti": "Graffiti",
    "death-metal": "Death metal",
    "gpt4o": "GPT4o",
    "high-gpt4o": "High GPT4o",
    "gpt4o-ghibli": "GPT4o Ghibli",
}


def style_of(model: str | None, entropy: bytes = b"entropy") -> str:
    return dict(form(begin(arta(model=model), entropy=entropy).request))["style"]


@pytest.mark.parametrize(("alias", "style"), MODELS.items())
def test_a_model_by_its_alias_and_by_its_own_name(alias: str, style: str) -> None:
    assert style_of(alias) == style
    assert style_of(alias.upper()) == style
    assert style_of(style) == style


def test_there_are_these_models_and_gpt_image() -> None:
    assert set(PROVIDER.models) == {*MODELS, "gpt-image"}


def test_gpt_image_draws_one_of_three() -> None:
    drawn = [style_of("gpt-image", b"%d" % i) for i in range(90)]
    assert set(drawn) == {"GPT4o", "High GPT4o", "GPT4o Ghibli"}
    assert min(drawn.count(style) for style in set(drawn)) > 15


def test_the_default_is_flux() -> None:
    assert style_of(None) == style_of("") == "Flux"


@pytest.mark.parametrize(
    ("model", "near"), [("fluks", "flux"), ("vincent", "vincent-van-gogh"), ("gpt-imag", "gpt-image")]
)
def test_any_other_is_refused_with_the_nearest(model: str, near: str) -> None:
    with pytest.raises(InvalidInput, match=f"unknown model '{model}' for ARTA: did you mean '{near}'"):
        arta(model=model)


def test_what_the_catalog_says() -> None:
    assert (PROVIDER.name, PROVIDER.label, PROVIDER.kind) == ("arta", "ARTA", "image")
    assert PROVIDER.environment == {"ARTA_API_KEY": "credentials.api_key"}
    assert "permission" in PROVIDER.note
