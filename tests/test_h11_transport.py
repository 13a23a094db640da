"""h11 as a transport, blocking, on asyncio and on trio, and what it does with connections that it keeps."""

from __future__ import annotations

import pytest

from carriers import Awaitable, carry
from contract.scripts import answering, begin, dying, ending, finish, get, saw_end
from contract.socks import Socks
from modelwire_io import h11_transport
from modelwire_io.connection_pool import ConnectionPool
from modelwire_io.dialing import Dialer
from modelwire_io.drive import AsyncTransport
from modelwire_io.h11_transport import AsyncH11Transport, H11Transport
from raw_server import OK, RawServer
from transport_contract import TransportContract
from transports_under_test import Carrier, carriers_of


@pytest.fixture(params=carriers_of("h11"), ids=str)
def carrier(request: pytest.FixtureRequest) -> Carrier:
    found: Carrier = request.param
    return found


class TestH11(TransportContract, Socks):
    """What every transport does, and what this one does beyond that."""

    # Kept connections that turn out dead only when they are used.

    async def test_a_request_is_sent_again_once_and_on_a_new_connection(self, transport: AsyncTransport) -> None:
        with RawServer(dying(b""), dying(b""), ending(b"")) as server:
            both = [await begin(transport, server.url) for _ in range(2)]
            for exchange in both:
                await finish(transport, exchange)
            assert (await carry(transport, get(f"{server.url}/again"))).failure.kind == "network"
            received = [connection.received.count(b"/again") for connection in server.connections]
            assert sorted(received[:2]) == [0, 1]
            assert received[2:] == [1]

    async def test_a_request_that_was_answered_with_one_byte_is_not_sent_again(self, transport: AsyncTransport) -> None:
        with RawServer(dying(b"H")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url))).failure.kind == "network"

    async def test_a_request_that_is_met_with_silence_is_not_sent_again(self, transport: AsyncTransport) -> None:
        with RawServer(answering(OK)) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert (await carry(transport, get(server.url, timeout=0.2))).failure.kind == "timeout"

    async def test_a_request_that_was_sent_has_not_failed_to_connect(
        self, transport: AsyncTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise ConnectionRefusedError("nobody is there any more")

        with RawServer(dying(b"")) as server:
            assert (await carry(transport, get(server.url))).body == b"ok"
            monkeypatch.setattr(Dialer, "dial", refuse)
            monkeypatch.setattr(h11_transport, "dial", refuse)
            assert (await carry(transport, get(server.url))).failure.kind == "network"

    # Connections that are kept, and that are not.

    async def test_an_idle_connection_expires(self, transport: AsyncTransport) -> None:
        await limit_pool(transport, ConnectionPool(seconds=0.0))
        with RawServer(answering(OK), answering(OK)) as server:
            for _ in range(2):
                assert (await carry(transport, get(server.url))).body == b"ok"
            assert await saw_end(server.connections[0])

    async def test_so_many_idle_connections_are_kept(self, transport: AsyncTransport) -> None:
        await limit_pool(transport, ConnectionPool(most_of_one=1))
        with RawServer(answering(OK), answering(OK)) as server:
            first, second = [await begin(transport, server.url) for _ in range(2)]
            await finish(transport, first)
            await finish(transport, second)
            assert await saw_end(server.connections[0])
            assert not server.connections[1].saw_end.is_set()


async def limit_pool(transport: AsyncTransport, pool: ConnectionPool[object]) -> None:
    """Keep connections in this pool, and no others."""
    await transport.close()
    if isinstance(transport, Awaitable):
        assert isinstance(transport.blocking, H11Transport)
        setattr(transport.blocking, "pool", pool)  # noqa: B010
    else:
        assert isinstance(transport, AsyncH11Transport)
        setattr(await transport.pools.get(), "kept", pool)  # noqa: B010
