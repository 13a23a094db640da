"""Processes that are asked by lines of JSON: clients in one environment or another, and the servers they talk to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from machine import allow_many_sockets, pin

HERE = Path(__file__).resolve().parent
# A JSON object: what is asked, and what is answered.
Record = dict[str, Any]


class Worker(AbstractContextManager["Worker"]):
    """A process on a core of its own, that runs a script of this folder; it ends with the `with` block."""

    def __init__(self, script: str, *arguments: str, core: int, python: str | Path = sys.executable) -> None:
        command = [str(python), str(HERE / script), str(core), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self.ready = self._read()

    def ask(self, **question: Any) -> Record:
        """Put a question, and wait for the answer. Raises `RuntimeError` where the process has died of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Record:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        answer: Record = json.loads(line)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Answers:
    """The other end, inside the process. What libraries print goes to stderr instead."""

    def __init__(self) -> None:
        pin(int(sys.argv[1]))
        allow_many_sockets()
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def tell(self, **record: Any) -> None:
        """One line."""
        self._lines.write(json.dumps(record) + "\n")
        self._lines.flush()

    def serve(self, answer: Callable[[Record], Record]) -> None:
        """Answer until nobody asks any more; the process ends at once then, whatever libraries still have open."""
        for line in sys.stdin:
            self.tell(**answer(json.loads(line)))
        os._exit(0)
