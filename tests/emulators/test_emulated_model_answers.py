from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.emulators.parts.answers import answer_to, growing, quote
from modelwire.emulators.parts.responses import LONGEST_MESSAGE, error_response


@pytest.mark.parametrize("prompt", ["Hello", "Où?", "図書館", ""])
def test_an_answer_quotes_the_prompt_and_has_characters_of_many_bytes(prompt: str) -> None:
    answer = answer_to(prompt)
    assert answer == answer_to(prompt)
    assert f"“{prompt}”" in answer
    assert len(re.findall(r"[.!:]", answer)) >= 3


@pytest.mark.parametrize("prompt", [str(number) for number in range(50)])
def test_any_answer_has_accents_east_asian_writing_and_an_emoji(prompt: str) -> None:
    answer = answer_to(prompt)
    for kind in ("[à-ÿ]", "[\u3040-\u30ff\u4e00-\u9fff]", "[\u2600-\u27bf\U0001f300-\U0001faff]"):
        assert re.search(kind, answer), kind


def test_a_long_prompt_is_quoted_in_part() -> None:
    assert quote("abcdef", 6) == "abcdef"
    assert quote("abcdef", 5) == "abcd…"
    assert len(answer_to("x" * 100_000)) < 1000


@given(st.text(max_size=200))
def test_a_growing_text_ends_whole(text: str) -> None:
    texts = list(growing(text))
    assert texts[-1:] == [text] * bool(text)
    assert all(text.startswith(part) for part in texts)


def test_a_long_message_is_cut() -> None:
    (chunk,) = error_response(400, "x" * 1000).chunks
    assert len(chunk.data) < LONGEST_MESSAGE + 40
