"""The server of event streams, a process of its own.

What a client calls the model says how its answer is to come, so that every client can say it:
`MODE:EVENTS:STREAMS:PID`, where PID is the client's process and STREAMS how many it reads at a time.

coalesced   as fast as it is taken, in large writes
written     once all streams are open, one event a write, in turn; each write waits until the client sleeps
held        half of it; the rest a while after all streams have had that
stamped     the first event, whose text is the moment (monotonic, ns) at which it is written; the rest after that
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

from events_served import Answer, answer_at
from sleeper import Sleeper
from workers import Answers, Record

WRITE_SIZE = 256 * 1024
HOLD = 2.0  # seconds
BACKLOG = 4096

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Plan(NamedTuple):
    """How an answer is to come."""

    mode: str
    events: int
    streams: int
    pid: int


class Gathering:
    """Streams that wait for each other."""

    def __init__(self) -> None:
        self.files: list[int] = []
        self.is_done = asyncio.Event()


class Server:
    """Answers every request with a stream; `steady` is what the last `written` one cost the client, in seconds."""

    def __init__(self) -> None:
        self.steady = 0.0
        self._gatherings: dict[Plan, Gathering] = {}

    async def converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._answer(head.split(b" ", 2)[1].decode(), body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, body: bytes, writer: StreamWriter) -> None:
        mode, *numbers = str(json.loads(body)["model"]).rpartition("/")[2].split(":")
        plan = Plan(mode, *map(int, numbers))
        answer = answer_at(path)
        if mode == "coalesced":
            await _send(writer, answer.before + answer.events(plan.events) + answer.after)
        elif mode == "stamped":
            await self._send_stamped(plan, answer, writer)
        else:
            await self._send_gathered(plan, answer, writer)

    async def _send_gathered(self, plan: Plan, answer: Answer, writer: StreamWriter) -> None:
        half = answer.events(plan.events // 2) if plan.mode == "held" else b""
        await _send(writer, answer.before + half)
        gathering = self._gatherings.setdefault(plan, Gathering())
        gathering.files.append(writer.get_extra_info("socket").fileno())
        if len(gathering.files) < plan.streams:
            await gathering.is_done.wait()
        else:
            del self._gatherings[plan]
            if plan.mode == "held":
                await asyncio.sleep(HOLD)
            else:
                self._write_in_turn(plan, answer, gathering.files)
            gathering.is_done.set()
        await _send(writer, half + answer.after)

    def _write_in_turn(self, plan: Plan, answer: Answer, files: list[int]) -> None:
        """Nothing else is done meanwhile: whoever is measured waits for these writes."""
        with Sleeper(plan.pid) as client:
            client.wait()
            before = client.cpu_seconds
            for number in range(plan.events):
                for file in files:
                    client.wait()
                    os.write(file, answer.nth(number))
            client.wait()
            self.steady = client.cpu_seconds - before

    async def _send_stamped(self, plan: Plan, answer: Answer, writer: StreamWriter) -> None:
        file = writer.get_extra_info("socket").fileno()
        with Sleeper(plan.pid) as client:
            client.wait()
            os.write(file, answer.before + answer.event(str(time.monotonic_ns())))
            client.wait()
        await _send(writer, answer.after)


async def _send(writer: StreamWriter, data: bytes) -> None:
    for start in range(0, len(data), WRITE_SIZE):
        writer.write(data[start : start + WRITE_SIZE])
        await writer.drain()


async def _serve(server: Server, answers: Answers) -> None:
    listening = await asyncio.start_server(server.converse, "127.0.0.1", 0, backlog=BACKLOG)
    answers.tell(port=listening.sockets[0].getsockname()[1])
    await listening.serve_forever()


def main() -> None:
    """Say the port, serve, and say what was measured when asked."""
    answers = Answers()
    server = Server()
    Thread(target=lambda: asyncio.run(_serve(server, answers)), daemon=True).start()

    def answer(question: Record) -> Record:
        return {"steady": server.steady}

    answers.serve(answer)


if __name__ == "__main__":
    main()
