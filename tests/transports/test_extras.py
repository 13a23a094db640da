"""The packages that transports need, and the message if one is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import modelwire_io
from modelwire_io import AsyncClient, Client
from modelwire_io.transports import AsyncH11Transport, H11Transport

# A finder of modules that knows only Python, msgspec, modelwire and the packages in ALLOWED.
BARE = """
import sys

class Bare:
    def find_spec(self, name, path=None, target=None):
        allowed = {*sys.stdlib_module_names, "msgspec", "modelwire", "modelwire_io", *ALLOWED}
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Bare())
"""
# What the extra `h11` installs, with its dependencies.
H11_PACKAGES = ("h11", "anyio", "idna", "sniffio", "typing_extensions", "python_socks", "platformdirs", "filelock")
FACES = (
    *("modelwire_io", "modelwire_io.client", "modelwire_io.transports", "modelwire_io.http1"),
    *("modelwire_io.store", "modelwire_io.browsers", "modelwire_io.emulation", "modelwire.recording"),
)


def run_bare(code: str, *allowed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"ALLOWED = {allowed!r}\n{BARE}{code}"], capture_output=True, text=True
    )


@pytest.mark.anyio
async def test_the_default_transport_is_h11() -> None:
    with Client(environment={}) as client:
        assert isinstance(client.transport, H11Transport)
        assert client.transport is client.transport
    async with AsyncClient(environment={}) as client_of_a_loop:
        assert isinstance(client_of_a_loop.transport, AsyncH11Transport)


def test_a_client_needs_the_extra_h11_and_no_other() -> None:
    code = """
from modelwire_io import Client
with Client(emulate=True) as client:
    assert client.chat("cromicle", "Hello").read()
"""
    result = run_bare(code, *H11_PACKAGES)
    assert result.stderr == ""


def test_drivers_and_two_transports_need_no_extra() -> None:
    code = """
from modelwire.providers.cromicle import CromicleChat
from modelwire_io.drive import drive
from modelwire_io.transports import MemoryTransport, UrllibTransport

assert list(drive(CromicleChat(messages="Hello"), MemoryTransport()))
UrllibTransport(environment={}).close()
"""
    assert run_bare(code).stderr == ""


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("from modelwire_io import Client", "h11"),
        ("from modelwire_io.transports import H11Transport", "h11"),
        ("from modelwire_io.transports import HttpxTransport", "h11"),
        ("from modelwire_io.transports import AsyncAiohttpTransport", "aiohttp"),
        ("from modelwire_io.transports import Urllib3Transport", "urllib3"),
        ("from modelwire_io.store import FileStore", "h11"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(code: str, extra: str) -> None:
    last = run_bare(code).stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert last.endswith(f" is not installed: pip install 'modelwire[{extra}]'")


def test_a_missing_package_that_no_extra_installs_is_reported_as_it_is() -> None:
    code = "sys.modules['select'] = None\nfrom modelwire_io.transports import UrllibTransport"
    assert "pip install" not in run_bare(code).stderr


def test_without_an_extra_the_command_says_what_to_install() -> None:
    command = run_bare("from modelwire_io.cli import main; main()")
    assert command.stderr == "modelwire: click is not installed: pip install 'modelwire[cli]'\n"
    assert command.returncode == 1


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_is_there(face: str) -> None:
    module = importlib.import_module(face)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Clients'"):
        module.Clients  # noqa: B018


def test_importing_a_transport_imports_no_other_library() -> None:
    code = "from modelwire_io.transports import H11Transport; H11Transport(environment={})"
    assert run_bare(code, *H11_PACKAGES).stderr == ""
    assert "httpx" not in vars(modelwire_io)
