from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.emulators.parts.model_answers import answer_to, cumulative_texts, quote


@pytest.mark.parametrize("prompt", ["Hello", "Où?", "図書館", ""])
def test_an_answer_quotes_the_prompt_in_several_sentences(prompt: str) -> None:
    answer = answer_to(prompt)
    assert answer == answer_to(prompt)
    assert f"“{prompt}”" in answer
    assert len(re.findall(r"[.!:]", answer)) >= 3


@pytest.mark.parametrize("prompt", [str(number) for number in range(50)])
def test_every_answer_has_accents_east_asian_characters_and_an_emoji(prompt: str) -> None:
    answer = answer_to(prompt)
    for kind in ("[à-ÿ]", "[\u3040-\u30ff\u4e00-\u9fff]", "[\u2600-\u27bf\U0001f300-\U0001faff]"):
        assert re.search(kind, answer), kind


def test_a_long_prompt_is_quoted_in_part() -> None:
    assert quote("abcdef", 6) == "abcdef"
    assert quote("abcdef", 5) == "abcd…"
    assert len(answer_to("x" * 100_000)) < 1000


@given(st.text(max_size=200))
def test_cumulative_texts_are_prefixes_and_the_last_is_the_whole_text(text: str) -> None:
    texts = list(cumulative_texts(text))
    assert texts[-1:] == [text] * bool(text)
    assert all(text.startswith(part) for part in texts)
