"""What the tests of every topic start from."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from modelwire_io.drive import AsyncTransport
from raw_server import Connection, RawServer
from transport_variants import carry
from transports_under_test import Carrier

from .scripts import get


@pytest.mark.anyio
class Contract:
    """A test module subclasses it, and gives it a fixture `carrier`."""

    @pytest.fixture
    def anyio_backend(self, carrier: Carrier) -> str:
        return carrier.backend

    @pytest.fixture
    async def transport(self, carrier: Carrier, request: pytest.FixtureRequest) -> AsyncIterator[AsyncTransport]:
        """One that has loaded what it needs: on a busy machine that takes longer than many a deadline."""
        if "authority" in request.fixturenames:
            request.getfixturevalue("authority")
        opened = carrier.open()
        with RawServer(Connection.answer) as server:
            assert (await carry(opened, get(server.url))).body == b"ok"
        yield opened
        await opened.close()

    @pytest.fixture(autouse=True)
    def names(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
        """The names there are, with their addresses, on every event loop and on none: no test asks a name server."""
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
        """One that this process trusts."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        return authority
