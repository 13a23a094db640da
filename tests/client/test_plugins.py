"""Providers of third parties: found by the entry points of what is installed, imported when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from modelwire.catalog import PROVIDERS
from modelwire.errors import InvalidInput
from modelwire_io import Client
from modelwire_io.client.plugins import load_provider, plugin_names
from modelwire_io.emulation import EmulatorServer

# A provider that speaks Cromicle's protocol under a name of its own.
ECHO = """
import msgspec
from modelwire.providers import cromicle
PROVIDER = msgspec.structs.replace(cromicle.PROVIDER, name="echo", label="Echo", website="https://echo.example")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
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


def test_there_are_none_at_first() -> None:
    assert plugin_names() == []
    assert [load_provider(name) for name in PROVIDERS] == list(PROVIDERS.values())


def test_a_plugin_is_found_by_name_and_imported_when_it_is_asked_for(install: Install) -> None:
    install("echo_package", ECHO, echo="echo_package:PROVIDER")
    assert plugin_names() == ["echo"]
    assert load_provider("cromicle") is PROVIDERS["cromicle"]
    assert "echo_package" not in sys.modules
    provider = load_provider("Echo")
    assert (provider.name, provider.label) == ("echo", "Echo")
    with pytest.raises(InvalidInput, match=r"^unknown provider 'ecko': did you mean 'echo'\?$"):
        load_provider("ecko")


def test_a_plugin_can_be_talked_to(install: Install) -> None:
    install("echo_package", ECHO, echo="echo_package:PROVIDER")
    with EmulatorServer() as server:
        environment = {"ECHO_BASE_URL": server.providers["cromicle"]}
        with Client(environment=environment) as client, client.chat("echo", "Hello") as chat:
            assert "“Hello”" in chat.read()
    assert [request.provider for request in server.requests] == ["cromicle"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere_to_be_found", "does not load: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('it is Monday')", "does not load: it is Monday"),
        ("OTHER = 1", "does not load: module 'broken' has no attribute 'PROVIDER'"),
        ("PROVIDER =", "does not load: invalid syntax (broken.py, line 1)"),
        ("PROVIDER = 'echo'", "is not a modelwire.provider.Provider"),
        ("from modelwire.provider import Provider as PROVIDER", "is not a modelwire.provider.Provider"),
        ("from modelwire.providers.hailuo import PROVIDER", "calls itself 'hailuo'"),
    ],
)
def test_a_broken_plugin_is_named_and_harms_no_other(install: Install, code: str, reason: str) -> None:
    install("broken", code, broken="broken:PROVIDER")
    install("echo_package", ECHO, echo="echo_package:PROVIDER")
    with pytest.raises(InvalidInput) as caught:
        load_provider("broken")
    assert str(caught.value) == f"the provider 'broken' (broken:PROVIDER) {reason}"
    assert load_provider("echo").label == "Echo"
    assert load_provider("cromicle") is PROVIDERS["cromicle"]


@pytest.mark.parametrize("name", ["cromicle", "Cromicle", "HAILUO"])
def test_a_plugin_cannot_take_the_name_of_one_of_ours(install: Install, name: str) -> None:
    install("impostor", ECHO.replace('"echo"', repr(name)), **{name: "impostor:PROVIDER"})
    assert plugin_names() == []
    for spelling in (name, name.lower(), name.upper()):
        assert load_provider(spelling) is PROVIDERS[name.lower()]
    assert "impostor" not in sys.modules


@pytest.mark.parametrize("name", ["../../echo", "a/b", "two words", ".hidden", "écho", "-x"])
def test_a_name_that_could_not_be_typed_or_kept_is_none(install: Install, name: str) -> None:
    install("odd", ECHO, **{name: "odd:PROVIDER"})
    assert plugin_names() == []
    with pytest.raises(InvalidInput, match=r"^unknown provider "):
        load_provider(name)


def test_two_packages_of_one_name_are_one_provider(install: Install) -> None:
    install("first", ECHO, echo="first:PROVIDER")
    install("second", ECHO, echo="second:PROVIDER")
    assert plugin_names() == ["echo"]
    assert load_provider("echo").name == "echo"
