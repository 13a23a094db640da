from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given

from emulator_requests import BASE_URL, NOW, Ask, answered, asks, check_any, form_of, json_of, moments, refused, whole
from modelwire.emulators import ArtaEmulator, Behaviour, EmulatorRequest
from modelwire.emulators.arta import MAX_JOBS, STYLES
from modelwire.json import JsonObject

FORM = "application/x-www-form-urlencoded"
JOB_FIELDS = {
    "prompt": "ein Drache über 富士山",
    "negative_prompt": "blurry, deformed hands, ugly",
    "style": "Flux",
    "images_num": "2",
    "cfg_scale": "7",
    "steps": "30",
    "aspect_ratio": "1:1",
    "seed": "123456",
}
SIGN_UP = Ask(
    "POST",
    "/identitytoolkit/v3/relyingparty/signupNewUser?key=any",
    {"content-type": "application/json"},
    json_of({"clientType": "CLIENT_TYPE_ANDROID"}),
)


def refresh(token: str) -> Ask:
    fields = {"grant_type": "refresh_token", "refresh_token": token}
    return Ask("POST", "/v1/token?key=any", {"content-type": FORM}, form_of(fields))


def submit(token: str, **change: str) -> Ask:
    headers = {"Authorization": token, "content-type": FORM}
    return Ask("POST", "/api/v1/text2image", headers, form_of({**JOB_FIELDS, **change}))


def status(token: str, record_id: str) -> Ask:
    return Ask("GET", f"/api/v1/text2image/{record_id}/status", {"Authorization": token})


def image(record_id: str, index: int) -> Ask:
    return Ask("GET", f"/images/{record_id}/{index}.png")


def account(emulator: ArtaEmulator, now: float = NOW) -> JsonObject:
    response: JsonObject = answered(SIGN_UP.of(emulator, now))
    return response


def submitted_job(emulator: ArtaEmulator, **change: str) -> tuple[str, str]:
    """A token, and the id of a new job."""
    token = account(emulator)["idToken"]
    return token, answered(submit(token, **change).of(emulator))["record_id"]


@pytest.fixture
def emulator() -> ArtaEmulator:
    return ArtaEmulator()


def test_a_sign_up_issues_tokens_with_their_lifetime_as_text() -> None:
    response = account(ArtaEmulator(Behaviour(token_life=60)))
    assert response["expiresIn"] == "60"
    assert response["idToken"] != response["refreshToken"]


@pytest.mark.parametrize("ask", [SIGN_UP, refresh("x")], ids=lambda ask: ask.target)
@pytest.mark.parametrize(
    ("query", "words"), [("", "no field 'key'"), ("?key=", "an empty field 'key'"), ("?key=%f", "'%'")]
)
def test_an_api_key_is_required(emulator: ArtaEmulator, ask: Ask, query: str, words: str) -> None:
    refused(ask._replace(target=ask.target.partition("?")[0] + query).of(emulator), 400, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "missing required field `clientType`"),
        ({"clientType": "CLIENT_TYPE_IOS"}, "$.clientType"),
        ([], "Expected `object`"),
    ],
)
def test_a_wrong_sign_up(emulator: ArtaEmulator, body: JsonObject, words: str) -> None:
    refused(SIGN_UP._replace(body=json_of(body)).of(emulator), 400, words)


def test_a_sign_up_must_be_json(emulator: ArtaEmulator) -> None:
    refused(SIGN_UP.without("content-type").of(emulator), 400, "must be 'application/json'")


def test_a_refresh_token_can_be_used_once(emulator: ArtaEmulator) -> None:
    first = account(emulator)["refreshToken"]
    second = answered(refresh(first).of(emulator))
    assert second["expires_in"] == "3600"
    refused(refresh(first).of(emulator), 403, "unknown or already used")
    third = answered(refresh(second["refresh_token"]).of(emulator))
    assert third["user_id"] == second["user_id"]
    assert answered(submit(third["id_token"]).of(emulator))["record_id"]


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"refresh_token": "x"}, 400, "no field 'grant_type'"),
        ({"grant_type": "refresh_token"}, 400, "no field 'refresh_token'"),
        ({"grant_type": "password", "refresh_token": "x"}, 400, "'grant_type' must be 'refresh_token'"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 403, "unknown"),
    ],
)
def test_a_wrong_refresh(emulator: ArtaEmulator, fields: dict[str, str], code: int, words: str) -> None:
    refused(refresh("x")._replace(body=form_of(fields)).of(emulator), code, words)


def test_a_job_proceeds_with_the_clock(emulator: ArtaEmulator) -> None:
    token, record_id = submitted_job(emulator)
    seen = [answered(status(token, record_id).of(emulator, NOW + age)) for age in (0, 1.49, 1.5, 4.49, 4.5, 99)]
    assert [response["status"] for response in seen] == ["IN_QUEUE"] * 2 + ["IN_PROGRESS"] * 2 + ["DONE"] * 2
    assert seen[3]["response"] == []
    assert seen[4]["response"] == [{"url": f"{BASE_URL}/images/{record_id}/{index}.png"} for index in range(2)]


def test_a_job_that_takes_no_time() -> None:
    emulator = ArtaEmulator(Behaviour(queue=0, work=0))
    token, record_id = submitted_job(emulator)
    assert answered(status(token, record_id).of(emulator))["status"] == "DONE"


