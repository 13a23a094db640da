"""Python's own HTTP client as a transport."""

from __future__ import annotations

from typing import ClassVar

import pytest

from carriers import carry, outputs_of
from modelwire.events import Event, RequestFailed, Woken
from modelwire.outputs import TextDelta
from modelwire_io.drive import AsyncTransport
from raw_server import OK, RawServer, response
from transport_contract import Ask, TransportContract, answering, get, saw_end
from transports_under_test import Carrier


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("urllib", "blocking")


class TestUrllib(TransportContract):
    """What every transport does, and what this one does otherwise."""

    keeps_connections = False
    # http.client itself skips any number of responses 100.
    ends_of_a_flood: ClassVar[set[type[Event]]] = {RequestFailed, Woken}

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

    async def test_a_flood_of_early_hints_is_a_failure_of_the_protocol(self, transport: AsyncTransport) -> None:
        with RawServer(answering(response("Link: </a>", status="103 Early Hints") * 200)) as server:
            assert (await carry(transport, get(server.url))).failure.kind == "protocol"
