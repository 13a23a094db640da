"""Which requests the emulators got, and what became of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

MOST_RECORDS = 10_000


class RequestRecord(msgspec.Struct, kw_only=True):
    """One request and its answer.

    `target` is path and query as on the real host, `provider` is empty where the path names none. `closed_early`
    says whether the client closed the connection before the answer was sent whole; None until that is known.
    """

    method: str
    provider: str
    target: str
    header_names: tuple[str, ...]
    status: int
    closed_early: bool | None = None


class Journal:
    """The latest requests, in their order. It may be read from any thread."""

    def __init__(self, most: int = MOST_RECORDS) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=most)
        self._changed = threading.Condition()

    @property
    def records(self) -> list[RequestRecord]:
        """What has come so far."""
        with self._changed:
            return list(self._records)

    def begin(self, record: RequestRecord) -> None:
        """A request is about to be answered."""
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()

    def end(self, record: RequestRecord, *, closed_early: bool) -> None:
        """The answer is sent whole, or as far as the client let it."""
        with self._changed:
            record.closed_early = closed_early
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[Sequence[RequestRecord]], bool], timeout: float) -> bool:
        """Wait until the records fulfil a condition, `timeout` seconds at most; whether they do."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(list(self._records)), timeout)
