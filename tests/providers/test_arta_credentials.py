"""ARTA's credentials: when they are used, refreshed and replaced."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from arta_sessions import (
    API_KEY,
    KEY_ALONE,
    REFRESH,
    REFRESHED,
    SIGN_UP,
    SIGNED_UP,
    STATUS,
    SUBMIT,
    SUBMITTED,
    arta,
    calls,
    done,
    issued,
    polled,
    status,
)
from modelwire.commands import AbortRequest
from modelwire.events import CredentialsReplaced
from modelwire.outputs import CredentialsChanged, LoginRequired
from modelwire.providers.arta import ArtaCredentials
from played_flow import NOW, PlayedFlow, ScriptedResponse, begin, form, header_map, play, say, say_json


@pytest.mark.parametrize("age", [-300, -10, 0, 10, 1799])
def test_in_the_first_half_of_their_life_they_are_used(age: float) -> None:
    session = begin(arta(credentials=issued(age)))
    assert calls(session) == [SUBMIT]
    assert session.outputs == []


@pytest.mark.parametrize("age", [1800, 2700, 3599])
def test_in_the_second_half_of_their_life_they_are_refreshed(age: float) -> None:
    session = play(arta(credentials=issued(age)), REFRESHED)
    assert calls(session) == [REFRESH, SUBMIT]
    assert header_map(session.request)["authorization"] == "id-token-2"


@pytest.mark.parametrize("age", [3600, 10**9, -301, -(10**9)])
def test_expired_credentials_are_replaced_by_a_new_account(age: float) -> None:
    session = play(arta(credentials=issued(age)), SIGNED_UP)
    assert calls(session) == [SIGN_UP, SUBMIT]
    assert header_map(session.request)["authorization"] == "id-token-1"


@pytest.mark.parametrize("stored", [KEY_ALONE, issued(10, id_token=""), issued(1800, refresh_token="")])
def test_incomplete_credentials_are_replaced_by_a_new_account(stored: ArtaCredentials) -> None:
    assert calls(begin(arta(credentials=stored))) == [SIGN_UP]


def test_defect_the_age_counts_from_when_they_were_issued() -> None:
    session = play(arta(credentials=KEY_ALONE), SIGNED_UP)
    (changed,) = session.all(CredentialsChanged)
    stored = msgspec.convert(json.loads(json.dumps(changed.credentials)), ArtaCredentials)
    # The age of the file does not matter.
    for later, expected in ((1799, SUBMIT), (1800, REFRESH), (3600, SIGN_UP)):
        assert calls(begin(arta(credentials=stored), now=NOW + later)) == [expected]


def test_defect_the_life_of_refreshed_credentials_is_stored() -> None:
    session = play(arta(credentials=issued(1800)), REFRESHED)
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
    session = play(
        arta(credentials=issued(1800)), say_json({"error": {"message": "TOKEN_EXPIRED"}}, refusal), SIGNED_UP
    )
    assert calls(session) == [REFRESH, SIGN_UP, SUBMIT]
    assert header_map(session.request)["authorization"] == "id-token-1"


@pytest.mark.parametrize("response", [say("", 404), say("<html>"), say_json({"id_token": "x"}), say_json({})])
def test_a_refresh_that_fails_otherwise_is_a_failure(response: ScriptedResponse) -> None:
    session = play(arta(credentials=issued(1800)), response)
    assert session.failure.phase == "refresh"
    assert session.outputs == []


@pytest.mark.parametrize("stored", [None, ArtaCredentials(), issued(4000, api_key="")])
def test_without_a_key_a_login_is_required(stored: ArtaCredentials | None) -> None:
    session = begin(arta(credentials=stored))
    assert session.log[0] == LoginRequired("ARTA", "https://ai-arta.com")
    assert len(session.log) == 2, "in the same batch"
    assert session.failure.kind == "login_required"
    assert "ARTA_API_KEY" in session.failure.message


def test_a_token_without_a_key_suffices() -> None:
    session = play(arta(credentials=issued(10, api_key="")), SUBMITTED, done())
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


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_token_refused_at_submission_is_refreshed_once(refusal: int) -> None:
    session = play(arta(), say("", refusal), REFRESHED, SUBMITTED, done())
    assert calls(session) == [SUBMIT, REFRESH, SUBMIT, STATUS]
    assert session.succeeded


def test_a_token_refused_while_polling_is_refreshed_and_polling_continues() -> None:
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
    session = polled(say("", 401), SIGNED_UP, done(), credentials=issued(10, refresh_token=""))
    assert calls(session) == [SUBMIT, STATUS, SIGN_UP, STATUS]
    assert session.succeeded
    session = polled(say("", 401), say("", 400), SIGNED_UP, done())
    assert calls(session) == [SUBMIT, STATUS, REFRESH, SIGN_UP, STATUS]
    assert session.succeeded


def test_a_token_that_cannot_be_replaced_is_a_failure() -> None:
    session = polled(say("", 401), credentials=issued(10, refresh_token="", api_key=""))
    assert session.failure.kind == "refused"


def replaced(**fields: Any) -> CredentialsReplaced:
    return CredentialsReplaced(msgspec.to_builtins(issued(0, **fields)))


def test_credentials_are_awaited_while_a_token_is_made_or_refreshed_and_at_no_other_time() -> None:
    for stored in (KEY_ALONE, issued(2000)):
        session = PlayedFlow(arta(credentials=stored))
        seen = [session.flow.awaits_credentials]
        session.start()
        seen.append(session.flow.awaits_credentials)
        session.respond(say("", 503))
        seen.append(session.flow.awaits_credentials)
        for response in (SIGNED_UP if stored is KEY_ALONE else REFRESHED, SUBMITTED, done()):
            session.play(response)
            seen.append(session.flow.awaits_credentials)
        assert session.succeeded
        assert seen == [False, True, True, False, False, False]


def test_the_token_of_another_flow_is_used_instead_of_a_new_one() -> None:
    session = begin(arta(credentials=issued(2000)))
    abort, submit = session.deliver(replaced(id_token="another-id-token"))
    assert (abort, calls(session)) == (AbortRequest(1), [REFRESH, SUBMIT])
    assert submit == session.wait
    assert header_map(session.request)["authorization"] == "another-id-token"
    session.play(SUBMITTED, done())
    assert session.succeeded
    assert session.all(CredentialsChanged) == []


def test_the_token_of_another_flow_is_used_for_polling_and_may_be_refused_once_more() -> None:
    session = polled(say("", 401))
    session.deliver(replaced(id_token="another-id-token"))
    assert header_map(session.request)["authorization"] == "another-id-token"
    session.play(say("", 401))
    assert dict(form(session.request))["refresh_token"] == "issued-refresh-token"
    session.play(REFRESHED, say("", 401))
    assert session.failure.kind == "refused"
    assert calls(session) == [SUBMIT, STATUS, REFRESH, STATUS, REFRESH, STATUS]


def test_an_aged_token_of_another_flow_is_refreshed() -> None:
    session = begin(arta(credentials=issued(2000)))
    session.deliver(CredentialsReplaced(msgspec.to_builtins(issued(1900, refresh_token="another-refresh-token"))))
    assert calls(session) == [REFRESH, REFRESH]
    assert dict(form(session.request))["refresh_token"] == "another-refresh-token"
