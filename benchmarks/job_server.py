"""A server of image jobs on ARTA's wire, in a process of its own. Jobs take no time.

A job is six requests: sign up, submit, poll three times (in the queue, in progress, done), and download the image.
"""

from __future__ import annotations

import asyncio
import json
import re
from threading import Thread
from typing import cast

from child_processes import JsonObject, Parent

# Connections: above the 1,000 jobs that connect at once.
BACKLOG = 4096
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(20_000)
STAGES = ("IN_QUEUE", "IN_PROGRESS", "DONE")

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Site:
    """The jobs, each with the number of times that it was polled."""

    def __init__(self) -> None:
        self.url = ""
        self._polls: dict[str, int] = {}

    def respond(self, path: str) -> bytes:
        """The body of the response at a path."""
        if path.startswith("/images/"):
            return IMAGE
        if path.endswith("/status"):
            return json.dumps(self._status(path.split("/")[-2])).encode()
        if path.endswith("/text2image"):
            record_id = f"job-{len(self._polls)}"
            self._polls[record_id] = 0
            return json.dumps({"record_id": record_id}).encode()
        return json.dumps({"idToken": "token", "refreshToken": "another", "expiresIn": "3600"}).encode()

    def _status(self, record_id: str) -> JsonObject:
        stage = STAGES[min(self._polls[record_id], len(STAGES) - 1)]
        self._polls[record_id] += 1
        images = [{"url": f"{self.url}/images/{record_id}.png"}] if stage == "DONE" else []
        return {"record_id": record_id, "status": stage, "response": images}


class Connection(asyncio.Protocol):
    """One connection. It responds to one request after the other."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < stop:
                return
            self._data = self._data[stop:]
            body = self._site.respond(head.split(b" ", 2)[1].decode().partition("?")[0])
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def _serve(site: Site, parent: Parent) -> None:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(site), "127.0.0.1", 0, backlog=BACKLOG)
    site.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    parent.send(url=site.url)
    await listening.serve_forever()


def main() -> None:
    """Send the address, and serve until the parent process ends."""
    parent = Parent()
    Thread(target=lambda: asyncio.run(_serve(Site(), parent)), daemon=True).start()
    parent.serve(lambda request: {})


if __name__ == "__main__":
    main()
