"""Draws from entropy, compared with HMAC."""

from __future__ import annotations

import hashlib
import hmac
import math
import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from modelwire.engine.entropy import Entropy, as_choice, as_fraction, as_uuid


def test_a_draw_is_hmac_of_the_request_id_and_the_number_of_the_draw() -> None:
    entropy = Entropy(b"key")
    assert entropy.draw(32, 7) == hmac.new(b"key", b"7:1", hashlib.sha256).digest()
    assert entropy.draw(10, 8) == hmac.new(b"key", b"8:2", hashlib.sha256).digest()[:10]


@given(st.binary(max_size=64), st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_the_same_key_and_order_give_the_same_draws_and_none_repeats(key: bytes, request_ids: list[int]) -> None:
    first, second = Entropy(key), Entropy(key)
    draws = [first.draw(32, request_id) for request_id in request_ids]
    assert draws == [second.draw(32, request_id) for request_id in request_ids]
    assert len(set(draws)) == len(draws)


def test_two_flows_with_one_entropy_never_draw_the_same_for_different_requests() -> None:
    original, restored = Entropy(b"key"), Entropy(b"key")
    assert not {original.draw(16, 3) for _ in range(50)} & {restored.draw(16, 4) for _ in range(50)}
    # "1:11" and "11:1" differ too.
    texts = {f"{request_id}:{draw}" for request_id in range(120) for draw in range(120)}
    assert len(texts) == 120 * 120


@given(st.binary(min_size=16, max_size=40))
def test_a_uuid_is_of_version_4(data: bytes) -> None:
    parsed = uuid.UUID(as_uuid(data))
    assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)
    assert str(parsed) == as_uuid(data)


def test_a_uuid_by_hand() -> None:
    assert as_uuid(bytes(16)) == "00000000-0000-4000-8000-000000000000"
    assert as_uuid(b"\xff" * 16) == "ffffffff-ffff-4fff-bfff-ffffffffffff"


@given(st.binary(min_size=7, max_size=7))
def test_a_fraction_is_at_least_0_and_less_than_1(data: bytes) -> None:
    assert 0 <= as_fraction(data) < 1
    assert (as_fraction(data) * 2**53).is_integer()


def test_the_least_and_the_greatest_fraction() -> None:
    assert as_fraction(bytes(7)) == 0
    assert as_fraction(b"\xff" * 7) == math.nextafter(1, 0)
    assert as_fraction(b"\x80" + bytes(6)) == 0.5


def test_choices_are_evenly_distributed() -> None:
    entropy = Entropy(b"key")
    counts = Counter(as_choice(entropy.draw(32, 0), "abc") for _ in range(3000))
    assert set(counts) == set("abc")
    assert min(counts.values()) > 900
