"""One connection of a client to the emulators: HTTP/1 by h11, over an anyio stream.

Requests are answered one after the other, also when they come all at once. While an answer takes its time, the
stream is read nevertheless: a client that sends its next request early loses nothing, and one that has gone is
noticed. A client may end its own side and still listen, so that its end only ends the pauses; one that is gone for
good shows by the next write that fails.
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
# Bytes: the head and the body of a request, what a client may send ahead of an answer, and one write.
HEAD_LIMIT = 64 * KIB
BODY_LIMIT = 16 * KIB * KIB
EARLY_LIMIT = 64 * KIB
WRITE_SIZE = 16 * KIB
# Seconds for which a client that is told to stop sending is listened to, so that it reads why.
LINGER = 2.0

# Ending our side of a connection that was reset is a bare OSError under trio.
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class WholeRequest(NamedTuple):
    """A request with its body."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Connection:
    """One client. `run` answers it until it goes, or has to."""

    def __init__(self, stream: SocketStream, site: EmulatedSite) -> None:
        self._stream = stream
        self._site = site
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._has_ended = anyio.Event()  # the client ended its side, or is to be treated so

    async def run(self) -> None:
        """Serve the connection, and close it."""
        async with self._stream:
            try:
                await self._answer_all()
                await self._linger()
            except GONE:
                pass

    async def _answer_all(self) -> None:
        try:
            while (request := await self._read_request()) is not None:
                await self._answer(request)
                if self._http.our_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            response = error_response(error.error_status_hint, f"this is not a request: {error}")
            await self._send_response(response, closes=True)

    async def _read_request(self) -> WholeRequest | None:
        """The next request, or None where there is none. Raises `h11.RemoteProtocolError`."""
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())
        # h11 counts only what is incomplete: a head that came all at once is counted here.
        if len(head.target) + header_size(headers) > HEAD_LIMIT:
            raise h11.RemoteProtocolError(f"its head exceeds {HEAD_LIMIT} bytes", error_status_hint=431)
        body = await self._read_body(_declared_length(head))
        return WholeRequest(head.method.decode("ascii"), head.target.decode("ascii"), headers, body)

    async def _read_body(self, size: int) -> bytes:
        body = bytearray()
        while True:
            # Before anything of it is read, so that a client that waits for leave (100-continue) gets none.
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

    async def _answer(self, request: WholeRequest) -> None:
        record, response = self._site.respond(*request)
        async with anyio.create_task_group() as tasks:
            if response.stays_open or any(chunk.pause > 0 for chunk in response.chunks):
                tasks.start_soon(self._watch)
            is_whole = await self._try_to_send(response, is_head=request.method == "HEAD")
            self._site.journal.end(record, closed_early=not is_whole)
            tasks.cancel_scope.cancel()

    async def _watch(self) -> None:
        """Keep what the client sends ahead of its answer, and notice when it ends its side."""
        kept = 0
        while kept < EARLY_LIMIT and not self._has_ended.is_set():
            try:
                data = await self._receive()
            except GONE:
                data = b""
            self._http.receive_data(data)
            kept += len(data) or EARLY_LIMIT
        # Also one that sends without end while it should listen.
        self._has_ended.set()

    async def _try_to_send(self, response: EmulatorResponse, *, is_head: bool) -> bool:
        """Whether the client took it all."""
        try:
            await self._send_response(response, has_body=not is_head)
        except GONE:
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
        """What is left to be sent after a chunk: writes are gathered where no pause divides them."""
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
        """Say that nothing more comes, and let the client read what came: closing at once could take it back."""
        await self._stream.send_eof()
        with anyio.move_on_after(LINGER):
            while not self._has_ended.is_set():
                await self._receive()


def _declared_length(head: h11.Request) -> int:
    return next((int(value) for name, value in head.headers if name == b"content-length"), 0)


def _framing(response: EmulatorResponse) -> Headers:
    """The length of what comes in one piece; all else h11 frames as the client's version of HTTP allows."""
    if response.stays_open or len(response.chunks) > 1:
        return ()
    return (("content-length", str(sum(len(chunk.data) for chunk in response.chunks))),)
