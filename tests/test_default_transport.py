"""Which transport a client gets that was given none."""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from modelwire.errors import InvalidInput
from modelwire_io import default_transport as chooser
from modelwire_io.default_transport import default_async_transport, default_transport
from modelwire_io.h11_transport import AsyncH11Transport, H11Transport
from modelwire_io.httpx_transport import AsyncHttpxTransport, HttpxTransport


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
