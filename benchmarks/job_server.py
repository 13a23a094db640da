"""A server of image jobs on ARTA's wire, a process of its own: it is asked six times for each job, and is always quick.

Sign up, submit, ask how far it is (in the queue, in progress, done), and get the image.
"""

from __future__ import annotations

import asyncio
import json
import re
from threading import Thread
from typing import cast

from workers import Answers, Record

BACKLOG = 4096
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(20_000)
STAGES = ("IN_QUEUE", "IN_PROGRESS", "DONE")

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Site:
    """The jobs, and how often each was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self._asked: dict[str, int] = {}

    def answer(self, path: str) -> bytes:
        """What a path says."""
        if path.startswith("/images/"):
            return IMAGE
        if path.endswith("/status"):
            return json.dumps(self._status(path.split("/")[-2])).encode()
        if path.endswith("/text2image"):
            record_id = f"job-{len(self._asked)}"
            self._asked[record_id] = 0
            return json.dumps({"record_id": record_id}).encode()
        return json.dumps({"idToken": "token", "refreshToken": "another", "expiresIn": "3600"}).encode()

    def _status(self, record_id: str) -> Record:
        stage = STAGES[min(self._asked[record_id], len(STAGES) - 1)]
        self._asked[record_id] += 1
        images = [{"url": f"{self.url}/images/{record_id}.png"}] if stage == "DONE" else []
        return {"record_id": record_id, "status": stage, "response": images}


class Conversation(asyncio.Protocol):
    """One connection, request after request."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        assert self._transport is not None
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < stop:
                return
            self._data = self._data[stop:]
            body = self._site.answer(head.split(b" ", 2)[1].decode().partition("?")[0])
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def _serve(site: Site, answers: Answers) -> None:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Conversation(site), "127.0.0.1", 0, backlog=BACKLOG)
    site.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    answers.tell(url=site.url)
    await listening.serve_forever()


def main() -> None:
    """Say the address, and serve until nobody asks any more."""
    answers = Answers()
    Thread(target=lambda: asyncio.run(_serve(Site(), answers)), daemon=True).start()
    answers.serve(lambda question: {})


if __name__ == "__main__":
    main()
