"""Another process, watched from outside: when it sleeps, and the CPU time that it has had. Linux alone tells."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from types import TracebackType

# Seconds after which a process that does not go to sleep is written to all the same.
PATIENCE = 1.0


class Sleeper(AbstractContextManager["Sleeper"]):
    """The main thread of a process."""

    def __init__(self, pid: int) -> None:
        self._file = os.open(f"/proc/{pid}/task/{pid}/stat", os.O_RDONLY)
        # What `clock_getcpuclockid` makes of a process.
        self._clock = ~pid << 3 | 2

    def wait(self) -> None:
        """Return once it sleeps: whatever it was sent is done with."""
        until = time.monotonic() + PATIENCE
        while not self.sleeps and time.monotonic() < until:
            pass

    @property
    def sleeps(self) -> bool:
        """Whether it waits for something."""
        return os.pread(self._file, 256, 0).rpartition(b")")[2][1:2] == b"S"

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that the process has had."""
        return time.clock_gettime(self._clock)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
