"""A target of the fuzzer, and choices made by the first bytes of an input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from modelwire.testing.watched_flow import is_printable

T = TypeVar("T")

# Characters: the longest message of an allowed exception. It may list all models of a provider.
LONGEST_REFUSAL = 2000
# JSON that is nested too deeply to be decoded.
DEEP = b'{"a":' * 3000
# Chunks: the most for one body, or long bodies would take all the time.
MOST_PIECES = 400


class Target(NamedTuple):
    """One input from outside.

    `play` plays an input, and raises `AssertionError` if the result is wrong. `allowed` are the other exceptions that
    it may raise, with a message of one printable line. `seeds` are the fuzzer's first inputs, `words` its dictionary.
    """

    name: str
    play: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[bytes] = ()

    def run(self, data: bytes) -> None:
        """Play one input. Raises any exception that is not allowed."""
        try:
            self.play(data)
        except self.allowed as error:
            message = str(error)
            assert message.strip(), "a refusal without a message"
            assert is_printable(message), f"a refusal that is not one printable line: {message!r}"
            assert len(message) <= LONGEST_REFUSAL, f"a refusal of {len(message)} characters"


class Choices:
    """Choices by the first bytes of an input, one byte each. `rest` is the remaining input."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def number(self) -> int:
        """A number from 0 to 255, or 0 if the input has ended."""
        first, self.rest = self.rest[:1], self.rest[1:]
        return first[0] if first else 0

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.number() % len(options)]

    def cuts(self) -> Callable[[bytes], Sequence[int]]:
        """Cuts of a body: the length of the first chunk, and of each later one."""
        first, size = self.number(), self.number()
        return lambda body: range(first, len(body), max(size, len(body) // MOST_PIECES)) if size else (first,)
