"""Which transport a client gets that was given none."""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

import pytest

import modelwire_io
from modelwire.errors import InvalidInput
from modelwire_io.transports import AsyncH11Transport, AsyncHttpxTransport, H11Transport, HttpxTransport
from modelwire_io.transports import default as chooser
from modelwire_io.transports.default import default_async_transport, default_transport


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that some libraries are not installed."""

    def pretend(*missing: str) -> None:
        def find(name: str) -> importlib.machinery.ModuleSpec | None:
            return None if name in missing else find_spec(name)

        monkeypatch.setattr(chooser, "find_spec", find)

    return pretend


def test_httpx_comes_first_then_httpx2_then_h11(without: Callable[..., None]) -> None:
    assert isinstance(default_transport(None, {}), HttpxTransport)
    assert isinstance(default_async_transport(None, {}), AsyncHttpxTransport)
    without("httpx")
    transport = default_transport(None, {})
    assert isinstance(transport, HttpxTransport)
    assert isinstance(default_async_transport(None, {}), AsyncHttpxTransport)
    without("httpx", "httpx2")
    assert isinstance(default_transport(None, {}), H11Transport)
    assert isinstance(default_async_transport(None, {}), AsyncH11Transport)


def test_without_any_it_says_what_to_install(without: Callable[..., None]) -> None:
    without("httpx", "httpx2", "h11")
    with pytest.raises(InvalidInput, match=r"pip install 'modelwire\[httpx\]'"):
        default_transport(None, {})


def test_choosing_h11_imports_no_httpx() -> None:
    code = """
import sys
sys.modules["httpx"] = sys.modules["httpx2"] = None
import importlib.util, modelwire_io.default_transport as chooser
chooser.find_spec = lambda name: None if name.startswith("httpx") else importlib.util.find_spec(name)
chooser.default_transport(None, {})
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# A finder that knows nothing but Python, msgspec and modelwire: what there is without any extra.
BARE = """
import sys

class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "msgspec", "modelwire", "modelwire_io"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Bare())
"""


def run_bare(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BARE + code], capture_output=True, text=True)


def test_drivers_and_two_transports_need_no_extra() -> None:
    code = """
from modelwire.providers.cromicle import CromicleChat
from modelwire_io.drive import drive
from modelwire_io.memory_transport import MemoryTransport
from modelwire_io.urllib_transport import UrllibTransport

assert list(drive(CromicleChat(messages="Hello"), MemoryTransport()))
UrllibTransport(environment={}).close()
"""
    assert run_bare(code).stderr == ""


def test_without_an_extra_the_client_and_the_command_say_what_to_install() -> None:
    client = run_bare("from modelwire_io import Client")
    assert client.stderr.splitlines()[-1].endswith(" is not installed: pip install 'modelwire[httpx]'")
    command = run_bare("from modelwire_io.cli import main; main()")
    assert command.stderr == "modelwire: click is not installed: pip install 'modelwire[cli]'\n"
    assert command.returncode == 1


def test_everything_that_the_package_offers_is_there() -> None:
    for name in modelwire_io.__all__:
        assert getattr(modelwire_io, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Clients'"):
        modelwire_io.Clients  # noqa: B018
