"""Third-party providers: found by the entry points of installed packages, imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from modelwire.catalog import PROVIDERS
from modelwire.errors import InvalidInput
from modelwire_io import Client
from modelwire_io.client.plugins import load_provider, plugin_names
from modelwire_io.emulation import EmulatorServer

# The module of a provider with Cromicle's protocol and its own name.
ECHO = """
import msgspec
from modelwire.providers import cromicle
PROVIDER = msgspec.structs.replace(cromicle.PROVIDER, name="echo", label="Echo", website="https://echo.example")
"""

Install = Callable[..., None]


def test_without_plugins_there_is_the_catalog() -> None:
    assert plugin_names() == []
    assert [load_provider(name) for name in PROVIDERS] == list(PROVIDERS.values())


def test_a_plugin_is_found_by_name_and_imported_at_the_first_use(install: Install) -> None:
    install("echo_package", ECHO, echo="echo_package:PROVIDER")
    assert plugin_names() == ["echo"]
    assert load_provider("cromicle") is PROVIDERS["cromicle"]
    assert "echo_package" not in sys.modules
    provider = load_provider("Echo")
    assert (provider.name, provider.label) == ("echo", "Echo")
    with pytest.raises(InvalidInput, match=r"^unknown provider 'ecko': did you mean 'echo'\?$"):
        load_provider("ecko")


def test_a_client_can_use_a_plugin(install: Install) -> None:
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
def test_a_broken_plugin_is_named_and_others_still_load(install: Install, code: str, reason: str) -> None:
    install("broken", code, broken="broken:PROVIDER")
    install("echo_package", ECHO, echo="echo_package:PROVIDER")
    with pytest.raises(InvalidInput) as caught:
        load_provider("broken")
    assert str(caught.value) == f"the provider 'broken' (broken:PROVIDER) {reason}"
    assert load_provider("echo").label == "Echo"
    assert load_provider("cromicle") is PROVIDERS["cromicle"]


@pytest.mark.parametrize("name", ["cromicle", "Cromicle", "HAILUO"])
def test_a_plugin_cannot_take_the_name_of_a_provider_of_the_catalog(install: Install, name: str) -> None:
    install("impostor", ECHO.replace('"echo"', repr(name)), **{name: "impostor:PROVIDER"})
    assert plugin_names() == []
    for spelling in (name, name.lower(), name.upper()):
        assert load_provider(spelling) is PROVIDERS[name.lower()]
    assert "impostor" not in sys.modules


@pytest.mark.parametrize("name", ["../../echo", "a/b", "two words", ".hidden", "écho", "-x"])
def test_a_plugin_with_a_name_that_is_unsafe_in_files_and_variables_is_ignored(install: Install, name: str) -> None:
    install("odd", ECHO, **{name: "odd:PROVIDER"})
    assert plugin_names() == []
    with pytest.raises(InvalidInput, match=r"^unknown provider "):
        load_provider(name)


def test_two_packages_that_declare_one_name_are_one_provider(install: Install) -> None:
    install("first", ECHO, echo="first:PROVIDER")
    install("second", ECHO, echo="second:PROVIDER")
    assert plugin_names() == ["echo"]
    assert load_provider("echo").name == "echo"
