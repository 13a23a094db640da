"""aiohttp as a transport, on asyncio."""

from __future__ import annotations

import sys

import pytest

from contract.scripts import get
from modelwire.errors import InvalidInput
from raw_server import PATIENCE
from transport_contract import TransportContract
from transport_variants import carry
from transports_under_test import Carrier


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("aiohttp", "asyncio")


class TestAiohttp(TransportContract):
    """What every transport does, and what this one does beyond that."""

    async def test_a_missing_library_says_what_to_install(
        self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "modelwire_io.transports.aiohttp_exchange")
        monkeypatch.setitem(sys.modules, "aiohttp", None)
        with pytest.raises(InvalidInput, match=r"aiohttp is not installed: pip install 'modelwire\[aiohttp\]'"):
            carrier.open()


class TestOnTrio:
    """What aiohttp does not run on."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"

    @pytest.mark.anyio
    async def test_says_so(self) -> None:
        transport = Carrier("aiohttp", "trio").open()
        with pytest.raises(InvalidInput, match="aiohttp runs on asyncio alone"):
            await carry(transport, get("http://127.0.0.1:1/", timeout=PATIENCE))
        await transport.close()
