"""What stands for a secret, and where."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.recording.placeholders import (
    GeneratedSecret,
    Placeholders,
    choose_placeholders,
    filter_trivial,
    find_generated,
    fingerprints_of,
    placeholder_map,
)
from modelwire.redaction import PLACEHOLDER
from recorded_sessions import spelt


def test_placeholders_are_numbered_letters_and_digits() -> None:
    assert choose_placeholders(["one-token", "two"], "") == ["SECRET0001X", "SECRET0002X"]
    assert choose_placeholders([], "SECRET") == []


def test_a_secret_of_digits_gets_digits() -> None:
    assert choose_placeholders(["token", "12345", "١٢٣٤"], "") == ["SECRET0001X", "70707070002", "SECRET0003X"]
    number, name = "123456", "70707070001"
    assert json.loads(Placeholders({number: name}).data(b'{"id":123456}')) == {"id": int(name)}


def test_a_long_secret_gets_a_long_placeholder() -> None:
    letters, digits = choose_placeholders(["a" * 65, "1" * 65], "")
    assert (letters, digits) == ("SECRET0001" + "X" * 55, "70707070002" + "2" * 54)
    assert choose_placeholders(["a" * 64], "") == ["SECRET0001X"]


def test_what_begins_like_a_long_secret_is_replaced_as_well() -> None:
    header = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ijc1MzFmYjA4YWUyOGM0ZWQ5YmEwIiwidHlwIjoiSldUIn0"
    one, two = f"{header}.one.first", f"{header}.two.second"
    one_name, two_name = "SECRET0001".ljust(65, "X"), "SECRET0002".ljust(65, "X")
    placeholders = Placeholders({one: one_name, two: two_name})
    assert placeholders.text(f"{one}&a={two} or {header}.oth... {header[:64]}") == (
        f"{one_name}&a={two_name} or {two_name} {two_name}"
    )
    assert placeholders.text(header[:63]) == header[:63]
    assert placeholders.text(two_name) == two_name


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("nothing", "SECRET0001X"),
        ("TOP SECRET", "SECRETZ0001X"),
        ("SECRETZZ", "SECRETZZZ0001X"),
        ("secret", "SECRET0001X"),
    ],
)
def test_placeholders_are_like_nothing_else(text: str, chosen: str) -> None:
    assert choose_placeholders(["token"], text) == [chosen]
    assert choose_placeholders(["1234"], "7070707") == ["707070770001"]


def test_words_that_are_no_secrets_are_left_alone() -> None:
    assert filter_trivial(["true", "token", "False", "NULL", "None", "truth"]) == ["token", "truth"]


def test_a_secret_is_replaced_in_every_spelling() -> None:
    secret = 'a/"b"\\ ü+1='
    placeholders = Placeholders({secret: "SECRET0001X"})
    for spelling in spelt(secret):
        assert placeholders.text(f"<{spelling}>") == "<SECRET0001X>"
        assert placeholders.data(f"<{spelling}>".encode()) == b"<SECRET0001X>"


def test_a_secret_inside_another_is_not_taken_for_it() -> None:
    placeholders = Placeholders({"abcd": "SECRET0001X", "xabcdx": "SECRET0002X", "0002": "SECRET0003X"})
    assert placeholders.text("abcd xabcdx abcdx 0002") == "SECRET0001X SECRET0002X SECRET0001Xx SECRET0003X"


def test_a_placeholder_is_never_replaced() -> None:
    placeholders = Placeholders({"CRET": "SECRET0001X", "0001": "SECRET0002X"})
    once = placeholders.text("CRET 0001")
    assert once == "SECRET0001X SECRET0002X"
    assert placeholders.text(once) == once


def test_without_secrets_nothing_is_replaced() -> None:
    placeholders = Placeholders({})
    assert placeholders.text("a text") == "a text"
    assert placeholders.chunks([b"a", b"", b"b"]) == [b"a", b"", b"b"]
    assert placeholders.chunks([]) == []


def test_what_utf_8_cannot_carry_is_written_as_a_question_mark() -> None:
    assert Placeholders({}).text("a\ud800b") == "a?b"
    assert Placeholders({"\ud800\ud800abc": "SECRET0001X"}).text("\ud800\ud800abc") == "SECRET0001X"


@given(
    st.lists(st.sampled_from(["tökén", "t", "ö", "ab", "tökéntökén", " "]), max_size=8).map("".join),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_cutting_changes_nothing(text: str, places: list[int]) -> None:
    placeholders = Placeholders({"tökén": "SECRET0001X", "abab": "SECRET0002X"})
    ends = sorted(min(place, len(text)) for place in places)
    pieces = [text[i:j] for i, j in zip([0, *ends], [*ends, len(text)], strict=True)]
    replaced = placeholders.texts(pieces)
    assert len(replaced) == len(pieces)
    assert "".join(replaced) == placeholders.text(text)
    data = text.encode()
    ends = sorted(min(place, len(data)) for place in places)
    chunks = placeholders.chunks([data[i:j] for i, j in zip([0, *ends], [*ends, len(data)], strict=True)])
    assert b"".join(chunks) == placeholders.text(text).encode()
    assert all(chunk.count(b"SECRET") == chunk.count(b"X") for chunk in chunks)


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("Set-Cookie", "a=token-1; Path=/path", "a=SECRET0001X; Path=/path"),
        ("set-cookie", "a=other-2; Path=/path", "a=xxxxx-x; Path=/path"),
        ("set-cookie", "a= token-1.other ; Secure", "a= SECRET0001X.xxxxx ; Secure"),
        ("set-cookie", "flag; Path=/x", "flag; Path=/x"),
        ("Cookie", "a=token-1; b=other-2; c=xyz; d=true", "a=SECRET0001X; b=xxxxx-x; c=xyz; d=true"),
        ("Authorization", "a=other-2", "a=other-2"),
    ],
)
def test_cookies_that_nobody_has_concealed_are_masked(name: str, value: str, written: str) -> None:
    placeholders = Placeholders({"token-1": "SECRET0001X"})
    assert placeholders.header(name, value) == written
    assert placeholders.header(name, written) == written


THREE = ["SECRET0001X", "SECRET0002X", "SECRET0003X"]


def test_what_a_flow_makes_is_named_by_number() -> None:
    made = find_generated(["SECRET0001X", "true", "made by it", "SECRET0003X", "one more"], THREE)
    assert made == [GeneratedSecret("made by it", "SECRET0002X", True)]
    assert placeholder_map(made, THREE) == {name: name for name in THREE} | {"made by it": "SECRET0002X"}


def test_what_a_flow_makes_is_known_by_its_fingerprint() -> None:
    fingerprints = fingerprints_of(
        [GeneratedSecret("first", "SECRET0002X", True), GeneratedSecret("second", "SECRET0003X", True)]
    )
    assert all(len(fingerprint) == 16 for fingerprint in fingerprints.values())
    assert find_generated(["SECRET0001X", "new", "second", "newer", "newest"], THREE, fingerprints) == [
        GeneratedSecret("new", "SECRET0002X", False),
        GeneratedSecret("second", "SECRET0003X", True),
        GeneratedSecret("newer", PLACEHOLDER, False),
        GeneratedSecret("newest", PLACEHOLDER, False),
    ]


def test_what_is_made_in_another_way_has_another_name() -> None:
    assert (
        placeholder_map([GeneratedSecret("new", "SECRET0001X", False)], [])["new"]
        == "SECRET0001X (made in another way)"
    )
