"""Placeholders: how they are chosen and inserted, and how a replay finds the generated secrets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.flow import NOT_SAVED, Flow, Steps
from modelwire.http import Request
from modelwire.recording import Replay, placeholders
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
from modelwire.text import TextSink
from played_flow import say
from recorded_sessions import assert_no_secret, recorded, spelt


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


def test_text_that_begins_like_a_long_secret_is_replaced_too() -> None:
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
def test_placeholders_do_not_occur_in_the_text(text: str, chosen: str) -> None:
    assert choose_placeholders(["token"], text) == [chosen]
    assert choose_placeholders(["1234"], "7070707") == ["707070770001"]


def test_plain_words_get_no_placeholder() -> None:
    assert filter_trivial(["true", "token", "False", "NULL", "None", "truth"]) == ["token", "truth"]


def test_a_secret_is_replaced_in_every_spelling() -> None:
    secret = 'a/"b"\\ ü+1='
    placeholders = Placeholders({secret: "SECRET0001X"})
    for spelling in spelt(secret):
        assert placeholders.text(f"<{spelling}>") == "<SECRET0001X>"
        assert placeholders.data(f"<{spelling}>".encode()) == b"<SECRET0001X>"


def test_the_longest_secret_is_replaced_first() -> None:
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


def test_a_lone_surrogate_is_written_as_a_question_mark() -> None:
    assert Placeholders({}).text("a\ud800b") == "a?b"
    assert Placeholders({"\ud800\ud800abc": "SECRET0001X"}).text("\ud800\ud800abc") == "SECRET0001X"


@given(
    st.lists(st.sampled_from(["tökén", "t", "ö", "ab", "tökéntökén", " "]), max_size=8).map("".join),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_the_result_does_not_depend_on_the_cuts(text: str, places: list[int]) -> None:
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
def test_cookies_that_the_flow_does_not_know_are_masked(name: str, value: str, written: str) -> None:
    placeholders = Placeholders({"token-1": "SECRET0001X"})
    assert placeholders.header(name, value) == written
    assert placeholders.header(name, written) == written


THREE = ["SECRET0001X", "SECRET0002X", "SECRET0003X"]


def test_a_generated_secret_is_found_by_its_number() -> None:
    generated = find_generated(["SECRET0001X", "true", "generated by it", "SECRET0003X", "one more"], THREE)
    assert generated == [GeneratedSecret("generated by it", "SECRET0002X", True)]
    assert placeholder_map(generated, THREE) == {name: name for name in THREE} | {"generated by it": "SECRET0002X"}


def test_a_generated_secret_is_found_by_its_fingerprint() -> None:
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


def test_a_secret_that_is_generated_differently_is_marked() -> None:
    assert (
        placeholder_map([GeneratedSecret("new", "SECRET0001X", False)], [])["new"]
        == "SECRET0001X (generated differently)"
    )


@dataclass(kw_only=True)
class Signing(Flow):
    """The flow of the worked example in `recording/placeholders.py`."""

    credentials: Any = field(default=None, metadata=NOT_SAVED, repr=False)

    def start(self) -> Steps:
        yield from self.stream(self.request, lambda: TextSink(self.emit))

    def request(self) -> Request:
        signature = self.conceal(self.sign(f"{self.credentials}:Hello".encode()))
        return Request(method="GET", url="https://site.example/", headers=(("signature", signature),))

    def sign(self, text: bytes) -> str:
        return hashlib.sha256(text).hexdigest()[:12]


class SigningDifferently(Signing):
    def sign(self, text: bytes) -> str:
        return hashlib.md5(text).hexdigest()[:12]


def test_the_worked_example() -> None:
    lines = recorded(Signing(credentials="tok-8f3a51"), say("you signed with 3fb4a422dfcb"))
    assert_no_secret(lines, ["tok-8f3a51", "3fb4a422dfcb"])
    head = json.loads(lines[0])
    assert (head["credentials"], head["placeholders"]) == ("SECRET0001X", ["SECRET0001X", "SECRET0002X"])
    assert head["fingerprints"] == {"SECRET0002X": "738b76a5cded0e34"}
    assert "you signed with SECRET0002X" in lines[-3]
    same = Replay(lines, flow=Signing)
    assert "7913aeef60f6" in repr([output for _, output in same.outputs()])
    assert same.first_difference() is None
    difference = Replay(lines, flow=SigningDifferently).first_difference()
    assert '+        "SECRET0002X (generated differently)"' in str(difference)


@pytest.mark.parametrize(
    ("token", "sign", "signature"),
    [
        ("tok-8f3a51", "sha256", "3fb4a422dfcb"),
        ("SECRET0001X", "sha256", "7913aeef60f6"),
        ("SECRET0001X", "md5", "c9303ef635d9"),
    ],
)
def test_the_signatures_of_the_worked_example(token: str, sign: str, signature: str) -> None:
    assert hashlib.new(sign, f"{token}:Hello".encode()).hexdigest()[:12] == signature
    assert signature in (placeholders.__doc__ or "")
