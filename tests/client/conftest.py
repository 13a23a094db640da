"""Clients in every style over emulators, installed provider packages, and an empty home."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest

from emulated_clients import NO_PAUSES, MemorySetup
from modelwire_io.emulation import EmulatorServer
from modelwire_io.emulation import server as emulator_server
from transport_variants import STYLES, Style, backend_of


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    found: Style = request.param
    return found


@pytest.fixture
def anyio_backend(style: Style) -> str:
    return backend_of(style)


@pytest.fixture
def memory(style: Style) -> MemorySetup:
    return MemorySetup(style)


@pytest.fixture
def fast_emulators(monkeypatch: pytest.MonkeyPatch) -> None:
    """`emulate=True` starts emulators that work without pauses."""
    monkeypatch.setattr(emulator_server, "EmulatorServer", partial(EmulatorServer, behaviour=NO_PAUSES))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder that holds every directory of the user's."""
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a package: a module, and the metadata that declares its entry points."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution: str, code: str, **entries: str) -> None:
        (tmp_path / f"{distribution}.py").write_text(dedent(code), encoding="utf-8")
        metadata = tmp_path / f"{distribution}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[modelwire.providers]", *lines, ""]), encoding="utf-8")
        monkeypatch.setattr(sys, "path_importer_cache", {})

    yield install
    for name in set(sys.modules) - known:
        del sys.modules[name]
