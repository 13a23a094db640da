"""urllib3 as a transport."""

from __future__ import annotations

import sys
from typing import ClassVar

import pytest

from carriers import carry
from modelwire.errors import InvalidInput
from modelwire.events import Event, RequestFailed, Woken
from modelwire_io import urllib3_transport
from modelwire_io.drive import AsyncTransport
from raw_server import OK, RawServer, chunk, response
from transport_contract import EMPTY, TransportContract, answering, get, saw_end
from transports_under_test import Carrier

NO = OK.replace(b"ok", b"no")


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("urllib3", "blocking")


class TestUrllib3(TransportContract):
    """What every transport does, and what urllib3 does otherwise."""

    # http.client itself skips any number of responses 100.
    ends_of_a_flood: ClassVar[set[type[Event]]] = {RequestFailed, Woken}

    def kind_of_nonsense(self, data: bytes) -> str:
        # http.client takes a chunk without a size for the end of the connection.
        return "network" if data.endswith(b"\r\n\r\nsecret\r\n") else "protocol"

    @pytest.mark.parametrize(
        "answer",
        [
            OK + b"surplus",
            OK + NO,
            EMPTY + NO,
            response("Transfer-Encoding: chunked", body=chunk(b"ok") + chunk(b"") + NO),
        ],
    )
    async def test_a_surplus_that_came_with_an_answer_is_forgotten(
        self, transport: AsyncTransport, answer: bytes
    ) -> None:
        with RawServer(answering(answer, OK)) as server:
            assert (await carry(transport, get(server.url))).body in (b"ok", b"")
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert len(server.connections) == 1

    async def test_a_missing_library_says_what_to_install(
        self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "modelwire_io.urllib3_exchange")
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
