"""Processes that save credentials and are killed.

`python killed_writer.py for-ever DIRECTORY` saves until it is killed.

`python killed_writer.py each-call DIRECTORY` saves many times, each time in a new folder and a new process. The first
process kills itself before its first system call, the second before its second, and so on until one finishes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelwire_io.store import FileStore

ORIGIN = "https://here.example"
OLD, NEW = {"token": "old" * 1000}, {"token": "new" * 1000}
CALLS = (
    "mkdir",
    "open",
    "close",
    "stat",
    "lstat",
    "fstat",
    "fdopen",
    "fsync",
    "replace",
    "unlink",
    "scandir",
    "listdir",
)
MOST_CALLS = 500


def save_for_ever(directory: Path) -> None:
    """Save two values in turn."""
    store = FileStore(directory)
    store.save("arta", ORIGIN, OLD)
    print("saved", flush=True)
    while True:
        store.save("arta", ORIGIN, NEW)
        store.save("arta", ORIGIN, OLD)


def save_until_each_call(directory: Path) -> None:
    """Print the number of system calls of a save."""
    for number in range(MOST_CALLS):
        store = FileStore(directory / f"{number:03}")
        store.save("arta", ORIGIN, OLD)
        child = os.fork()
        if child == 0:
            _die_before(number)
            store.save("arta", ORIGIN, NEW)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            print(number)
            return
        assert os.WTERMSIG(status) == signal.SIGKILL, status


def _die_before(number: int) -> None:
    left = number

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return counting

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


if __name__ == "__main__":
    {"for-ever": save_for_ever, "each-call": save_until_each_call}[sys.argv[1]](Path(sys.argv[2]))