def test_the_images_exist_once_the_job_is_done(emulator: ArtaEmulator) -> None:
    _, record_id = submitted_job(emulator)
    refused(image(record_id, 0).of(emulator), 404, "no image 0, or is not done")
    first, second = (image(record_id, index).of(emulator, NOW + 5) for index in range(2))
    assert first.headers == (("content-type", "image/png"),)
    assert whole(first).startswith(b"\x89PNG\r\n\x1a\n")
    assert whole(first) != whole(second)
    refused(image(record_id, 2).of(emulator, NOW + 5), 404, "no image 2")
    refused(image("0" * 32, 0).of(emulator, NOW + 5), 404, "no job")


@pytest.mark.parametrize(
    ("ratio", "size"), [("1:1", (256, 256)), ("16:9", (256, 144)), ("2:3", (170, 256)), ("9999:1", (256, 32))]
)
def test_images_have_the_requested_aspect_ratio(emulator: ArtaEmulator, ratio: str, size: tuple[int, int]) -> None:
    _, record_id = submitted_job(emulator, aspect_ratio=ratio)
    picture = whole(image(record_id, 0).of(emulator, NOW + 5))
    assert (int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")) == size


@pytest.mark.parametrize("make", [submit, lambda token: status(token, "0" * 32)])
def test_a_token_is_required_and_expires(emulator: ArtaEmulator, make: Callable[[str], Ask]) -> None:
    token = account(emulator)["idToken"]
    ask = make(token)
    refused(ask.without("Authorization").of(emulator), 401, "'Authorization' is missing")
    refused(ask.having(Authorization="other").of(emulator), 401, "no idToken, or an expired one")
    refused(ask.of(emulator, NOW + 3600), 401, "no idToken, or an expired one")
    assert ask.of(emulator, NOW + 3599).status != 401


def test_an_unknown_job(emulator: ArtaEmulator) -> None:
    refused(status(account(emulator)["idToken"], "0" * 32).of(emulator), 404, "no job with this id")


@pytest.mark.parametrize("name", [*JOB_FIELDS])
def test_a_job_without_a_field(emulator: ArtaEmulator, name: str) -> None:
    fields = {key: value for key, value in JOB_FIELDS.items() if key != name}
    ask = submit(account(emulator)["idToken"])._replace(body=form_of(fields))
    refused(ask.of(emulator), 400, f"the form has no field {name!r}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": " "}, "an empty field 'prompt'"),
        ({"style": "flux"}, "'style' is not the name of a style"),
        ({"images_num": "0"}, "'images_num' must be a whole number from 1 to 8"),
        ({"images_num": "9"}, "'images_num' must be a whole number from 1 to 8"),
        ({"images_num": "two"}, "'images_num' must be a whole number"),
        ({"cfg_scale": "high"}, "'cfg_scale' must be a number"),
        ({"cfg_scale": "-1"}, "'cfg_scale' must be a number"),
        ({"cfg_scale": "nan"}, "'cfg_scale' must be a number"),
        ({"steps": "0"}, "'steps' must be a whole number"),
        ({"steps": "1.5"}, "'steps' must be a whole number"),
        ({"aspect_ratio": "wide"}, "'aspect_ratio' must be two whole numbers"),
        ({"aspect_ratio": "0:1"}, "'aspect_ratio' must be two whole numbers"),
        ({"seed": "-1"}, "'seed' must be a whole number"),
        ({"seed": "9" * 5000}, "'seed' must be a whole number"),
    ],
)
def test_a_job_with_a_wrong_field(emulator: ArtaEmulator, change: dict[str, str], words: str) -> None:
    refused(submit(account(emulator)["idToken"], **change).of(emulator), 400, words)


@pytest.mark.parametrize("change", [{"negative_prompt": ""}, {"cfg_scale": "7.5"}, {"images_num": "8"}, {"seed": "0"}])
def test_a_job_with_unusual_values(emulator: ArtaEmulator, change: dict[str, str]) -> None:
    assert answered(submit(account(emulator)["idToken"], **change).of(emulator))["record_id"]


def test_every_style_is_accepted(emulator: ArtaEmulator) -> None:
    token = account(emulator)["idToken"]
    assert len(STYLES) == 52
    assert all(submit(token, style=style).of(emulator).status == 200 for style in STYLES)


def test_the_oldest_jobs_are_forgotten(emulator: ArtaEmulator) -> None:
    token, first = submitted_job(emulator)
    ask = submit(token)
    second = answered(ask.of(emulator))["record_id"]
    for _ in range(MAX_JOBS - 1):
        ask.of(emulator)
    refused(status(token, first).of(emulator), 404, "no job")
    assert status(token, second).of(emulator).status == 200


def test_other_methods(emulator: ArtaEmulator) -> None:
    refused(SIGN_UP._replace(method="GET").of(emulator), 405, "POST")
    refused(status("x", "0" * 32)._replace(method="POST").of(emulator), 405, "GET")
    refused(status("x", "../../etc").of(emulator), 404, "there is no path")


@given(request=asks([SIGN_UP, refresh("x"), submit("x"), status("x", "0" * 32), image("0" * 32, 0)]), now=moments)
def test_never_raises(request: EmulatorRequest, now: float) -> None:
    check_any(ArtaEmulator(), request, now)


@given(request=asks([submit("TOKEN"), status("TOKEN", "RECORD"), image("RECORD", 0)]), now=moments)
def test_never_raises_for_a_job_that_exists(request: EmulatorRequest, now: float) -> None:
    emulator = ArtaEmulator()
    token, record_id = submitted_job(emulator)
    ask = EmulatorRequest(
        method=request.method,
        target=request.target.replace("RECORD", record_id),
        headers=tuple((name, value.replace("TOKEN", token)) for name, value in request.headers),
        body=request.body,
        base_url=request.base_url,
    )
    check_any(emulator, ask, now)
