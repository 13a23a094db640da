"""What some transports cannot promise: a table, which `docs/transports.md` repeats and the tests consult."""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    """A promise that some transports cannot keep.

    `not_by` are names of transports. If only one style of a transport cannot keep it, the name is as in
    `h11 (blocking)`.
    """

    text: str
    not_by: tuple[str, ...]
    instead: str
    """What those transports do instead, and why."""


TRIO = Promise("It runs on trio", ("aiohttp",), "An error, which names the transports that do: aiohttp needs asyncio.")
HEADER_BYTES = Promise(
    "Bytes beyond ASCII in a header are sent unchanged",
    ("aiohttp",),
    "The request fails before it is sent: aiohttp would send other bytes.",
)
EMPTY_QUERIES = Promise("A `?` with nothing after it is sent", ("aiohttp",), "aiohttp's URLs drop it.")
LONG_HEADS = Promise(
    "A response may have 250 headers",
    ("urllib", "urllib3"),
    "More than 100 are a protocol failure: `http.client` has that limit.",
)
INTERIM_FLOODS = Promise(
    "Endless interim responses (1xx) are a failure",
    ("httpx", "httpx2", "aiohttp", "urllib", "urllib3"),
    "They last until the deadline: the library skips them (`http.client` skips those with status 100).",
)
CHUNK_SIZES = Promise(
    "A chunk size that is not a number is a protocol failure",
    ("urllib", "urllib3"),
    "It is a network failure: `http.client` treats it as the end of the connection.",
)
REUSE = Promise(
    "Connections are reused",
    ("urllib",),
    "Each request has its own connection: `http.client` pools none.",
)
SURPLUS = Promise(
    "A connection with bytes after the response is closed",
    ("urllib3",),
    "The extra bytes are dropped and the connection is reused: `http.client` does not report them.",
)
SOCKS = Promise("SOCKS proxies", ("aiohttp",), "They are refused: aiohttp does not support them.")
TLS_IN_TLS = Promise(
    "https:// addresses through https:// proxies",
    ("h11 (blocking)", "httpx (blocking)", "httpx2 (blocking)", "urllib", "urllib3"),
    "They are refused: Python's blocking sockets cannot run TLS inside TLS.",
)

PROMISES = (
    *(TRIO, HEADER_BYTES, EMPTY_QUERIES, LONG_HEADS, INTERIM_FLOODS, CHUNK_SIZES),
    *(REUSE, SURPLUS, SOCKS, TLS_IN_TLS),
)
