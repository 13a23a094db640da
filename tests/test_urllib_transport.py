"""Python's own HTTP client as a transport."""

from __future__ import annotations

import pytest

from carriers import outputs_of
from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport
from raw_server import OK, RawServer
from transport_contract import Ask, TransportContract, answering, saw_end
from transports_under_test import Carrier


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("urllib", "blocking")


class TestUrllib(TransportContract):
    """What every transport does, and what this one does otherwise."""

    async def test_uses_a_connection_again(self, transport: AsyncTransport) -> None:
        """It does not."""
        with RawServer(answering(OK), answering(OK)) as server:
            flow = Ask(urls=[f"{server.url}/1", f"{server.url}/2"])
            assert [output async for output in outputs_of(flow, transport)] == [TextDelta("ok"), TextDelta("ok")]
            assert len(server.connections) == 2
            assert await saw_end(server.connections[0])

    def kind_of_nonsense(self, data: bytes) -> str:
        # http.client takes a chunk without a size for the end of the connection.
        return "network" if data.endswith(b"\r\n\r\nsecret\r\n") else "protocol"
