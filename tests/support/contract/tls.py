"""TLS: trusted authorities and host names. `deadlines` has the tests of slow servers."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from modelwire.errors import InvalidInput
from modelwire_io.drive import AsyncTransport
from raw_server import OK, Connection, RawServer
from transport_calls import fetch
from transport_variants import TransportVariant

from .base import Contract
from .scripts import get, responding, silent, tls_for


class Tls(Contract):
    """https:// addresses."""

    async def test_trusts_the_authorities_of_ssl_cert_file(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        with RawServer(responding(OK, OK), responding(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await fetch(transport, get(f"{server.url}/a"))).body == b"ok"
            assert (await fetch(transport, get(server.url))).body == b"ok"
            assert server.connections[0].received.startswith(b"GET /a HTTP/1.1\r\n")

    @pytest.mark.parametrize("content", [None, "no certificate\n"])
    async def test_refuses_an_ssl_cert_file_without_certificates(
        self, variant: TransportVariant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
    ) -> None:
        path = tmp_path / "authorities.pem"
        if content is not None:
            path.write_text(content)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        transport = variant.open()
        with RawServer(silent) as server:
            with pytest.raises(InvalidInput, match=r"^SSL_CERT_FILE or SSL_CERT_DIR names no certificates: "):
                await fetch(transport, get(server.url.replace("http:", "https:")))
            await transport.close()

    async def test_checks_the_name_of_the_host(
        self, transport: AsyncTransport, authority: trustme.CA, names: dict[str, list[str]]
    ) -> None:
        names["right.example"] = names["wrong.example"] = ["127.0.0.1"]
        with RawServer(responding(OK), silent, tls=tls_for(authority, "right.example")) as server:
            assert (await fetch(transport, get(f"https://right.example:{server.port}/"))).body == b"ok"
            outcome = await fetch(transport, get(f"https://wrong.example:{server.port}/"))
            assert outcome.failure.kind == "connect"
            assert "wrong.example" in outcome.failure.detail
            assert server.connections[1].received == b""

    async def test_refuses_an_unknown_authority(self, transport: AsyncTransport, authority: trustme.CA) -> None:
        with RawServer(silent, tls=tls_for(trustme.CA(), "127.0.0.1")) as server:
            outcome = await fetch(transport, get(server.url))
            assert outcome.failure.kind == "connect"
            assert "certificate" in outcome.failure.detail
            assert server.connections[0].received == b""

    async def test_a_server_without_tls_is_a_failure_to_connect(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.wait_for_end()

        with RawServer(script, Connection.close) as server:
            for _ in range(2):
                outcome = await fetch(transport, get(server.url.replace("http:", "https:")))
                assert outcome.failure.kind == "connect"
