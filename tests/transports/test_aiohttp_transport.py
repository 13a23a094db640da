"""aiohttp as a transport, on asyncio."""

from __future__ import annotations

import pytest

from contract import TransportContract
from contract.scripts import get
from modelwire.errors import InvalidInput
from raw_server import PATIENCE
from transport_calls import fetch
from transport_variants import TransportVariant


@pytest.fixture
def variant() -> TransportVariant:
    return TransportVariant("aiohttp", "asyncio")


class TestAiohttp(TransportContract):
    """The contract of every transport."""


class TestOnTrio:
    """aiohttp does not run on trio."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"

    @pytest.mark.anyio
    async def test_the_error_names_what_to_use(self) -> None:
        transport = TransportVariant("aiohttp", "trio").open()
        with pytest.raises(InvalidInput, match="aiohttp runs on asyncio alone"):
            await fetch(transport, get("http://127.0.0.1:1/", timeout=PATIENCE))
        await transport.close()
