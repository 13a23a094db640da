"""The users of the command line tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Home, Inside
from modelwire.emulators import Behaviour
from modelwire_io.emulation import EmulatorServer

# Credentials that the emulators accept.
TOKEN, KEY = b"emulated-token", b"emulated-key"


@pytest.fixture(scope="module")
def emulators() -> Iterator[EmulatorServer]:
    """Emulators that work without pauses."""
    with EmulatorServer(behaviour=Behaviour(pause=0.0, queue=0.0, work=0.0)) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A new user, whose commands run in their own processes."""
    return Home(tmp_path / "home")


@pytest.fixture
def inside(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    """A new user, whose commands run in this process."""
    return Inside(home, monkeypatch, capsys)


@pytest.fixture
def user(inside: Inside, emulators: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """A user who has logged in, and whose environment leads to the emulators."""
    for name, url in emulators.providers.items():
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", url)
    assert inside.run("login", "hailuo", "--token-stdin", typed=TOKEN).code == 0
    assert inside.run("login", "arta", "--token-stdin", typed=KEY).code == 0
    return inside
