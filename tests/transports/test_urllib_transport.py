"""Python's own HTTP client as a transport."""

from __future__ import annotations

import pytest

from contract.scripts import answering, get
from contract.socks import Socks
from modelwire_io.drive import AsyncTransport
from raw_server import RawServer, response
from transport_contract import TransportContract
from transport_variants import carry
from transports_under_test import Carrier


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("urllib", "blocking")


class TestUrllib(TransportContract, Socks):
    """What every transport does, and what this one does beyond that."""

    async def test_a_flood_of_early_hints_is_a_failure_of_the_protocol(self, transport: AsyncTransport) -> None:
        with RawServer(answering(response("Link: </a>", status="103 Early Hints") * 200)) as server:
            assert (await carry(transport, get(server.url))).failure.kind == "protocol"
