"""TLS: who is trusted, and by which name. What drips through it is a matter of deadlines."""

from __future__ import annotations

import trustme

from carriers import carry
from modelwire_io.drive import AsyncTransport
from raw_server import OK, Connection, RawServer

from .base import Contract
from .scripts import answering, get, silent, tls_for


class Tls(Contract):
    """https:// addresses."""

    async def test_trusts_the_authorities_of_ssl_cert_file(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        with RawServer(answering(OK, OK), answering(OK), tls=tls_for(authority, "127.0.0.1")) as server:
            assert (await carry(transport, get(f"{server.url}/a"))).body == b"ok"
            assert (await carry(transport, get(server.url))).body == b"ok"
            assert server.connections[0].received.startswith(b"GET /a HTTP/1.1\r\n")

    async def test_goes_by_the_name_of_the_host(
        self, transport: AsyncTransport, authority: trustme.CA, names: dict[str, list[str]]
    ) -> None:
        names["right.example"] = names["wrong.example"] = ["127.0.0.1"]
        with RawServer(answering(OK), silent, tls=tls_for(authority, "right.example")) as server:
            assert (await carry(transport, get(f"https://right.example:{server.port}/"))).body == b"ok"
            outcome = await carry(transport, get(f"https://wrong.example:{server.port}/"))
            assert outcome.failure.kind == "connect"
            assert "wrong.example" in outcome.failure.detail
            assert server.connections[1].received == b""

    async def test_refuses_an_authority_that_it_does_not_know(
        self, transport: AsyncTransport, authority: trustme.CA
    ) -> None:
        with RawServer(silent, tls=tls_for(trustme.CA(), "127.0.0.1")) as server:
            outcome = await carry(transport, get(server.url))
            assert outcome.failure.kind == "connect"
            assert "certificate" in outcome.failure.detail
            assert server.connections[0].received == b""

    async def test_a_server_that_knows_no_tls_is_a_failure_to_connect(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.wait_for_end()

        with RawServer(script, Connection.close) as server:
            for _ in range(2):
                outcome = await carry(transport, get(server.url.replace("http:", "https:")))
                assert outcome.failure.kind == "connect"
