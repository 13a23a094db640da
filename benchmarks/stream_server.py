"""The server of event streams, in a process of its own.

The request's model says how to send the response, because every client can set it. It is `MODE:EVENTS:STREAMS:PID`:
EVENTS of each stream, STREAMS that the client reads at a time, and the PID of the client's process. The modes:

coalesced     as fast as the client takes it, in large writes
one-a-write   once all streams are open, one event a write, to each stream in turn; each write waits until the client
              sleeps
half          half of it; the rest 2 seconds after all streams have received that
timestamped   the first event, whose text is the moment (monotonic, ns) of its write; then the rest
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from asyncio import StreamReader, StreamWriter
from threading import Thread
from typing import NamedTuple

from child_processes import JsonObject, Parent
from stream_content import Answer, answer_at
from watched_process import WatchedProcess

WRITE_SIZE = 256 * 1024
# Seconds for which all streams stay open in mode `half`, for a measurement of memory.
PAUSE = 2.0
# Connections: above the 1,000 streams that connect at once.
BACKLOG = 4096

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Plan(NamedTuple):
    """A model, parsed."""

    mode: str
    events: int
    streams: int
    pid: int


class Group:
    """The streams of one run, which wait for each other."""

    def __init__(self) -> None:
        self.files: list[int] = []
        self.is_done = asyncio.Event()


class Server:
    """Responds to every request with a stream.

    `steady`: seconds of CPU time that the last `one-a-write` run cost the client while all streams were open.
    """

    def __init__(self) -> None:
        self.steady = 0.0
        self._groups: dict[Plan, Group] = {}

    async def serve_connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Respond to one request after the other."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._respond(head.split(b" ", 2)[1].decode(), body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _respond(self, path: str, body: bytes, writer: StreamWriter) -> None:
        mode, *numbers = str(json.loads(body)["model"]).rpartition("/")[2].split(":")
        plan = Plan(mode, *map(int, numbers))
        answer = answer_at(path)
        if mode == "coalesced":
            await _send(writer, answer.before + answer.events(plan.events) + answer.after)
        elif mode == "timestamped":
            await self._send_timestamped(plan, answer, writer)
        else:
            await self._send_as_group(plan, answer, writer)

    async def _send_as_group(self, plan: Plan, answer: Answer, writer: StreamWriter) -> None:
        half = answer.events(plan.events // 2) if plan.mode == "half" else b""
        await _send(writer, answer.before + half)
        group = self._groups.setdefault(plan, Group())
        group.files.append(writer.get_extra_info("socket").fileno())
        if len(group.files) < plan.streams:
            await group.is_done.wait()
        else:
            del self._groups[plan]
            if plan.mode == "half":
                await asyncio.sleep(PAUSE)
            else:
                self._write_in_turn(plan, answer, group.files)
            group.is_done.set()
        await _send(writer, half + answer.after)

    def _write_in_turn(self, plan: Plan, answer: Answer, files: list[int]) -> None:
        """Write every event. This blocks the event loop on purpose: the client waits for nothing else."""
        with WatchedProcess(plan.pid) as client:
            client.wait()
            before = client.cpu_seconds
            for number in range(plan.events):
                for file in files:
                    client.wait()
                    os.write(file, answer.nth(number))
            client.wait()
            self.steady = client.cpu_seconds - before

    async def _send_timestamped(self, plan: Plan, answer: Answer, writer: StreamWriter) -> None:
        file = writer.get_extra_info("socket").fileno()
        with WatchedProcess(plan.pid) as client:
            client.wait()
            os.write(file, answer.before + answer.event(str(time.monotonic_ns())))
            client.wait()
        await _send(writer, answer.after)


async def _send(writer: StreamWriter, data: bytes) -> None:
    for start in range(0, len(data), WRITE_SIZE):
        writer.write(data[start : start + WRITE_SIZE])
        await writer.drain()


async def _serve(server: Server, parent: Parent) -> None:
    listening = await asyncio.start_server(server.serve_connection, "127.0.0.1", 0, backlog=BACKLOG)
    parent.send(port=listening.sockets[0].getsockname()[1])
    await listening.serve_forever()


def main() -> None:
    """Send the port, serve, and send `steady` for each request."""
    parent = Parent()
    server = Server()
    Thread(target=lambda: asyncio.run(_serve(server, parent)), daemon=True).start()

    def handle(request: JsonObject) -> JsonObject:
        return {"steady": server.steady}

    parent.serve(handle)


if __name__ == "__main__":
    main()
