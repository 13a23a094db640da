"""`modelwire models` and `modelwire demo`: everything that there is."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import msgspec
import pytest

import modelwire_io.emulation.server
from command_line import Home, Inside, files_in
from modelwire.catalog import PROVIDERS
from modelwire.emulators import Behaviour
from modelwire.emulators.parts.model_answers import answer_to
from modelwire.errors import InvalidInput
from modelwire.providers.arta import ArtaImage
from modelwire_io.cli import plugins
from modelwire_io.emulation import EmulatorServer

QUICK = Behaviour(pause=0.0, queue=0.0, work=0.0)
CHATS = [name for name, provider in PROVIDERS.items() if provider.chat is not None]


def test_models_lists_providers_and_models(inside: Inside) -> None:
    table = inside.run("models")
    assert (table.code, table.err) == (0, "")
    for provider in PROVIDERS.values():
        assert any(line.split()[:2] == [provider.name, *provider.flows] for line in table.out.splitlines())
        assert f"{provider.label}: {provider.note}\n" in table.out
    arta = inside.run("models", "ARTA").out.splitlines()
    assert arta[0] == "arta/flux  (default)"
    assert ArtaImage.models is not None
    assert arta[1:] == [f"arta/{model}" for model in ArtaImage.models if model != "flux"]
    listed = msgspec.json.decode(inside.run("models", "--json").out)
    assert [entry["name"] for entry in listed] == list(PROVIDERS)
    arta_fields = msgspec.json.decode(inside.run("models", "--json", "arta").out)
    assert arta_fields == listed[-1] | {"models": list(ArtaImage.models)}


def test_a_broken_plugin_does_not_hide_the_others(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise InvalidInput(f"the provider {name!r} does not load")

    monkeypatch.setattr(plugins, "plugin_names", lambda: ["broken"])
    monkeypatch.setattr(plugins, "load_provider", load)
    result = inside.run("models")
    assert (result.code, result.err) == (0, "modelwire: the provider 'broken' does not load\n")
    assert "cromicle" in result.out


SAID = answer_to("Hello there")


def test_demo_shows_every_provider(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modelwire_io.emulation.server, "EmulatorServer", partial(EmulatorServer, behaviour=QUICK))
    result = inside.run("demo", "-O", "pictures")
    assert (result.code, result.err) == (0, "")
    for provider in PROVIDERS.values():
        assert f"\n{provider.label}\n> " in result.out
        assert any(line.split()[:1] == [provider.name] for line in result.out.splitlines())
    assert result.out.count(answer_to("What is a sans-IO protocol?")) == len(CHATS)
    assert [path.parent.name for path in files_in(inside.home.path)] == ["pictures"]
    assert "  POST /chat -> 200\n" in result.out


def test_emulated_providers_need_no_network_and_leave_nothing(home: Home) -> None:
    commands: dict[str, tuple[str, ...]] = {name: ("chat", "--emulate", "-m", name, "Hello there") for name in CHATS}
    commands["arta"] = ("image", "--emulate", "a dragon")
    commands["demo"] = ("demo", "-O", str(home.folder / "demo"))
    with ExitStack() as stack:
        running = {name: stack.enter_context(home.started(*words)) for name, words in commands.items()}
        results = {name: command.finish() for name, command in running.items()}
    assert {name: result.code for name, result in results.items()} == dict.fromkeys(commands, 0)
    for name in CHATS:
        assert results[name].out.endswith(f"{SAID}\n")
    assert results["arta"].notes[:2] == ["Waiting", "Generating"]
    pictures = [home.folder / results["arta"].out.strip(), *(home.folder / "demo").iterdir()]
    assert files_in(home.path) == sorted(pictures)
    assert len(pictures) == 2
    assert {name for name, result in results.items() if result.err} == {"hailuo", "arta"}
