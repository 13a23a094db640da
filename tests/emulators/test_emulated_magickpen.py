from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given

from emulator_requests import NOW, Ask, asks, check_any, json_of, moments, refused, whole
from modelwire.emulators import EmulatorRequest, MagickPenEmulator

API_SECRET = re.compile(r'"X-API-Secret":"(\w+)"')
SECRET = re.compile(r'secret:"(\w+)"')
FIELDS = {"query": "Schreib was Schönes", "turnstileResponse": "", "action": "verify"}


def get(path: str) -> Ask:
    return Ask("GET", path)


def bundles(emulator: MagickPenEmulator) -> list[str]:
    """The paths of the site's own bundles, in the order of the page."""
    page = whole(get("/").of(emulator)).decode()
    return re.findall(r'<script[^>]* src="(/_nuxt/[0-9a-f]{20}\.js)"', page)


def keys(emulator: MagickPenEmulator) -> tuple[str, str]:
    script = whole(get("/_nuxt/bf709a9ce19f14e18116.js").of(emulator)).decode()
    found = API_SECRET.search(script), SECRET.search(script)
    assert found[0]
    assert found[1]
    return found[0][1], found[1][1]


def question(emulator: MagickPenEmulator, *, nonce: str = "0.123", timestamp: str = "1700000000250") -> Ask:
    api_secret, secret = keys(emulator)
    signed = "".join(sorted(["TGDBU9zCgM", timestamp, nonce]))
    headers = {
        "accept": "application/json, text/plain, */*",
        "accept-language": "en-US,en;q=0.9",
        "content-type": "application/json",
        "origin": "https://elsewhere.example",
        "referer": "https://elsewhere.example/",
        "nonce": nonce,
        "secret": secret,
        "signature": hashlib.md5(signed.encode()).hexdigest(),
        "timestamp": timestamp,
        "x-api-secret": api_secret,
    }
    return Ask("POST", "/ask", headers, json_of(FIELDS))


@pytest.fixture
def emulator() -> MagickPenEmulator:
    return MagickPenEmulator()


def test_the_page_names_foreign_scripts_and_own_bundles(emulator: MagickPenEmulator) -> None:
    response = get("/").of(emulator)
    page = whole(response).decode()
    assert dict(response.headers)["content-type"].startswith("text/html")
    assert "https://analytics.example.com/" in page
    assert '"//cdn.example.net/_nuxt/' in page
    assert len(bundles(emulator)) == 5


def test_each_key_is_in_a_bundle_of_its_own_and_not_in_the_first(emulator: MagickPenEmulator) -> None:
    scripts = [whole(get(path).of(emulator)).decode() for path in bundles(emulator)]
    assert [bool(SECRET.search(script)) for script in scripts] == [False, True, False, False, False]
    assert [bool(API_SECRET.search(script)) for script in scripts] == [False, False, False, False, True]


def test_a_deploy_gives_the_bundles_new_names(emulator: MagickPenEmulator) -> None:
    old_bundles, old_keys = bundles(emulator), keys(emulator)
    emulator.deploy()
    assert not set(old_bundles) & set(bundles(emulator))
    refused(get(old_bundles[0]).of(emulator), 404, "deployed again")
    assert keys(emulator) == old_keys


def test_a_script_of_the_site_that_is_not_a_bundle(emulator: MagickPenEmulator) -> None:
    response = get("/theme.js").of(emulator)
    assert response.status == 200
    assert dict(response.headers)["content-type"].startswith("application/javascript")


def test_other_entropy_makes_other_keys() -> None:
    assert keys(MagickPenEmulator(entropy=b"1")) != keys(MagickPenEmulator(entropy=b"2"))
    assert keys(MagickPenEmulator(entropy=b"1")) == keys(MagickPenEmulator(entropy=b"1"))


@pytest.mark.parametrize("nonce", ["0", "0.0", "0.5", "1.2e-05", "1.2e-7", "0.000012", "0.12345678901234567890"])
def test_the_answer_is_raw_text(emulator: MagickPenEmulator, nonce: str) -> None:
    response = question(emulator, nonce=nonce).of(emulator)
    assert response.status == 200, whole(response)
    assert "Schreib was Schönes" in whole(response).decode()
    assert {len(chunk.data) for chunk in response.chunks[:-1]} == {7}


