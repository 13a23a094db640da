"""aiohttp as a transport, on asyncio."""

from __future__ import annotations

import sys
from typing import ClassVar

import pytest

from carriers import carry
from modelwire.errors import InvalidInput
from modelwire.events import Event, Woken
from modelwire.http import Request
from modelwire_io.drive import AsyncTransport
from raw_server import PATIENCE, RawServer
from transport_contract import NO_TUNNELS, TransportContract, carry_by, get
from transports_under_test import Carrier


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("aiohttp", "asyncio")


class TestAiohttp(TransportContract):
    """What every transport does, and what aiohttp does otherwise."""

    ends_of_a_flood: ClassVar[set[type[Event]]] = {Woken}

    # It drops a question mark that nothing follows.
    targets = TransportContract.targets | {"/?": "/"}

    async def test_sends_bytes_beyond_ascii_in_a_header_as_they_are(self, transport: AsyncTransport) -> None:
        with RawServer() as server:
            request = Request(method="GET", url=server.url, headers=(("x-name", "caf\xe9"),))
            outcome = await carry(transport, request)
            assert outcome.failure.kind == "connect"
            assert "beyond ASCII" in outcome.failure.detail
            assert server.connections == []

    def kind_of_no_tunnel(self, answer: bytes) -> str:
        # It does not tell these from what the server might have said behind the tunnel.
        return "protocol" if answer.startswith(b"SSH") else "network" if answer in NO_TUNNELS else "connect"

    async def test_a_socks_proxy_is_refused(self, carrier: Carrier) -> None:
        with pytest.raises(InvalidInput, match="aiohttp has no SOCKS"):
            await carry_by(carrier, get("http://name.invalid/"), proxy="socks5://127.0.0.1:1")

    async def test_a_missing_library_says_what_to_install(
        self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "modelwire_io.aiohttp_exchange")
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
