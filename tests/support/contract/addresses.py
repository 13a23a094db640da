"""`Request.public_only`: the transport checks the address to which it connects."""

from __future__ import annotations

import pytest

from modelwire_io.drive import AsyncTransport
from modelwire_io.net import connect as dialing
from raw_server import OK, RawServer
from transport_calls import fetch

from .base import Contract
from .scripts import get, responding

PRIVATE_HOSTS = (
    *("127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
    *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]"),
    *("2130706433", "0x7f000001", "127.1", "0177.0.0.1"),
)


class Addresses(Contract):
    async def test_refuses_addresses_that_are_not_public(self, transport: AsyncTransport) -> None:
        with RawServer() as server:
            for host in PRIVATE_HOSTS:
                outcome = await fetch(transport, get(f"http://{host}:{server.port}/", public_only=True))
                assert outcome.failure.kind == "connect", host
            assert server.connections == []

    @pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"]])
    async def test_refuses_names_with_an_address_that_is_not_public(
        self, transport: AsyncTransport, names: dict[str, list[str]], addresses: list[str]
    ) -> None:
        names["images.example"] = addresses
        with RawServer() as server:
            outcome = await fetch(transport, get(f"http://images.example:{server.port}/", public_only=True))
            assert outcome.failure.kind == "connect"
            assert "images.example is not at a public address, which this request requires" in outcome.failure.detail
            assert server.connections == []

    async def test_does_not_reuse_a_connection_whose_address_was_not_checked(
        self, transport: AsyncTransport, names: dict[str, list[str]]
    ) -> None:
        names["images.example"] = ["127.0.0.1"]
        with RawServer(responding(OK)) as server:
            url = f"http://images.example:{server.port}/"
            assert (await fetch(transport, get(url))).body == b"ok"
            assert (await fetch(transport, get(url, public_only=True))).failure.kind == "connect"
            assert server.connections[0].received.count(b"GET ") == 1

    async def test_connects_to_a_public_address(
        self, transport: AsyncTransport, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # No address of this machine is public. So two loopback addresses count as public: one unused, and the server's.
        monkeypatch.setattr(dialing, "is_public", lambda address: address in ("127.0.0.2", "127.0.0.1"))
        names["images.example"] = ["127.0.0.2", "127.0.0.1"]
        with RawServer(responding(OK)) as server:
            url = f"http://images.example:{server.port}/"
            assert (await fetch(transport, get(url, public_only=True))).body == b"ok"
            assert f"Host: images.example:{server.port}" in server.connections[0].received.decode()
            names["images.example"] = ["127.0.0.2", "127.0.0.3"]
        assert (await fetch(transport, get(url, public_only=True))).failure.kind == "connect"
