"""What a target of the fuzzer is, and how the bytes of an input are read as decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from modelwire.testing.session import is_printable

T = TypeVar("T")

# Characters: the names of all models, where there is no such one.
LONGEST_REFUSAL = 2000
# JSON that is nested more deeply than can be read.
DEEP = b'{"a":' * 3000
# A body is cut into no more pieces than this, or long ones would take all the time.
MOST_PIECES = 400


class Target(NamedTuple):
    """One way in from outside.

    `play` takes an input and raises `AssertionError` where what came of it is wrong. `allowed` are the exceptions that
    it may raise besides, each with a message that is one line and fit to be printed: never any other. `seeds` are what
    the fuzzer begins with, `words` what it may put in.
    """

    name: str
    play: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[bytes] = ()

    def run(self, data: bytes) -> None:
        """Play one input. Raises what is not allowed."""
        try:
            self.play(data)
        except self.allowed as error:
            message = str(error)
            assert message.strip(), "a refusal that says nothing"
            assert is_printable(message), f"a refusal that is not fit to be printed: {message!r}"
            assert len(message) <= LONGEST_REFUSAL, f"a refusal of {len(message)} characters"


class Choices:
    """Decides by the first bytes of an input, one for each decision; `rest` is what follows them."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def number(self) -> int:
        """From 0 to 255; 0 where the input has ended."""
        first, self.rest = self.rest[:1], self.rest[1:]
        return first[0] if first else 0

    def one_of(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.number() % len(options)]

    def cuts(self) -> Callable[[bytes], Sequence[int]]:
        """Where to cut a body: after so many bytes, and from there on into pieces of so many, or not at all."""
        first, size = self.number(), self.number()
        return lambda body: range(first, len(body), max(size, len(body) // MOST_PIECES)) if size else (first,)
