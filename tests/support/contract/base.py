"""The fixtures of the contract."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from modelwire_io.drive import AsyncTransport
from raw_server import Connection, RawServer
from transport_calls import fetch
from transport_variants import TransportVariant

from .scripts import get


@pytest.mark.anyio
class Contract:
    """The base of every topic. A test module subclasses a topic, and gives it a fixture `variant`."""

    @pytest.fixture
    def anyio_backend(self, variant: TransportVariant) -> str:
        return variant.backend

    @pytest.fixture
    async def transport(
        self, variant: TransportVariant, request: pytest.FixtureRequest
    ) -> AsyncIterator[AsyncTransport]:
        """A transport that has sent one request: on a busy machine its imports take longer than some deadlines."""
        if "authority" in request.fixturenames:
            request.getfixturevalue("authority")
        opened = variant.open()
        with RawServer(Connection.respond) as server:
            assert (await fetch(opened, get(server.url))).body == b"ok"
        yield opened
        await opened.close()

    @pytest.fixture(autouse=True)
    def names(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
        """Host names and their addresses, for every event loop and for blocking code. No test asks a name server."""
        known = {"localhost": ["127.0.0.1"]}
        resolve = socket.getaddrinfo

        def look_up(
            host: str | bytes, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
        ) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            numeric = flags | socket.AI_NUMERICHOST
            found = [resolve(each, port, family, type, proto, numeric) for each in known.get(name, [host])]
            return [entry for entries in found for entry in entries]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return known

    @pytest.fixture
    def authority(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
        """A certificate authority that this process trusts."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        return authority
