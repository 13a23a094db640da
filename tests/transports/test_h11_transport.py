"""h11 as a transport, blocking, on asyncio and on trio, and its pool of idle connections."""

from __future__ import annotations

import pytest

from contract import TransportContract
from contract.scripts import begin, finish, get, responding, saw_end
from contract.socks import Socks
from modelwire_io.drive import AsyncTransport
from modelwire_io.net.connection_pool import ConnectionPool
from modelwire_io.transports import AsyncH11Transport, H11Transport
from raw_server import OK, RawServer
from transport_calls import AwaitableTransport, fetch
from transport_variants import TransportVariant, variants_of


@pytest.fixture(params=variants_of("h11"), ids=str)
def variant(request: pytest.FixtureRequest) -> TransportVariant:
    found: TransportVariant = request.param
    return found


class TestH11(TransportContract, Socks):
    """The contract of every transport, and the limits of the pool."""

    async def test_an_idle_connection_expires(self, transport: AsyncTransport) -> None:
        await limit_pool(transport, ConnectionPool(idle_seconds=0.0))
        with RawServer(responding(OK), responding(OK)) as server:
            for _ in range(2):
                assert (await fetch(transport, get(server.url))).body == b"ok"
            assert await saw_end(server.connections[0])

    async def test_the_number_of_idle_connections_is_limited(self, transport: AsyncTransport) -> None:
        await limit_pool(transport, ConnectionPool(max_idle=1))
        with RawServer(responding(OK), responding(OK)) as server:
            first, second = [await begin(transport, server.url) for _ in range(2)]
            await finish(transport, first)
            await finish(transport, second)
            assert await saw_end(server.connections[0])
            assert not server.connections[1].saw_end.is_set()


async def limit_pool(transport: AsyncTransport, pool: ConnectionPool[object]) -> None:
    """Make the transport use this pool."""
    await transport.close()
    if isinstance(transport, AwaitableTransport):
        assert isinstance(transport.blocking, H11Transport)
        setattr(transport.blocking, "pool", pool)  # noqa: B010
    else:
        assert isinstance(transport, AsyncH11Transport)
        setattr(await transport.pools.get(), "idle", pool)  # noqa: B010
