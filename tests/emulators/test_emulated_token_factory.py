from __future__ import annotations

from modelwire.emulators.parts.token_factory import TokenFactory


def test_only_the_same_entropy_makes_the_same_tokens() -> None:
    first, second = TokenFactory(b"1"), TokenFactory(b"1")
    tokens = [first.make("x") for _ in range(9)]
    assert tokens == [second.make("x") for _ in range(9)]
    assert len(set(tokens)) == 9
    assert TokenFactory(b"2").make("x") != tokens[0] != TokenFactory(b"1").make("y")
