"""Python's own HTTP client as a transport."""

from __future__ import annotations

import pytest

from contract import TransportContract
from contract.scripts import get, responding
from contract.socks import Socks
from modelwire_io.drive import AsyncTransport
from raw_server import RawServer, response
from transport_calls import fetch
from transport_variants import TransportVariant


@pytest.fixture
def variant() -> TransportVariant:
    return TransportVariant("urllib", "blocking")


class TestUrllib(TransportContract, Socks):
    """The contract of every transport, and a limit of interim responses."""

    async def test_a_flood_of_early_hints_is_a_failure_of_the_protocol(self, transport: AsyncTransport) -> None:
        with RawServer(responding(response("Link: </a>", status="103 Early Hints") * 200)) as server:
            assert (await fetch(transport, get(server.url))).failure.kind == "protocol"
