"""Deadlines, also during slow reads and writes, and `Request.timeout`, the longest silence.

If a deadline passes before a byte of the request is sent, the event is a failure to connect; later it is `Woken`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import trustme

from modelwire.errors import FlowFailed
from modelwire.events import Woken
from modelwire.http import Request
from modelwire.limits import MIB, Limits
from modelwire_io.drive import AsyncTransport
from modelwire_io.net import connect as dialing
from raw_server import OK, PATIENCE, Connection, RawServer, Script, response
from transport_calls import fetch, outputs_of
from transport_variants import TransportVariant

from .base import Contract
from .scripts import (
    DEADLINE,
    LATENESS,
    Ask,
    dripping,
    get,
    has_no_open_connection,
    responding,
    silent,
    tls_for,
)

# Seconds: the timeout of a request whose server is silent.
SILENCE = 0.5
HANDSHAKE = b"\x16\x03\x03\x40\x00" + bytes(1000)  # the beginning of a long TLS record
DRIPPING_HEAD = pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X-Long: and so on\r\n"), id="head")
DRIPPING_BODY = pytest.param(dripping(response("Content-Length: 1000"), b"x"), id="body")


@contextmanager
def not_accepting(host: str, port: int) -> Iterator[int]:
    """A port where connections are neither accepted nor refused."""
    with socket.create_server((host, port), backlog=0) as listener, ExitStack() as stack:
        address = listener.getsockname()
        while True:
            # Fill the queue of connections that wait to be accepted.
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.05)
            try:
                waiting.connect((host or "127.0.0.1", address[1]))
            except TimeoutError:
                break
        yield address[1]


class Deadlines(Contract):
    """Deadlines and timeouts."""

    @pytest.fixture
    def silent_port(self) -> Iterator[int]:
        """A port of every loopback address where connections are neither accepted nor refused."""
        with not_accepting("", 0) as port:
            yield port

    # After the first byte of the request.

    @pytest.mark.parametrize(
        "script",
        [
            DRIPPING_HEAD,
            DRIPPING_BODY,
            pytest.param(dripping(response("Transfer-Encoding: chunked"), b"1;xxx"), id="chunk header"),
            pytest.param(dripping(response("Transfer-Encoding: chunked", body=b"0\r\n"), b"x: y\r\n"), id="trailer"),
        ],
    )
    async def test_a_deadline_ends_what_drips(self, transport: AsyncTransport, script: Script) -> None:
        with RawServer(script) as server:
            deadline = transport.clock.now() + DEADLINE
            outcome = await fetch(transport, get(server.url), seconds=DEADLINE)
            ended = transport.clock.now()
            assert isinstance(outcome.last, Woken)
            assert deadline - 0.01 <= ended < deadline + LATENESS
            assert await has_no_open_connection(server)

    @pytest.mark.parametrize("script", [DRIPPING_HEAD, DRIPPING_BODY])
    async def test_a_deadline_ends_what_drips_under_tls(
        self, transport: AsyncTransport, authority: trustme.CA, script: Script
    ) -> None:
        # On a busy machine a handshake takes long.
        seconds = 2 * DEADLINE
        with RawServer(script, tls=tls_for(authority, "127.0.0.1")) as server:
            deadline = transport.clock.now() + seconds
            outcome = await fetch(transport, get(server.url), seconds=seconds)
            assert isinstance(outcome.last, Woken)
            assert transport.clock.now() < deadline + LATENESS
            assert await has_no_open_connection(server)

    @pytest.mark.parametrize("part", ["head", "body"])
    async def test_a_deadline_ends_a_request_that_nobody_reads(self, transport: AsyncTransport, part: str) -> None:
        may_end = threading.Event()

        def script(connection: Connection) -> None:
            may_end.wait(PATIENCE)

        with RawServer(script) as server:
            deadline = transport.clock.now() + DEADLINE
            outcome = await fetch(transport, unread(server, part), seconds=DEADLINE)
            ended = transport.clock.now()
            may_end.set()
        # Part of the request is sent, so this must not be a failure to connect.
        assert isinstance(outcome.last, Woken)
        assert ended < deadline + LATENESS

    async def test_silence_is_a_timeout(self, transport: AsyncTransport) -> None:
        with RawServer(silent) as server:
            outcome = await fetch(transport, get(server.url, timeout=SILENCE))
            assert outcome.failure.kind == "timeout"
            assert "cancel" not in outcome.failure.detail.lower()
            assert await has_no_open_connection(server)

    async def test_silence_in_a_body_is_a_timeout(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.respond(response("Content-Length: 3", body=b"a"))
            connection.wait_for_end()

        with RawServer(script) as server:
            outcome = await fetch(transport, get(server.url, timeout=SILENCE))
            assert outcome.pieces == [b"a"]
            assert outcome.failure.kind == "timeout"

    async def test_a_request_that_nobody_reads_is_a_timeout(self, transport: AsyncTransport) -> None:
        may_end = threading.Event()

        def script(connection: Connection) -> None:
            may_end.wait(PATIENCE)

        with RawServer(script) as server:
            outcome = await fetch(transport, unread(server, "body", timeout=SILENCE))
            may_end.set()
        assert outcome.failure.kind == "timeout"

    async def test_a_slow_response_without_silence_is_not_a_timeout(self, transport: AsyncTransport) -> None:
        def script(connection: Connection) -> None:
            connection.read_request()
            for start in range(0, len(OK), 5):
                connection.send(OK[start : start + 5])
                connection.saw_end.wait(0.02)
            connection.wait_for_end()

        with RawServer(script) as server:
            assert (await fetch(transport, get(server.url, timeout=0.14))).body == b"ok"

    async def test_sleeps_until_it_is_time(self, transport: AsyncTransport) -> None:
        until = transport.clock.now() + 0.05
        await transport.sleep(until)
        assert until - 0.005 <= transport.clock.now() < until + LATENESS
        await transport.sleep(0.0)

    # Before the first byte of the request.

    async def test_a_deadline_that_has_passed_ends_at_once(self, transport: AsyncTransport) -> None:
        with RawServer(silent) as server:
            assert (await fetch(transport, get(server.url), seconds=-1.0)).failure.kind == "connect"

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_connecting_ends_by_the_deadline(
        self,
        transport: AsyncTransport,
        names: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
        silent_port: int,
        public_only: bool,
    ) -> None:
        monkeypatch.setattr(dialing, "is_public", lambda address: True)
        names["images.example"] = [f"127.0.0.{number}" for number in range(1, 6)]
        request = get(f"http://images.example:{silent_port}/", public_only=public_only)
        began = transport.clock.now()
        outcome = await fetch(transport, request, seconds=DEADLINE)
        assert outcome.failure.kind == "connect"
        assert DEADLINE - 0.01 <= transport.clock.now() - began < DEADLINE + LATENESS

    async def test_a_flow_that_cannot_connect_ends_at_its_deadline(
        self, transport: AsyncTransport, silent_port: int
    ) -> None:
        flow = Ask(urls=[f"http://127.0.0.1:{silent_port}/"], limits=Limits(total=DEADLINE))
        began = transport.clock.now()
        with pytest.raises(FlowFailed) as raised:
            async for _ in outputs_of(flow, transport):
                pass
        assert raised.value.failure.kind in ("connect", "timeout")
        assert DEADLINE - 0.01 <= transport.clock.now() - began < DEADLINE + LATENESS

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_a_second_address_is_tried_if_the_first_does_not_respond(
        self,
        transport: AsyncTransport,
        names: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
        public_only: bool,
    ) -> None:
        monkeypatch.setattr(dialing, "is_public", lambda address: True)
        names["images.example"] = ["127.0.0.2", "127.0.0.1"]
        with RawServer(responding(OK)) as server, not_accepting("127.0.0.2", server.port):
            request = get(f"http://images.example:{server.port}/", public_only=public_only)
            assert (await fetch(transport, request, seconds=2.0)).body == b"ok"

    async def test_silence_while_connecting_is_a_failure_to_connect(
        self, transport: AsyncTransport, silent_port: int
    ) -> None:
        outcome = await fetch(transport, get(f"http://127.0.0.1:{silent_port}/", timeout=0.05))
        assert outcome.failure.kind == "connect"
        assert "cancel" not in outcome.failure.detail.lower()

    async def test_looking_up_a_name_ends_by_the_deadline(
        self, transport: AsyncTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        may_answer = threading.Event()

        def look_up(host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
            if not flags & socket.AI_NUMERICHOST:
                may_answer.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_NONAME, "nobody knows")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        began = transport.clock.now()
        outcome = await fetch(transport, get("http://slow.example/"), seconds=DEADLINE)
        took = transport.clock.now() - began
        may_answer.set()
        assert outcome.failure.kind == "connect"
        assert took < DEADLINE + LATENESS

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(silent, id="silence"),
            pytest.param(lambda connection: connection.drip(HANDSHAKE, every=0.02), id="drip"),
        ],
    )
    async def test_a_deadline_ends_a_handshake(self, transport: AsyncTransport, script: Script) -> None:
        with RawServer(script) as server:
            deadline = transport.clock.now() + DEADLINE
            outcome = await fetch(transport, get(server.url.replace("http:", "https:")), seconds=DEADLINE)
            ended = transport.clock.now()
            assert outcome.failure.kind == "connect"
            assert ended < deadline + LATENESS
            assert await has_no_open_connection(server)

    @pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", response()], ids=["answer", "handshake"])
    async def test_a_deadline_ends_a_tunnel_that_drips(self, variant: TransportVariant, start: bytes) -> None:
        data = b"X-Long: and so on\r\n" if start.count(b"\n") == 1 else HANDSHAKE
        with RawServer(dripping(start, data)) as proxy:
            transport = variant.open(proxy=proxy.url)
            deadline = transport.clock.now() + DEADLINE
            outcome = await fetch(transport, get("https://name.invalid/"), seconds=DEADLINE)
            ended = transport.clock.now()
            await transport.close()
            assert outcome.failure.kind == "connect"
            assert ended < deadline + LATENESS
            assert await has_no_open_connection(proxy)


def unread(server: RawServer, part: str, *, timeout: float = PATIENCE) -> Request:
    """A request whose head or body is longer than the socket buffers."""
    if part == "body":
        return Request(method="POST", url=server.url, body=bytes(32 * MIB), timeout=timeout)
    return Request(method="GET", url=f"{server.url}/{'a' * 8 * MIB}", timeout=timeout)
