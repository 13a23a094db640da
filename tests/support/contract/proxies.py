"""HTTP proxies: which one is used, for which requests, and with which credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest
import trustme
from anyio.from_thread import start_blocking_portal
from anyio.streams.tls import TLSStream

from modelwire.errors import InvalidInput
from raw_server import OK, Connection, RawServer, refusing_url, response
from transport_promises import SOCKS, TLS_IN_TLS, TUNNELS
from transport_variants import TransportVariant

from .addresses import PRIVATE_HOSTS
from .base import Contract
from .scripts import ending, fetch_by, get, responding, tls_for

# Responses of a proxy that does not open a tunnel.
NO_TUNNELS = {
    "nothing": b"",
    "cut off": b"HTTP/1.1 200 OK\r\n",
    "other protocol": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "refusal": response("Content-Length: 0", status="403 Forbidden"),
}


class Proxies(Contract):
    """http:// and https:// proxies."""

    async def test_sends_the_whole_url_to_a_proxy(self, variant: TransportVariant) -> None:
        with RawServer(responding(OK)) as proxy:
            outcome = await fetch_by(variant, get("http://name.invalid:8080/a%2fb?c#d"), proxy=proxy.url)
            assert outcome.body == b"ok"
            assert proxy.connections[0].received == (
                b"GET http://name.invalid:8080/a%2fb?c HTTP/1.1\r\nHost: name.invalid:8080\r\n\r\n"
            )

    async def test_sends_the_proxy_its_credentials(self, variant: TransportVariant) -> None:
        with RawServer(responding(OK)) as server:
            await fetch_by(variant, get("http://name.invalid/"), proxy=f"http://user:p%40ss@127.0.0.1:{server.port}")
            assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in server.connections[0].received

    async def test_opens_a_tunnel_for_https(self, variant: TransportVariant, authority: trustme.CA) -> None:
        tls = tls_for(authority, "name.invalid")

        def script(connection: Connection) -> None:
            assert asks_for_tunnel(variant, connection.read_head())
            connection.send(b"HTTP/1.1 200 Connection established\r\nX-A: b\r\n\r\n")
            connection.secure(tls)
            connection.respond()
            connection.wait_for_end()

        with RawServer(script) as proxy:
            url = f"http://user:secret@127.0.0.1:{proxy.port}"
            assert (await fetch_by(variant, get("https://name.invalid/a"), proxy=url)).body == b"ok"
            received = proxy.connections[0].received
        assert b"\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in received
        assert received.endswith(b"GET /a HTTP/1.1\r\nHost: name.invalid\r\n\r\n")

    @pytest.mark.parametrize("answer", NO_TUNNELS.values(), ids=NO_TUNNELS)
    async def test_a_proxy_that_opens_no_tunnel_is_a_failure_to_connect(
        self, variant: TransportVariant, answer: bytes
    ) -> None:
        with RawServer(ending(answer)) as proxy:
            url = proxy.url.replace("http://", "http://user:secret@")
            outcome = await fetch_by(variant, get("https://name.invalid/"), proxy=url)
            assert asks_for_tunnel(variant, proxy.connections[0].received)
        assert outcome.failure.kind == "connect"
        assert "secret" not in outcome.failure.detail
        assert "dXNlcjpzZWNyZXQ" not in outcome.failure.detail

    async def test_an_unreachable_proxy_is_a_failure_to_connect(self, variant: TransportVariant) -> None:
        with refusing_url() as url:
            assert (await fetch_by(variant, get("http://name.invalid/"), proxy=url)).failure.kind == "connect"
            assert (await fetch_by(variant, get("https://name.invalid/"), proxy=url)).failure.kind == "connect"

    async def test_uses_the_proxy_of_the_environment_but_not_for_loopback(self, variant: TransportVariant) -> None:
        with RawServer(responding(OK)) as proxy, RawServer(responding(OK)) as server:
            environment = {"HTTP_PROXY": proxy.url}
            await fetch_by(variant, get("http://name.invalid/"), environment=environment)
            await fetch_by(variant, get(f"{server.url}/direct"), environment=environment)
            assert proxy.connections[0].received.startswith(b"GET http://name.invalid/ HTTP/1.1\r\n")
            assert server.connections[0].received.startswith(b"GET /direct HTTP/1.1\r\n")

    async def test_uses_a_given_proxy_for_loopback_too(self, variant: TransportVariant) -> None:
        with RawServer(responding(OK)) as proxy:
            await fetch_by(variant, get("http://localhost:1/"), proxy=proxy.url)
            assert proxy.connections[0].received.startswith(b"GET http://localhost:1/ HTTP/1.1\r\n")

    async def test_a_proxy_may_be_private_but_its_targets_must_be_public(self, variant: TransportVariant) -> None:
        with RawServer(responding(OK)) as proxy:
            outcome = await fetch_by(variant, get("http://name.invalid/", public_only=True), proxy=proxy.url)
            assert outcome.body == b"ok"
            for host in PRIVATE_HOSTS:
                outcome = await fetch_by(variant, get(f"http://{host}/", public_only=True), proxy=proxy.url)
                assert outcome.failure.kind == "connect", host
            assert len(proxy.connections) == 1

    async def test_uses_a_socks_proxy(self, variant: TransportVariant) -> None:
        request = get("http://name.invalid/")
        with RawServer(Connection.close) as proxy:
            url = f"socks5h://127.0.0.1:{proxy.port}"
            if variant.keeps(SOCKS):
                assert (await fetch_by(variant, request, proxy=url)).failure.kind == "connect"
            else:
                with pytest.raises(InvalidInput, match="does not support SOCKS: use an http:// proxy, or"):
                    await fetch_by(variant, request, proxy=url)
            assert len(proxy.connections) == (1 if variant.keeps(SOCKS) else 0)

    async def test_sends_the_whole_url_to_a_proxy_under_tls(
        self, variant: TransportVariant, authority: trustme.CA
    ) -> None:
        with RawServer(responding(OK), tls=tls_for(authority, "127.0.0.1")) as proxy:
            assert (await fetch_by(variant, get("http://name.invalid/a"), proxy=proxy.url)).body == b"ok"
            assert proxy.connections[0].received.startswith(b"GET http://name.invalid/a HTTP/1.1\r\n")

    async def test_opens_a_tunnel_through_a_proxy_under_tls(
        self, variant: TransportVariant, authority: trustme.CA
    ) -> None:
        request = get("https://name.invalid/")
        if not variant.keeps(TLS_IN_TLS):
            with pytest.raises(InvalidInput, match="blocking sockets cannot run TLS inside of TLS"):
                await fetch_by(variant, request, proxy="https://127.0.0.1:1")
            return
        # A separate thread: the blocking transport blocks this one.
        tunnel = tunnel_under_tls(variant, authority)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(tunnel) as url:
            assert (await fetch_by(variant, request, proxy=url)).body == b"ok"


def asks_for_tunnel(variant: TransportVariant, head: bytes) -> bool:
    """True if a request to a proxy asks for a tunnel to name.invalid."""
    first = head.partition(b"\r\n")[0]
    if not variant.keeps(TUNNELS):
        first = first.replace(b"HTTP/1.0", b"HTTP/1.1")
    return first == b"CONNECT name.invalid:443 HTTP/1.1"


@asynccontextmanager
async def tunnel_under_tls(variant: TransportVariant, authority: trustme.CA) -> AsyncIterator[str]:
    """A proxy that uses TLS, and a server behind it that uses TLS too."""

    async def converse(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            outer = await TLSStream.wrap(
                stream, ssl_context=tls_for(authority, "127.0.0.1"), server_side=True, standard_compatible=False
            )
            assert asks_for_tunnel(variant, await outer.receive())
            await outer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            inner = await TLSStream.wrap(
                outer, ssl_context=tls_for(authority, "name.invalid"), server_side=True, standard_compatible=False
            )
            assert (await inner.receive()).startswith(b"GET / HTTP/1.1\r\n")
            await inner.send(OK)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, converse)
        yield f"https://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()
