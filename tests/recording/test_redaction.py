"""Text from a server, made safe to show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.redaction import PLACEHOLDER, error_text, printable, redact

AROUND = st.text("<>|~", max_size=5)
ENCODERS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent-encoded": lambda text: quote(text, safe="", errors="replace"),
    "percent-encoded but for what may stand in a path": lambda text: quote(text, errors="replace"),
    "as JavaScript's encodeURIComponent": lambda text: quote(text, safe="!'()*", errors="replace"),
    "as a form": lambda text: quote_plus(text, errors="replace"),
    "percent-encoded in lower case": lambda text: lower_hex(quote(text, safe="", errors="replace")),
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON as PHP writes it": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON as Go writes it": lambda text: (
        json.dumps(text, ensure_ascii=False)[1:-1]
        .replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003E")
    ),
}


def lower_hex(text: str) -> str:
    """Percent-encoded text with its hexadecimal digits in lower case."""
    head, *rest = text.split("%")
    return head + "".join("%" + part[:2].lower() + part[2:] for part in rest)


# The last character is not used by any encoding, so that the end of the secret is certain.
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: f"K{text}9")


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS.keys())
@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_a_secret_is_found_however_it_is_encoded(
    encode: Callable[[str], str], secret: str, before: str, after: str
) -> None:
    assert redact(before + encode(secret) + after, [secret]) == f"{before}[secret]{after}"


@given(st.text(), st.lists(st.text(max_size=8), max_size=4))
def test_no_secret_is_left(text: str, secrets: list[str]) -> None:
    for piece in redact(text, secrets).split("[secret]"):
        assert not [secret for secret in secrets if secret and secret in piece]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert redact(text, ["S3cret-that-is-nowhere", ""]) == text


def test_a_secret_within_another() -> None:
    assert redact("abcd-efgh abcd", {"abcd", "abcd-efgh"}) == "[secret] [secret]"


def test_two_spellings_at_once() -> None:
    assert redact("a/b+c a%2Fb%2bc a\\/b\\u002Bc", ["a/b+c"]) == "[secret] [secret] [secret]"


def test_no_secret_makes_the_search_slow() -> None:
    # A server may choose both the token and the text: the time must be linear in their lengths.
    for secret, text in (
        ("\\" * 40 + "x", "\\" * 70),
        ("%" * 40 + "x", "%25" * 70),
        ("\\u005c" * 20 + "x", "\\" * 300),
    ):
        begun = time.process_time()
        redact(text * 100, [secret])
        assert time.process_time() - begun < 1


def test_printable_text_is_one_safe_line() -> None:
    assert printable("a\r\n b\x1b[31m\x00c\x7f\x9bd\u2028e\u2029f\u202eg\u2066h\ud800i\tj") == (
        "a b [31m c d e f g h i j"
    )


@given(st.text(), st.integers(3, 50))
def test_any_text_is_made_printable_and_short(text: str, longest: int) -> None:
    line = printable(text, longest)
    assert len(line) <= longest
    line.encode()
    assert not set(line) & set("\r\n\x1b\x00\x7f\x85\x9b\u2028\u2029\u202e\u2067")
    assert printable(line, longest) == line


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 197 + "..."


JSON = (("Content-Type", "application/problem+json; charset=utf-8"),)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "no", "code": 5}}, "no"),
        ({"error": "no"}, "no"),
        ({"message": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ({"error": "invalid_grant", "error_description": "expired"}, "expired"),
        ({"error": None, "message": "no"}, "no"),
        ({"error": {}, "message": "no"}, "no"),
    ],
)
def test_the_message_of_a_json_error(body: object, message: str) -> None:
    for headers in (JSON, ()):
        assert error_text(headers, msgspec.json.encode(body)) == message


@pytest.mark.parametrize(
    "body",
    ["{}", '{"code": 5}', '{"error": 5}', '{"message": ["no"]}', "{", "[1]", '{"error": {"message": 5}}', "null"],
)
def test_json_of_another_shape_is_shown_unchanged(body: str) -> None:
    assert error_text(JSON, body.encode()) == body


def test_invalid_json_is_shown_unchanged() -> None:
    assert error_text(JSON, b'{"message": "\xff"}') == "\ufffd"
    assert error_text(JSON, b'{"error": ' + b"[" * 100_000).startswith('{"error": [')


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<html><head><title>Just a moment...</title>", "Just a moment..."),
        ("<TITLE data-x='1'>\n 502 Bad Gateway \n</TITLE>", "502 Bad Gateway"),
        ("<title>a\\b 'c' \"d\" é</title>", "a\\b 'c' \"d\" é"),
    ],
)
def test_the_title_of_a_page(page: str, title: str) -> None:
    assert error_text((("content-type", "text/html"),), page.encode()) == f"a page titled '{title}'"


def test_text_is_shown_unchanged() -> None:
    assert error_text((), b"no \xff") == "no \ufffd"
    assert error_text((), b"") == ""


@given(st.binary(max_size=80), st.sampled_from([JSON, (), (("content-type", "text/html"),)]))
def test_any_body_has_an_error_text(body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    assert isinstance(error_text(headers, body), str)


def test_a_long_secret_is_replaced_whole_and_found_quickly() -> None:
    secret = "+" * 100_000 + "b"
    assert redact(f"token {secret} refused", [secret]) == f"token {PLACEHOLDER} refused"
    # Nothing is timed: if the search depended on the length of the secret, the test would run into its timeout.
    assert PLACEHOLDER in redact("+" * 65536, [secret])


def test_a_secret_is_found_before_anything_is_cut_or_folded() -> None:
    secret = "SUPERSECRETTOKEN0123456789abcdef"
    page = f"<title>{' ' * 480}{secret}</title>"
    assert "SUPER" not in error_text((("content-type", "text/html"),), page.encode(), [secret])
    body = b" " * (65536 - 10) + secret.encode()[:10]
    assert "SUPER" not in printable(error_text((), body, [secret]))
