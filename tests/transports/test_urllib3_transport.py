"""urllib3 as a transport."""

from __future__ import annotations

import pytest

from contract import TransportContract
from contract.scripts import get, responding, saw_end
from contract.socks import Socks
from modelwire_io.drive import AsyncTransport
from modelwire_io.transports import urllib3 as urllib3_transport
from raw_server import OK, RawServer
from transport_calls import fetch
from transport_variants import TransportVariant


@pytest.fixture
def variant() -> TransportVariant:
    return TransportVariant("urllib3", "blocking")


class TestUrllib3(TransportContract, Socks):
    """The contract of every transport, and the number of pools."""

    async def test_the_number_of_routes_with_pooled_connections_is_limited(
        self, transport: AsyncTransport, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(urllib3_transport, "MAX_ROUTES", 2)
        names |= {host: ["127.0.0.1"] for host in ("a.example", "b.example", "c.example")}
        with RawServer(*[responding(OK, OK, OK)] * 4) as server:
            for host in ("a", "b", "a", "c", "a", "b"):
                assert (await fetch(transport, get(f"http://{host}.example:{server.port}/"))).body == b"ok"
            # b had to make room for c.
            assert [connection.received.count(b"GET ") for connection in server.connections] == [3, 1, 1, 1]
            assert await saw_end(server.connections[1])
