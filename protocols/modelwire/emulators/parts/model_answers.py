"""What an emulated model says: friendly, always the same to the same prompt, and full of characters of many bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

# How much of the prompt is quoted, and by how much a cumulative answer grows: characters.
LONGEST_QUOTE = 500
STEP = 24

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
    """Several sentences, chosen by the prompt, with the prompt quoted among them."""
    digest = hashlib.blake2b(prompt.encode()).digest()
    greeting, opinion, hint, farewell = (
        sentences[byte % len(sentences)]
        for sentences, byte in zip((_GREETINGS, _OPINIONS, _HINTS, _FAREWELLS), digest, strict=False)
    )
    return f"{greeting} You said: “{quote(prompt)}” {opinion} {hint}\n\n{farewell}"


def quote(prompt: str, longest: int = LONGEST_QUOTE) -> str:
    """The prompt, or its beginning."""
    return prompt if len(prompt) <= longest else prompt[: longest - 1] + "…"


def growing(text: str) -> Iterator[str]:
    """The text as cumulative streams send it: whole each time, longer and longer."""
    return (text[: start + STEP] for start in range(0, len(text), STEP))
