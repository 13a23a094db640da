"""MagickPen's wire, as its page uses it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.http import Request
from modelwire.limits import Limits
from modelwire.providers.magickpen import PROVIDER, MagickPenChat, MagickPenEndpoints, MagickPenOptions, as_javascript
from played_flow import (
    NOW,
    Broken,
    PlayedFlow,
    ScriptedResponse,
    begin,
    bytewise,
    header_map,
    play,
    say,
    through_json,
    two_part_cuts,
)

DEFAULTS = MagickPenOptions()
BUNDLE = '!function(){e={"X-API-Secret":"Api_Secret1",foo:1},t={secret:"Se_cret2"}}()'


def page(*sources: str) -> ScriptedResponse:
    """The index page of the site, with these scripts."""
    return say("<html><head>" + "".join(f'<script src="{source}" defer></script>' for source in sources) + "</head>")


def asked(*, messages: str = "Hello", options: MagickPenOptions = DEFAULTS, now: float = NOW) -> PlayedFlow:
    """A session up to the signed request."""
    return play(MagickPenChat(messages=messages, options=options), page("/_nuxt/a.js"), say(BUNDLE), now=now)


def urls(session: PlayedFlow) -> list[str]:
    return [request.url for request in session.requests]


# Finding the keys.


def test_the_index_then_its_scripts_in_order_until_both_keys_are_found() -> None:
    session = play(
        MagickPenChat(messages="x"),
        page("/_nuxt/a.js", "/_nuxt/b.js", "/_nuxt/c.js"),
        say('{"X-API-Secret":"Api_Secret1"}'),
        say('{secret:"Se_cret2"}'),
    )
    assert urls(session) == [
        "https://magickpen.com/",
        "https://magickpen.com/_nuxt/a.js",
        "https://magickpen.com/_nuxt/b.js",
        "https://api.magickpen.com/ask",
    ]
    assert [request.method for request in session.requests] == ["GET", "GET", "GET", "POST"]
    headers = header_map(session.request)
    assert (headers["x-api-secret"], headers["secret"]) == ("Api_Secret1", "Se_cret2")


def test_no_script_is_requested_after_both_keys_are_found() -> None:
    session = play(MagickPenChat(messages="x"), page("/_nuxt/a.js", "/_nuxt/b.js"), say(BUNDLE))
    assert urls(session)[-1] == "https://api.magickpen.com/ask"


def test_defect_a_bundle_whose_name_changes_at_each_deploy() -> None:
    assert urls(asked())[:2] == ["https://magickpen.com/", "https://magickpen.com/_nuxt/a.js"]


def test_one_bundle_may_be_pinned() -> None:
    flow = MagickPenChat(messages="x", options=MagickPenOptions(bundle="/_nuxt/bf709a9ce19f14e18116.js"))
    session = play(flow, say(BUNDLE))
    assert urls(session) == [
        "https://magickpen.com/_nuxt/bf709a9ce19f14e18116.js",
        "https://api.magickpen.com/ask",
    ]


def test_the_first_value_of_a_key_counts() -> None:
    session = play(MagickPenChat(messages="x"), page("/_nuxt/a.js", "/_nuxt/b.js"), say('secret:"one"'), say(BUNDLE))
    assert header_map(session.request)["secret"] == "one"


def found_scripts(html: str, options: MagickPenOptions = DEFAULTS, site: str = "") -> list[str]:
    """The requested scripts of a page, none of which holds a key."""
    endpoints = MagickPenEndpoints(site=site) if site else MagickPenEndpoints()
    session = begin(MagickPenChat(messages="x", options=options, endpoints=endpoints))
    session.respond(say(html))
    while not session.is_over:
        session.respond(say("nothing"))
    assert "not found" in session.failure.message
    return urls(session)[1:]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<script src="/_nuxt/a.js">', ["/_nuxt/a.js"]),
        ("<script src='/_nuxt/a.js'>", ["/_nuxt/a.js"]),
        ("<SCRIPT DEFER SRC=/_nuxt/a.js>", ["/_nuxt/a.js"]),
        ('<script src = "/_nuxt/a.js" defer>', ["/_nuxt/a.js"]),
        ('<script\nsrc="/_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="https://magickpen.com/_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="https://magickpen.com:443/_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="//magickpen.com/_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="./_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="../x/../_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<script src="/_nuxt/a.js?v=1&amp;w=2">', ["/_nuxt/a.js?v=1&w=2"]),
        ('<link rel="preload" as="script" href="/_nuxt/a.js">', ["/_nuxt/a.js"]),
        ('<link href="/_nuxt/a.js" rel="modulepreload" as="script">', ["/_nuxt/a.js"]),
        (
            '<script src="/_nuxt/b.js"><script src="/_nuxt/a.js"><script src="/_nuxt/b.js">',
            ["/_nuxt/b.js", "/_nuxt/a.js"],
        ),
        # Not scripts, scripts of other sites, or not bundles.
        ('<link rel="stylesheet" href="/_nuxt/a.js">', []),
        ('<link rel="preload" as="style" href="/_nuxt/a.css">', []),
        ('<script>x = "/_nuxt/a.js"</script>', []),
        ('<a href="/_nuxt/a.js">', []),
        ('<script src="https://evil.example/_nuxt/a.js">', []),
        ('<script src="//evil.example/_nuxt/a.js">', []),
        ('<script src="http://magickpen.com/_nuxt/a.js">', []),
        ('<script src="https://magickpen.com:8443/_nuxt/a.js">', []),
        ('<script src="https://magickpen.com@evil.example/_nuxt/a.js">', []),
        ('<script src="https://magickpen.com.evil.example/_nuxt/a.js">', []),
        ('<script src="https://[/_nuxt/a.js">', []),
        ('<script src="https://magickpen.com:port/_nuxt/a.js">', []),
        ('<script src="javascript:/_nuxt/a.js">', []),
        ('<script src="/other/a.js">', []),
        ('<script src="/_nuxt/a.css">', []),
        ('<script src="/_nuxt/ä.js">', []),
        ('<script src="/_nuxt/a.js?ä">', []),
        ('<script src="/_nuxt/">', []),
        ('<script src="">', []),
        ("", []),
    ],
)
def test_which_scripts_are_the_sites_own_bundles(html: str, expected: list[str]) -> None:
    assert found_scripts(html) == [f"https://magickpen.com{path}" for path in expected]


def test_below_a_base_script_paths_are_appended_to_it() -> None:
    site = "http://127.0.0.1:8000/magickpen"
    assert found_scripts('<script src="/_nuxt/a.js">', site=site) == [f"{site}/_nuxt/a.js"]
    assert found_scripts('<script src="_nuxt/a.js">', site=site) == [f"{site}/_nuxt/a.js"]


@pytest.mark.parametrize(
    "what", [{"options": MagickPenOptions(bundle="//[")}, {"endpoints": MagickPenEndpoints(index_path="http://[::1")}]
)
def test_an_invalid_script_path_is_refused(what: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="is neither a path nor a URL"):
        MagickPenChat(messages="x", **what)


def test_at_most_sixteen_bundles_are_searched() -> None:
    html = "".join(f'<script src="/_nuxt/{i}.js">' for i in range(40))
    assert found_scripts(html) == [f"https://magickpen.com/_nuxt/{i}.js" for i in range(16)]
    assert len(found_scripts(html, MagickPenOptions(most_bundles=3))) == 3


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("", "X-API-Secret and secret not found"),
        ('{"X-API-Secret":"a"}', "secret not found"),
        ('{secret:"b"}', "X-API-Secret not found"),
        ('{"X-API-Secret":"",secret:"b"}', "X-API-Secret not found"),
        ('{"X-API-Secret":"a-b",secret:"b"}', "X-API-Secret not found"),
        ('{"X-API-Secret":"ж",secret:"b"}', "X-API-Secret not found"),
    ],
)
def test_a_value_missing_is_a_failure_that_names_it_and_the_bundles(script: str, missing: str) -> None:
    session = play(MagickPenChat(messages="x"), page("/_nuxt/a.js?x=1", "/_nuxt/b.js"), say(script), say(script))
    assert session.failure.kind == "protocol"
    assert session.failure.message.startswith(missing)
    assert "searched: https://magickpen.com/_nuxt/a.js, https://magickpen.com/_nuxt/b.js." in session.failure.message


def test_a_page_without_scripts_is_a_failure() -> None:
    failure = play(MagickPenChat(messages="x"), say("<html>Just a moment...")).failure
    assert "searched: no script." in failure.message


def test_a_hostile_page_takes_linear_time() -> None:
    # The limit of a body is sixteen times this. A quadratic search would take hours.
    for nasty in ("<script ", "<script src=", "src" + " " * 1900, "<link as=script href=", "<script " + "a" * 1990):
        assert found_scripts(nasty * ((1 << 20) // len(nasty))) == []


# The request.


def test_the_request() -> None:
    request = asked(messages="Привет").request
    assert (request.method, request.url) == ("POST", "https://api.magickpen.com/ask")
    headers = header_map(request)
    nonce, timestamp = headers.pop("nonce"), headers.pop("timestamp")
    assert headers == {
        "accept": "application/json, text/plain, */*",
        "accept-language": "en-US,en;q=0.9",
        "content-type": "application/json",
        "origin": "https://magickpen.com",
        "referer": "https://magickpen.com/",
        "secret": "Se_cret2",
        "signature": signature(timestamp, nonce),
        "x-api-secret": "Api_Secret1",
    }
    assert timestamp == "1700000000250"
    assert re.fullmatch(r"0\.[0-9]+", nonce)
    assert json.loads(request.body) == {"query": "Привет", "turnstileResponse": "", "action": "verify"}


def signature(timestamp: str, nonce: str, key: str = "TGDBU9zCgM") -> str:
    """The signature, made by hand: sort the three strings, join them, MD5."""
    return hashlib.md5("".join(sorted([key, timestamp, nonce])).encode("ascii")).hexdigest()


@given(st.binary(min_size=16, max_size=16), st.integers(10**9, 2 * 10**9))
def test_the_signature_for_any_moment_and_nonce(entropy: bytes, now: int) -> None:
    session = begin(MagickPenChat(messages="x", options=MagickPenOptions(bundle="/a.js")), now=now, entropy=entropy)
    session.respond(say(BUNDLE))
    headers = header_map(session.request)
    assert headers["timestamp"] == f"{now}000"
    assert headers["signature"] == signature(headers["timestamp"], headers["nonce"])
    assert 0 <= float(headers["nonce"]) < 1


def test_a_solved_captcha_and_another_key_are_options() -> None:
    session = asked(options=MagickPenOptions(turnstile_response="solved", signing_key="key"))
    headers = header_map(session.request)
    assert json.loads(session.request.body)["turnstileResponse"] == "solved"
    assert headers["signature"] == signature(headers["timestamp"], headers["nonce"], "key")


def test_each_attempt_has_a_new_signature() -> None:
    session = asked()
    first = header_map(session.request)
    session.respond(say("", 503, retry_after="5"))
    session.sleep_on()
    second = header_map(session.request)
    assert int(second["timestamp"]) >= int(first["timestamp"]) + 5000
    assert second["nonce"] != first["nonce"]
    assert second["signature"] == signature(second["timestamp"], second["nonce"])


def test_the_endpoints_are_fields() -> None:
    base = "http://127.0.0.1:8000/magickpen"
    flow = MagickPenChat(messages="x", endpoints=MagickPenEndpoints(site=base, api=base))
    session = play(flow, page("/_nuxt/a.js"), say(BUNDLE))
    assert urls(session) == [f"{base}/", f"{base}/_nuxt/a.js", f"{base}/ask"]
    assert header_map(session.request)["referer"] == f"{base}/"


def test_no_message_holds_the_keys() -> None:
    session = asked()
    sent = header_map(session.request)
    session.respond(say(f"bad {sent['secret']} {sent['x-api-secret']} {sent['signature']}", 403))
    assert session.failure.message == (
        "https://api.magickpen.com/ask answered with status 403: bad [secret] [secret] [secret]"
    )


# JavaScript's numbers.


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (0.5, "0.5"),
        (0.1, "0.1"),
        (0.1234567890123456, "0.1234567890123456"),
        (1.2e-05, "0.000012"),
        (1e-05, "0.00001"),
        (1e-06, "0.000001"),
        (1.5e-06, "0.0000015"),
        (9.99e-07, "9.99e-7"),
        (1e-07, "1e-7"),
        (1.234567890123456e-10, "1.234567890123456e-10"),
        (2**-53, "1.1102230246251565e-16"),
        (1 - 2**-53, "0.9999999999999999"),
        (0.0001, "0.0001"),
        (0.00012345, "0.00012345"),
    ],
)
def test_numbers_as_javascript_prints_them(number: float, text: str) -> None:
    assert as_javascript(number) == text


# Results of Math.random(), multiples of 2**-53. Here small ones are as likely as others.
RANDOM_NUMBERS = st.one_of(
    st.integers(0, 2**53 - 1).map(lambda n: n / 2**53),
    st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 52)).map(lambda pair: (pair[0] >> pair[1]) / 2**53),
)


@given(RANDOM_NUMBERS)
@example(2**-53)
def test_numbers_as_ecma_262_defines(number: float) -> None:
    assert as_javascript(number) == number_to_string(number)
    assert float(as_javascript(number)) == number


def number_to_string(x: float) -> str:
    """ECMA-262, 6.1.6.1.20, Number::toString for radix 10, by its own letters, for 0 <= x < 1."""
    if x == 0:
        return "0"
    k, s, n = shortest(x)
    if -6 < n <= 0:
        return "0." + "0" * -n + s
    e = f"e-{abs(n - 1)}"
    return s + e if k == 1 else f"{s[0]}.{s[1:]}{e}"


def shortest(x: float) -> tuple[int, str, int]:
    """The shortest k digits s for which s * 10 ** (n - k) reads back as x; of these, the closest to x."""
    for k in range(1, 18):
        mantissa, _, exponent = f"{x:.{k - 1}e}".partition("e")
        n = int(exponent) + 1
        nearest = int(mantissa.replace(".", ""))
        around = [s for s in (nearest, nearest - 1, nearest + 1) if float(f"{s}e{n - k}") == x]
        if around:
            return k, str(around[0]), n
    raise AssertionError("seventeen digits are enough for any float")


# The answer.

TEXT = "Grüße, 世界! 🐉"


def answers(*responses: ScriptedResponse) -> PlayedFlow:
    session = asked()
    return session.play(*responses)


def test_the_answer_is_plain_text() -> None:
    session = answers(say(TEXT))
    assert session.succeeded
    assert session.text == TEXT


def test_defect_characters_split_between_chunks() -> None:
    for chunks in chunkings(TEXT.encode()):
        assert answers(ScriptedResponse(chunks=chunks)).text == TEXT


def chunkings(data: bytes) -> Iterator[list[bytes]]:
    yield bytewise(data)
    yield from two_part_cuts(data)


def test_an_empty_answer_is_a_failure() -> None:
    assert answers(say("")).failure.kind == "no_answer"


def test_a_refused_request() -> None:
    assert answers(say("no", 403)).failure.kind == "refused"


def test_a_missing_script_is_a_failure() -> None:
    failure = play(MagickPenChat(messages="x"), page("/_nuxt/a.js"), say("", 404)).failure
    assert failure.message == "https://magickpen.com/_nuxt/a.js answered with status 404"


def test_a_restored_flow_searches_the_same_scripts_again() -> None:
    session = asked()
    session.respond(Broken(kind="network", after=say("Hel")))
    assert session.failure.text == "Hel"
    restored = play(through_json(session.flow), say(BUNDLE), say("Hello"))
    assert urls(restored) == ["https://magickpen.com/_nuxt/a.js", "https://api.magickpen.com/ask"]
    assert restored.text == "Hello"
    assert "Se_cret2" not in session.flow.snapshot()


def test_each_request_is_repeatable_and_has_a_timeout() -> None:
    session = play(MagickPenChat(messages="x", limits=Limits(silence=7.0)), page("/_nuxt/a.js"), say(BUNDLE))
    assert {(request.repeatable, request.timeout) for request in session.requests} == {(True, 7.0)}


def test_requests_of_pages_have_no_headers() -> None:
    index, script, _ = asked().requests
    assert header_map(index) == header_map(script) == {"accept": "*/*"}
    assert index.body == script.body == b""


def test_a_history_is_one_prompt() -> None:
    flow = MagickPenChat(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    session = play(flow, page("/_nuxt/a.js"), say(BUNDLE))
    assert query_of(session.request) == "System: Be brief.\nUser: Hi\nAssistant:"


def query_of(request: Request) -> str:
    text: str = json.loads(request.body)["query"]
    return text


def test_another_model_is_refused() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'gpt-4o-mini'"):
        MagickPenChat(messages="x", model="gpt-4o")


def test_what_the_catalog_says() -> None:
    assert (PROVIDER.name, PROVIDER.label, PROVIDER.status) == ("magickpen", "MagickPen", "gone")
    assert list(MagickPenChat.models or ()) == ["gpt-4o-mini"]
