from __future__ import annotations

import pytest

from emulator_requests import BASE_URL, NOW, Ask
from modelwire.emulators import EmulatorRequest, EmulatorResponse
from modelwire.emulators.parts.requests import (
    EmulatorRoute,
    StrictRequest,
    expect_recent,
    required,
    respond,
    whole_number,
)
from modelwire.emulators.parts.responses import HttpRefusal


def strict_request(**headers: str) -> StrictRequest:
    return StrictRequest(Ask("GET", "/path?a=1&b=").having(**headers).request())


def test_a_request_is_parsed() -> None:
    request = strict_request()
    assert (request.method, request.target) == ("GET", "/path?a=1&b=")
    assert (request.path, request.query, request.base_url) == ("/path", "a=1&b=", BASE_URL)
    assert request.query_pairs() == [("a", "1"), ("b", "")]
    assert request.query_field("a") == "1"


@pytest.mark.parametrize(("target", "base_url"), [("path", BASE_URL), ("/p\u00e4th", BASE_URL), ("/", "http://\ud800")])
def test_a_target_or_base_url_that_is_not_visible_ascii(target: str, base_url: str) -> None:
    request = EmulatorRequest(method="GET", target=target, headers=(), body=b"", base_url=base_url)
    with pytest.raises(HttpRefusal, match="visible ASCII"):
        StrictRequest(request)


def test_a_header_is_found_in_any_case() -> None:
    assert strict_request(X_Thing=" value ").header("x-thing") == "value"


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_header_counts_as_missing(value: str) -> None:
    with pytest.raises(HttpRefusal, match="'x-thing' is missing") as caught:
        strict_request(x_thing=value).header("x-thing", 401)
    assert caught.value.status == 401


@pytest.mark.parametrize("value", ["https://any.example/?v=2", "http://127.0.0.1:1/base/?v=2"])
def test_the_host_of_a_site_does_not_matter(value: str) -> None:
    strict_request(referer=value).expect_site("referer", "/?v=2")


@pytest.mark.parametrize("value", ["null", "ftp://any.example/?v=2", "https://any.example/?v=3", "https://a b/?v=2"])
def test_a_value_that_is_not_the_url_of_a_site(value: str) -> None:
    with pytest.raises(HttpRefusal, match="'referer' must be"):
        strict_request(referer=value).expect_site("referer", "/?v=2")


@pytest.mark.parametrize("text", ["0", "7", "007", "10"])
def test_whole_numbers(text: str) -> None:
    assert whole_number(text, "it", highest=10) == int(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "1e1", "11", "1_0", "\u0661", "9" * 10_000])
def test_text_that_is_not_a_whole_number(text: str) -> None:
    with pytest.raises(HttpRefusal, match="it must be a whole number from 0 to 10"):
        whole_number(text, "it", highest=10)


def test_a_field_may_be_empty_only_if_that_is_allowed() -> None:
    assert required({"a": ""}, "a", "the form", may_be_empty=True) == ""
    with pytest.raises(HttpRefusal, match="an empty field 'a'"):
        required({"a": ""}, "a", "the form")
    with pytest.raises(HttpRefusal, match="no field 'b'"):
        required({"a": ""}, "b", "the form", may_be_empty=True)


@pytest.mark.parametrize("moment", [NOW - 300.01, NOW + 300.01, float("nan"), float("inf")])
def test_a_time_too_far_from_now(moment: float) -> None:
    with pytest.raises(HttpRefusal, match="it is more than 300 s off"):
        expect_recent(moment, NOW, "it")


def test_a_path_may_allow_several_methods_and_pass_arguments() -> None:
    def handler(request: StrictRequest, now: float, thing: str) -> EmulatorResponse:
        return EmulatorResponse(headers=(("x-thing", thing),))

    routes = [EmulatorRoute(method, "/(?P<thing>[a-z]+)", handler) for method in ("GET", "PUT")]
    assert respond(Ask("PUT", "/some").request(), NOW, routes).headers == (("x-thing", "some"),)
    response = respond(Ask("POST", "/some").request(), NOW, routes)
    assert (response.status, dict(response.headers)["allow"]) == (405, "GET, PUT")
