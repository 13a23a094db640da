from __future__ import annotations

from modelwire.emulators.parts.expiring_dict import ExpiringDict


def test_a_value_is_there_until_it_expires() -> None:
    values: ExpiringDict[str] = ExpiringDict(9)
    values.put("a", "value", 100.0, 10.0)
    assert values.get("a", 109.9) == "value"
    assert values.get("a", 110.0) is None
    assert values.get("b", 100.0) is None


def test_expired_entries_are_dropped_when_another_is_stored() -> None:
    values: ExpiringDict[str] = ExpiringDict(9)
    for second in range(100):
        values.put(str(second), "value", float(second), 3.0)
    assert len(values) == 3
    values.put("more", "value", 1e6, 0.0)
    assert len(values) == 0


def test_the_oldest_entry_is_dropped_if_there_is_no_room() -> None:
    values: ExpiringDict[int] = ExpiringDict(2)
    for key in ("a", "b", "a", "c"):
        values.put(key, 1, 0.0)
    assert (values.get("a", 0.0), values.get("b", 0.0), values.get("c", 0.0)) == (1, None, 1)


def test_a_value_can_be_popped_once() -> None:
    values: ExpiringDict[int] = ExpiringDict(2)
    values.put("a", 1, 0.0, 5.0)
    values.put("b", 2, 0.0, 5.0)
    assert (values.pop("a", 1.0), values.pop("a", 1.0)) == (1, None)
    assert (values.pop("b", 5.0), len(values)) == (None, 0)
