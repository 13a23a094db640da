"""urllib3 as a transport."""

from __future__ import annotations

import sys

import pytest

from contract.scripts import answering, get, saw_end
from contract.socks import Socks
from modelwire.errors import InvalidInput
from modelwire_io.drive import AsyncTransport
from modelwire_io.transports import urllib3 as urllib3_transport
from raw_server import OK, RawServer
from transport_contract import TransportContract
from transport_variants import carry
from transports_under_test import Carrier


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("urllib3", "blocking")


class TestUrllib3(TransportContract, Socks):
    """What every transport does, and what this one does beyond that."""

    async def test_a_missing_library_says_what_to_install(
        self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "modelwire_io.transports.urllib3_exchange")
        monkeypatch.setitem(sys.modules, "urllib3", None)
        with pytest.raises(InvalidInput, match=r"urllib3 is not installed: pip install 'modelwire\[urllib3\]'"):
            carrier.open()

    async def test_keeps_connections_for_so_many_routes_and_no_more(
        self, transport: AsyncTransport, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(urllib3_transport, "MOST_ROUTES", 2)
        names |= {host: ["127.0.0.1"] for host in ("a.example", "b.example", "c.example")}
        with RawServer(*[answering(OK, OK, OK)] * 4) as server:
            for host in ("a", "b", "a", "c", "a", "b"):
                assert (await carry(transport, get(f"http://{host}.example:{server.port}/"))).body == b"ok"
            # b had to make room for c.
            assert [connection.received.count(b"GET ") for connection in server.connections] == [3, 1, 1, 1]
            assert await saw_end(server.connections[1])
