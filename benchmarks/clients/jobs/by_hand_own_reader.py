"""Image jobs written by hand on asyncio's streams: one connection for the six requests of a job."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from clients.minimal_http import address
from clients.runners import OnOutput, on_asyncio

from .by_hand import Headers, do_job


async def job(url: str, model: str, on_output: OnOutput) -> None:
    reader, writer = await asyncio.open_connection(*address(url))

    async def send(method: str, url: str, headers: Headers, body: bytes) -> bytes:
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "\r\n"]).encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))

    await do_job(url, send, on_output)
    writer.close()


run = on_asyncio(job)
