"""One client's connection to the emulators: HTTP/1 with h11, over an anyio stream.

Pipelined requests are handled in order. While a slow response is sent, the stream is read, too: early requests are
saved for later, and the end of the client's side is noticed. A client may end its side and still read, so that end only
skips the pauses that remain. If the client has closed the whole connection, the next write fails.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import NamedTuple

import anyio
import h11
from anyio.abc import SocketStream

from modelwire.emulators.emulator import Chunk, EmulatorResponse
from modelwire.emulators.parts.responses import error_response
from modelwire.http import Headers, header_size

from .site import EmulatedSite

KIB = 1024
# Bytes: the longest head of a request.
HEAD_LIMIT = 64 * KIB
# Bytes: the longest body of a request.
BODY_LIMIT = 16 * KIB * KIB
# Bytes: the most that a client may send while a response is being sent.
EARLY_LIMIT = 64 * KIB
# Bytes: chunks without a pause between them are joined until one write has this size.
WRITE_SIZE = 16 * KIB
# Seconds: the longest wait for the client to end its side after our last response.
LINGER_SECONDS = 2.0

# trio raises a bare OSError if our side of a connection that was reset is ended.
CONNECTION_LOST = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class WholeRequest(NamedTuple):
    """A request with its body."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Connection:
    """One client. `run` responds to its requests until the client or an error ends the connection."""

    def __init__(self, stream: SocketStream, site: EmulatedSite) -> None:
        self._stream = stream
        self._site = site
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._has_ended = anyio.Event()  # the client ended its side, or sent too much to be read further

    async def run(self) -> None:
        """Serve the connection, and close it."""
        async with self._stream:
            try:
                await self._respond_to_all()
                await self._linger()
            except CONNECTION_LOST:
                pass

    async def _respond_to_all(self) -> None:
        try:
            while (request := await self._read_request()) is not None:
                await self._respond(request)
                if self._http.our_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            response = error_response(error.error_status_hint, f"not a valid request: {error}")
            await self._send_response(response, closes=True)

    async def _read_request(self) -> WholeRequest | None:
        """Read the next request. Returns None if the client sends no more. Raises `h11.RemoteProtocolError`."""
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())
        # h11 limits only incomplete heads. A head that arrived at once is measured here.
        if len(head.target) + header_size(headers) > HEAD_LIMIT:
            raise h11.RemoteProtocolError(f"its head exceeds {HEAD_LIMIT} bytes", error_status_hint=431)
        body = await self._read_body(_declared_length(head))
        return WholeRequest(head.method.decode("ascii"), head.target.decode("ascii"), headers, body)

    async def _read_body(self, size: int) -> bytes:
        body = bytearray()
        while True:
            # Checked before the body is read, so that a client that expects 100-continue is refused at once.
            if max(size, len(body)) > BODY_LIMIT:
                raise h11.RemoteProtocolError(f"its body exceeds {BODY_LIMIT} bytes", error_status_hint=413)
            event = await self._next_event()
            if not isinstance(event, h11.Data):
                return bytes(body)
            body += event.data

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._stream.send(self._encode(h11.InformationalResponse(status_code=100, headers=[])))
            self._http.receive_data(await self._receive())
        return event

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except anyio.EndOfStream:
            self._has_ended.set()
            return b""

    async def _respond(self, request: WholeRequest) -> None:
        record, response = self._site.respond(*request)
        async with anyio.create_task_group() as tasks:
            if response.stays_open or any(chunk.pause > 0 for chunk in response.chunks):
                tasks.start_soon(self._watch)
            is_whole = await self._try_to_send(response, is_head=request.method == "HEAD")
            self._site.journal.end(record, closed_early=not is_whole)
            tasks.cancel_scope.cancel()

    async def _watch(self) -> None:
        """Read early requests while a response is sent, and notice when the client ends its side."""
        received = 0
        while received < EARLY_LIMIT and not self._has_ended.is_set():
            try:
                data = await self._receive()
            except CONNECTION_LOST:
                data = b""
            self._http.receive_data(data)
            received += len(data) or EARLY_LIMIT
        # A client that sends more than the limit is treated like one that ended its side.
        self._has_ended.set()

    async def _try_to_send(self, response: EmulatorResponse, *, is_head: bool) -> bool:
        """Send a response. Returns True if the whole response was sent."""
        try:
            await self._send_response(response, has_body=not is_head)
        except CONNECTION_LOST:
            return False
        return self._http.our_state is not h11.SEND_BODY

    async def _send_response(self, response: EmulatorResponse, *, has_body: bool = True, closes: bool = False) -> None:
        headers = [*response.headers, *_framing(response), ("date", formatdate(usegmt=True))]
        headers += [("connection", "close")] if closes else []
        output = self._encode(h11.Response(status_code=response.status, headers=headers))
        for chunk in response.chunks if has_body else ():
            output = await self._send_chunk(output, chunk)
        if has_body and response.stays_open:
            await self._stream.send(output)
            await self._has_ended.wait()
        else:
            await self._stream.send(output + self._encode(h11.EndOfMessage()))

    async def _send_chunk(self, output: bytes, chunk: Chunk) -> bytes:
        """Add a chunk to `output`, and send it if there is enough. Returns the bytes that are still to be sent."""
        if chunk.pause > 0:
            await self._stream.send(output)
            output = b""
            with anyio.move_on_after(chunk.pause):
                await self._has_ended.wait()
        output += self._encode(h11.Data(data=chunk.data))
        if len(output) < WRITE_SIZE:
            return output
        await self._stream.send(output)
        return b""

    def _encode(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""

    async def _linger(self) -> None:
        """End our side, and wait until the client ends its own. Closing at once could discard the last response."""
        await self._stream.send_eof()
        with anyio.move_on_after(LINGER_SECONDS):
            while not self._has_ended.is_set():
                await self._receive()


def _declared_length(head: h11.Request) -> int:
    return next((int(value) for name, value in head.headers if name == b"content-length"), 0)


def _framing(response: EmulatorResponse) -> Headers:
    """Headers for the length of a body in one chunk. h11 frames other bodies as the client's HTTP version allows."""
    if response.stays_open or len(response.chunks) > 1:
        return ()
    return (("content-length", str(sum(len(chunk.data) for chunk in response.chunks))),)
