"""What the kit measures of an answer that never ends, and that its measure can be exceeded."""

from __future__ import annotations

import pytest

from echo_service import EchoChat, kit_for
from modelwire.testing.faults import burdens


def test_an_answer_that_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burdens, "SLOWEST", 0)
    with pytest.raises(AssertionError, match=r"16 times as much takes [0-9]+ times as long"):
        burdens.check_time(kit_for(EchoChat).scenes()[0], 0, b"x", burdens.WHOLE)


def test_a_request_that_is_never_made_has_no_answer_to_be_measured() -> None:
    burdens.check_bounds(kit_for(EchoChat).scenes()[0], 99, 200, b"x")


def test_an_answer_that_is_taken_without_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burdens, "MOST_MEMORY", 0)
    with pytest.raises(AssertionError, match="bytes of memory were held"):
        burdens.check_bounds(kit_for(EchoChat).scenes()[0], 0, 200, b"x")
