"""urllib3 as a transport."""

from __future__ import annotations

import sys

import pytest

from contract import TransportContract
from contract.scripts import get, responding, saw_end
from contract.socks import Socks
from modelwire.errors import InvalidInput
from modelwire_io.drive import AsyncTransport
from modelwire_io.transports import urllib3 as urllib3_transport
from raw_server import OK, RawServer
from transport_calls import fetch
from transport_variants import TransportVariant


@pytest.fixture
def variant() -> TransportVariant:
    return TransportVariant("urllib3", "blocking")


class TestUrllib3(TransportContract, Socks):
    """What every transport does, and what this one does beyond that."""

    async def test_a_missing_library_says_what_to_install(
        self, variant: TransportVariant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "modelwire_io.transports.urllib3_exchange")
        monkeypatch.setitem(sys.modules, "urllib3", None)
        with pytest.raises(InvalidInput, match=r"urllib3 is not installed: pip install 'modelwire\[urllib3\]'"):
            variant.open()

    async def test_keeps_connections_for_so_many_routes_and_no_more(
        self, transport: AsyncTransport, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(urllib3_transport, "MOST_ROUTES", 2)
        names |= {host: ["127.0.0.1"] for host in ("a.example", "b.example", "c.example")}
        with RawServer(*[responding(OK, OK, OK)] * 4) as server:
            for host in ("a", "b", "a", "c", "a", "b"):
                assert (await fetch(transport, get(f"http://{host}.example:{server.port}/"))).body == b"ok"
            # b had to make room for c.
            assert [connection.received.count(b"GET ") for connection in server.connections] == [3, 1, 1, 1]
            assert await saw_end(server.connections[1])
