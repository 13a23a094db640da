from __future__ import annotations

from modelwire.emulators.parts.memory import Memory, TokenFactory


def test_a_value_is_there_until_its_time() -> None:
    memory: Memory[str] = Memory(9)
    memory.put("a", "value", 100.0, 10.0)
    assert memory.get("a", 109.9) == "value"
    assert memory.get("a", 110.0) is None
    assert memory.get("b", 100.0) is None


def test_what_has_expired_is_dropped_when_something_comes() -> None:
    memory: Memory[str] = Memory(9)
    for second in range(100):
        memory.put(str(second), "value", float(second), 3.0)
    assert len(memory) == 3
    memory.put("more", "value", 1e6, 0.0)
    assert len(memory) == 0


def test_the_oldest_goes_where_there_is_no_room() -> None:
    memory: Memory[int] = Memory(2)
    for key in ("a", "b", "a", "c"):
        memory.put(key, 1, 0.0)
    assert (memory.get("a", 0.0), memory.get("b", 0.0), memory.get("c", 0.0)) == (1, None, 1)


def test_a_value_can_be_taken_once() -> None:
    memory: Memory[int] = Memory(2)
    memory.put("a", 1, 0.0, 5.0)
    memory.put("b", 2, 0.0, 5.0)
    assert (memory.pop("a", 1.0), memory.pop("a", 1.0)) == (1, None)
    assert (memory.pop("b", 5.0), len(memory)) == (None, 0)


def test_a_mint_repeats_itself_only_from_the_same_entropy() -> None:
    first, second = TokenFactory(b"1"), TokenFactory(b"1")
    made = [first.make("x") for _ in range(9)]
    assert made == [second.make("x") for _ in range(9)]
    assert len(set(made)) == 9
    assert TokenFactory(b"2").make("x") != made[0] != TokenFactory(b"1").make("y")
