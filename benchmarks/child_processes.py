"""Child processes that take requests as lines of JSON: clients in one environment or another, and their servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from machine import allow_many_sockets, pin

HERE = Path(__file__).resolve().parent
# A request to a child process, or its result.
JsonObject = dict[str, Any]


class ChildProcess(AbstractContextManager["ChildProcess"]):
    """A process on one core that runs a script of this folder; it ends with the `with` block.

    Its working directory is a temporary one: some of the measured libraries write files there. `ready` is the first
    object that the script sends.
    """

    def __init__(self, script: str, *arguments: str, core: int, python: str | Path = sys.executable) -> None:
        command = [str(python), str(HERE / script), str(core), *arguments]
        self._folder = tempfile.TemporaryDirectory(prefix="modelwire-benchmark-")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self._folder.name
        )
        self.pid = self._process.pid
        self.ready = self._read()

    def ask(self, **request: Any) -> JsonObject:
        """Send a request and wait for the result. Raises `RuntimeError` if the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> JsonObject:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with exit status {self._process.wait()}")
        result: JsonObject = json.loads(line)
        return result

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
        self._folder.cleanup()


class Parent:
    """The parent process, as seen by the child. The first argument of the command line is the child's core.

    What libraries print goes to stderr, so that stdout carries results only.
    """

    def __init__(self) -> None:
        pin(int(sys.argv[1]))
        allow_many_sockets()
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **result: Any) -> None:
        """Write one object."""
        self._lines.write(json.dumps(result) + "\n")
        self._lines.flush()

    def serve(self, handle: Callable[[JsonObject], JsonObject]) -> None:
        """Send the result of each request. Ends the process at the end of input, whatever is still open."""
        for line in sys.stdin:
            self.send(**handle(json.loads(line)))
        os._exit(0)
