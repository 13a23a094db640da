"""The clocks whose time a driver passes to a flow."""

from __future__ import annotations

import time

import pytest

from modelwire_io.clock import SystemClock, VirtualClock


def test_the_system_clock_returns_unix_time() -> None:
    before = time.time()
    now = SystemClock().now()
    assert before - 0.1 <= now <= time.time() + 0.1


def test_setting_the_wall_clock_does_not_move_the_system_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert before <= clock.now() < before + 5


def test_the_system_clock_advances_with_the_monotonic_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    clock = SystemClock()
    assert clock.now() == 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: 7.5)
    assert clock.now() == 1002.5


def test_the_virtual_clock_stands_still() -> None:
    clock = VirtualClock(1000.0)
    assert clock.now() == clock.now() == 1000.0


def test_the_virtual_clock_advances_and_never_goes_back() -> None:
    clock = VirtualClock(1000.0)
    clock.advance_to(1010.5)
    assert clock.now() == 1010.5
    clock.advance_to(1000.0)
    assert clock.now() == 1010.5