@pytest.mark.parametrize("name", [*question(MagickPenEmulator()).headers])
def test_a_missing_header(emulator: MagickPenEmulator, name: str) -> None:
    refused(question(emulator).without(name).of(emulator), 400, f"the header {name!r}")


@pytest.mark.parametrize(
    ("name", "value", "status", "words"),
    [
        ("accept", "*/*", 400, "'accept' must be 'application/json, text/plain, */*'"),
        ("accept-language", "de", 400, "'accept-language'"),
        ("content-type", "text/plain", 400, "'content-type'"),
        ("origin", "nowhere", 400, "'origin' must be an http(s) URL"),
        ("referer", "https://elsewhere.example", 400, "with '/' at its end"),
        ("secret", "0", 403, "'secret' is not the key"),
        ("x-api-secret", "0", 403, "'x-api-secret' is not the key"),
        ("signature", "0" * 32, 403, "'signature' is not the MD5"),
        ("nonce", "0.124", 403, "'signature' is not the MD5"),
        ("timestamp", "1700000000251", 403, "'signature' is not the MD5"),
        ("timestamp", "x", 400, "'timestamp' must be a whole number"),
        ("timestamp", "9" * 5000, 400, "'timestamp' must be a whole number"),
    ],
)
def test_a_wrong_header(emulator: MagickPenEmulator, name: str, value: str, status: int, words: str) -> None:
    refused(question(emulator).having(**{name: value}).of(emulator), status, words)


@pytest.mark.parametrize("nonce", ["1", "1.0", "9", "-0.5", ".5", "1e5", "nan", "\u0660.\u0665", "0." + "1" * 31])
def test_a_nonce_that_math_random_never_returns(emulator: MagickPenEmulator, nonce: str) -> None:
    ask = question(emulator).having(nonce=nonce)
    refused(ask.of(emulator), 400, "'nonce' must be a decimal number")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_clock_that_is_far_off(emulator: MagickPenEmulator, seconds: int) -> None:
    refused(question(emulator).of(emulator, NOW + seconds), 403, "more than 300 s off")


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_clock_that_is_a_little_off(emulator: MagickPenEmulator, seconds: int) -> None:
    assert question(emulator).of(emulator, NOW + seconds).status == 200


def test_a_nonce_can_be_used_once(emulator: MagickPenEmulator) -> None:
    assert question(emulator).of(emulator).status == 200
    refused(question(emulator).of(emulator), 409, "'nonce' was used before")
    later = question(emulator, timestamp=str(int((NOW + 599) * 1000)))
    refused(later.of(emulator, NOW + 599), 409, "'nonce' was used before")
    much_later = question(emulator, timestamp=str(int((NOW + 600) * 1000)))
    assert much_later.of(emulator, NOW + 600).status == 200


def test_a_refused_request_does_not_use_up_its_nonce(emulator: MagickPenEmulator) -> None:
    refused(question(emulator)._replace(body=b"").of(emulator), 400, "the body")
    assert question(emulator).of(emulator).status == 200


@pytest.mark.parametrize("name", [*FIELDS])
def test_a_missing_field(emulator: MagickPenEmulator, name: str) -> None:
    fields = {key: value for key, value in FIELDS.items() if key != name}
    refused(question(emulator)._replace(body=json_of(fields)).of(emulator), 400, f"missing required field `{name}`")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": 1}, "$.query"),
        ({"query": "\n"}, "'query' is empty"),
        ({"turnstileResponse": None}, "$.turnstileResponse"),
        ({"action": "other"}, "$.action"),
    ],
)
def test_a_wrong_field(emulator: MagickPenEmulator, change: dict[str, object], words: str) -> None:
    refused(question(emulator)._replace(body=json_of(FIELDS | change)).of(emulator), 400, words)


def test_other_paths_and_methods(emulator: MagickPenEmulator) -> None:
    refused(get("/ask").of(emulator), 405, "POST")
    refused(get("/other").of(emulator), 404, "/other")
    refused(get("/_nuxt/" + "0" * 20 + ".js").of(emulator), 404, "no script")


@given(request=asks([question(MagickPenEmulator()), get("/"), get("/_nuxt/bf709a9ce19f14e18116.js")]), now=moments)
def test_never_raises(request: EmulatorRequest, now: float) -> None:
    check_any(MagickPenEmulator(), request, now)
