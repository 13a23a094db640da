"""The kit's measurements of long responses can fail."""

from __future__ import annotations

import pytest

from echo_service import EchoChat, kit_for
from modelwire.testing.faults import burdens


def test_a_response_that_takes_too_much_cpu_time_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burdens, "MAX_SLOWDOWN", 0)
    with pytest.raises(AssertionError, match=r"16 times as long takes [0-9]+ times as much CPU time"):
        burdens.check_time(kit_for(EchoChat).scenes()[0], 0, b"x", burdens.ONE_CHUNK)


def test_a_request_that_is_never_sent_is_not_measured() -> None:
    burdens.check_bounds(kit_for(EchoChat).scenes()[0], 99, 200, b"x")


def test_a_response_that_takes_too_much_memory_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burdens, "MAX_MEMORY", 0)
    with pytest.raises(AssertionError, match="bytes of memory were held"):
        burdens.check_bounds(kit_for(EchoChat).scenes()[0], 0, 200, b"x")
