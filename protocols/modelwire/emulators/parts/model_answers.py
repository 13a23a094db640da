"""Answers of an emulated model: the same prompt gets the same answer, rich in multi-byte characters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

# Characters: the longest quote of a prompt in an answer.
MAX_QUOTE_CHARS = 500
# Characters: how much each event of a cumulative stream adds to the text.
STEP_CHARS = 24

_GREETINGS = (
    "Hello, and thank you for asking — that is très gentil! 👋",
    "Ah, what a charming question; as they say in Zürich: grüezi! 🌻",
    "¡Qué alegría! It is always good to hear from you. ☕",
)
_OPINIONS = (
    "I thought about it over a cup of tea (お茶), and I believe that you are on the right track.",
    "My naïve first idea was a haiku about 雪, but a plain answer will serve you better.",
    "An old saying has it that 千里之行始于足下: a journey of a thousand miles begins with one step.",
)
_HINTS = (
    "Take it piece by piece, check each one, and the façade of difficulty crumbles.",
    "Begin with the smallest example that could work, then let it grow, peu à peu.",
    "Write down what you know, then what you don't; the rest is Fingerspitzengefühl.",
)
_FAREWELLS = (
    "No model was woken for this: I am an emulator, and 100 % déterministe. 🤖",
    "I am only an emulator, so please don't quote me — but do come back! 🎈",
    "Yours, the emulator 🐉 (さようなら, and à bientôt!)",
)


def answer_to(prompt: str) -> str:
    """Several sentences, chosen by a hash of the prompt, that quote the prompt."""
    digest = hashlib.blake2b(prompt.encode()).digest()
    greeting, opinion, hint, farewell = (
        sentences[byte % len(sentences)]
        for sentences, byte in zip((_GREETINGS, _OPINIONS, _HINTS, _FAREWELLS), digest, strict=False)
    )
    return f"{greeting} You said: “{quote(prompt)}” {opinion} {hint}\n\n{farewell}"


def quote(prompt: str, max_chars: int = MAX_QUOTE_CHARS) -> str:
    """The prompt, shortened to `max_chars` characters with an ellipsis."""
    return prompt if len(prompt) <= max_chars else prompt[: max_chars - 1] + "…"


def cumulative_texts(text: str) -> Iterator[str]:
    """The text as a cumulative stream sends it: each item repeats the text so far and adds to it."""
    return (text[: start + STEP_CHARS] for start in range(0, len(text), STEP_CHARS))
