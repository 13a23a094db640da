"""Another process, observed from outside: if it sleeps, and how much CPU time it has used. Linux only."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from types import TracebackType

# Seconds: a process that is still awake after this is written to all the same.
LONGEST_WAIT = 1.0


class WatchedProcess(AbstractContextManager["WatchedProcess"]):
    """The main thread of a process."""

    def __init__(self, pid: int) -> None:
        self._file = os.open(f"/proc/{pid}/task/{pid}/stat", os.O_RDONLY)
        # The CPU clock of a process, as `clock_getcpuclockid` computes it.
        self._clock = ~pid << 3 | 2

    def wait(self) -> None:
        """Return when the process sleeps: it has then handled everything that it was sent."""
        until = time.monotonic() + LONGEST_WAIT
        while not self.is_asleep and time.monotonic() < until:
            pass

    @property
    def is_asleep(self) -> bool:
        return os.pread(self._file, 256, 0).rpartition(b")")[2][1:2] == b"S"

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the process has used so far."""
        return time.clock_gettime(self._clock)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
