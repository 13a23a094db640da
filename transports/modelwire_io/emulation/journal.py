"""A journal of the requests that the emulators received."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

MOST_RECORDS = 10_000


class RequestRecord(msgspec.Struct, kw_only=True):
    """One request, and the status of its response.

    `target` is path and query as on the provider's own host. `provider` is empty if the path names no provider.
    `closed_early` is True if the client closed the connection before the whole response was sent; None until that is
    known.
    """

    method: str
    provider: str
    target: str
    header_names: tuple[str, ...]
    status: int
    closed_early: bool | None = None


class Journal:
    """The latest requests in the order of their arrival. Any thread may use it."""

    def __init__(self, most: int = MOST_RECORDS) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=most)
        self._changed = threading.Condition()

    @property
    def records(self) -> list[RequestRecord]:
        """The latest requests in the order of their arrival."""
        with self._changed:
            return list(self._records)

    def begin(self, record: RequestRecord) -> None:
        """Add a request before its response is sent."""
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()

    def end(self, record: RequestRecord, *, closed_early: bool) -> None:
        """Note that a response was sent, or that the client closed the connection before."""
        with self._changed:
            record.closed_early = closed_early
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[Sequence[RequestRecord]], bool], timeout: float) -> bool:
        """Wait until the records satisfy a condition, `timeout` seconds at most. Returns whether they do."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(list(self._records)), timeout)
