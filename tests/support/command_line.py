"""The `modelwire` command as a user runs it: in a process of its own, on pipes or on a terminal, in a home of its own.

Nothing waits longer than `PATIENCE`, and nothing waits that long in a test that passes.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NamedTuple

import pytest

import modelwire
import modelwire_io
from modelwire_io.cli.command import run

PATIENCE = 20.0

Stream = Literal["stdin", "stdout"]

_MAIN = "from modelwire_io.cli import main; main()"
# The terminal becomes the one that /dev/tty is, and that sends SIGINT for Ctrl-C.
_MAIN_ON_A_TERMINAL = f"import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); {_MAIN}"
_PACKAGES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (modelwire, modelwire_io))

# What closes a stream before the command begins.
_CLOSERS: dict[Stream | None, tuple[str, ...]] = {
    "stdin": ("sh", "-c", 'exec "$@" <&-', "sh"),
    "stdout": ("sh", "-c", 'exec "$@" >&-', "sh"),
}

NOTHING: Mapping[str, str] = {}

CTRL_C = "\x03"
CTRL_D = "\x04"


class Result(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def notes(self) -> list[str]:
        """The lines of stderr."""
        return self.err.splitlines()


class Home:
    """A user: a home directory with nothing in it, and the environment that goes with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "work"
        self.data = path / "data" / "modelwire" / "credentials"
        self.state = path / "state" / "modelwire" / "conversations"
        self.folder.mkdir(parents=True)

    @property
    def variables(self) -> dict[str, str]:
        """Those that say where files go."""
        return {
            "HOME": str(self.path),
            "XDG_DATA_HOME": str(self.path / "data"),
            "XDG_STATE_HOME": str(self.path / "state"),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_CACHE_HOME": str(self.path / "cache"),
        }

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The whole environment: nothing of the tests' own gets into it but how to find Python and the packages."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": _PACKAGES,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            **self.variables,
            **extra,
        }

    @contextmanager
    def started(
        self,
        *words: str,
        stdout: IO[bytes] | None = None,
        closed: Stream | None = None,
        extra: Mapping[str, str] = NOTHING,
    ) -> Iterator[Running]:
        """A command under way, on pipes; `extra` is added to its environment.

        `stdout` is a file to write to instead of a pipe, `closed` a stream that is closed from the beginning.
        """
        process = subprocess.Popen(
            [*_CLOSERS.get(closed, ()), *_command(_MAIN, words)],
            stdin=subprocess.PIPE,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment(extra),
        )
        try:
            yield Running(process)
        finally:
            process.kill()
            process.communicate()

    def run(
        self,
        *words: str,
        typed: bytes = b"",
        stdout: IO[bytes] | None = None,
        closed: Stream | None = None,
        extra: Mapping[str, str] = NOTHING,
    ) -> Result:
        """Run a command to its end, with `typed` on its stdin."""
        with self.started(*words, stdout=stdout, closed=closed, extra=extra) as command:
            return command.finish(typed)

    @contextmanager
    def terminal(self, *words: str, piped: bool = False, extra: Mapping[str, str] = NOTHING) -> Iterator[Terminal]:
        """A command under way on a terminal of its own; with `piped`, its stdout goes to a pipe instead."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                _command(_MAIN_ON_A_TERMINAL, words),
                stdin=theirs,
                stdout=subprocess.PIPE if piped else theirs,
                stderr=theirs,
                cwd=self.folder,
                env=self.environment(extra),
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        try:
            yield Terminal(ours, process)
        finally:
            process.kill()
            process.communicate()
            os.close(ours)


class Inside:
    """The same user, with the command run inside the tests' own process: quicker, and enough for what it says."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in list(os.environ):
            if name.endswith(("_BASE_URL", "_API_KEY", "_LOGIN_URL", "_PROXY", "_proxy")):
                monkeypatch.delenv(name)
        for name, value in home.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(home.folder)

    def run(self, *words: str, typed: bytes = b"") -> Result:
        """Run a command to its end, with `typed` on its stdin."""
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))
        self._capsys.readouterr()
        code = run(list(words))
        written = self._capsys.readouterr()
        return Result(code, written.out, written.err)


def _command(main: str, words: tuple[str, ...]) -> list[str]:
    # A warning, such as that of a socket that was never closed, would show on stderr.
    return [sys.executable, "-W", "error", "-c", main, *words]


def _repeat(interrupt: Callable[[], None], process: subprocess.Popen[bytes]) -> None:
    """Interrupt a process until it ends, as a person would.

    Python looks for signals between two bytecodes: one that comes just before a system call blocks is seen when that
    call is over, or when the next signal wakes it. That is rare, and no reason for a test to fail.
    """
    for _ in range(int(PATIENCE)):
        interrupt()
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            continue
        return
    raise AssertionError("the command cannot be interrupted")


class Running:
    """A command on pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stderr is not None
        self._stdout = process.stdout
        self._stderr = process.stderr
        self._read: dict[IO[bytes] | None, bytes] = {process.stdout: b"", process.stderr: b""}

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def wait_for(self, text: str) -> str:
        """Wait until `text` is on stdout; returns all that is."""
        return self._read_until(self._stdout, text)

    def wait_for_note(self, text: str) -> str:
        """Wait until `text` is on stderr; returns all that is."""
        return self._read_until(self._stderr, text)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal, and wait until it has ended the command: SIGINT is what Ctrl-C does."""
        _repeat(lambda: self._process.send_signal(number), self._process)

    def finish(self, typed: bytes = b"") -> Result:
        """Wait for its end."""
        out, err = self._process.communicate(typed, timeout=PATIENCE)
        written, noted = self._read.values()
        return Result(self._process.returncode, (written + (out or b"")).decode(), (noted + err).decode())

    def close_stdout(self) -> None:
        """Read no further."""
        assert self._stdout is not None
        self._stdout.close()

    def _read_until(self, stream: IO[bytes] | None, text: str) -> str:
        assert stream is not None
        while text.encode() not in self._read[stream]:
            ready, _, _ = select.select([stream], [], [], PATIENCE)
            assert ready, f"nothing happened; so far: {self._read.values()!r}"
            data = os.read(stream.fileno(), 65536)
            assert data, f"the command ended without {text!r}: {self._read.values()!r}"
            self._read[stream] += data
        return self._read[stream].decode("utf-8", "replace")


class Terminal:
    """A command on a terminal, and what is on the screen, escape sequences included."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self._process = process
        self._bytes = b""

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def screen(self) -> str:
        """Everything that was written so far."""
        return self._bytes.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def visible(self) -> str:
        """The same without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.screen)

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait until the command has ended."""
        _repeat(lambda: self.type(CTRL_C), self._process)

    def type(self, keys: str) -> None:
        """Type on the keyboard."""
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        while text not in self.visible:
            assert self._read(), f"the command ended without {text!r}: {self.screen!r}"

    def finish(self) -> Result:
        """Wait for its end; `out` is what went to a pipe."""
        while self._read():
            pass
        out, _ = self._process.communicate(timeout=PATIENCE)
        return Result(self._process.returncode, (out or b"").decode(), self.screen)

    def _read(self) -> bool:
        """Take in what there is; whether there may be more."""
        ready, _, _ = select.select([self._descriptor], [], [], PATIENCE)
        assert ready, f"nothing happened: {self.screen!r}"
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            return False  # Linux says EIO once nobody has the other end
        self._bytes += data
        return bool(data)
