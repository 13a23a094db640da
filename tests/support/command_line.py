"""The `modelwire` command as a user runs it: in its own process, on pipes or on a terminal, in an empty home."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import msgspec
import pytest

import modelwire
import modelwire_io
from modelwire_io.cli.command import run

# Seconds: the longest wait for a command. It only keeps a test from hanging: no test that passes waits that long, even
# on a machine with many more processes than cores.
PATIENCE = 120.0
# Seconds: between two presses of Ctrl-C, by a person who waits for their effect, and by one who does not.
_PATIENT_PRESSES = 1.0
_RAPID_PRESSES = 0.002

Stream = Literal["stdin", "stdout"]

# A parent that ignores SIGINT, such as nohup, hands that on to its children: here Ctrl-C works in any case.
_MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from modelwire_io.cli import main; main()"
)
# The terminal becomes the controlling one, which /dev/tty names, and which sends SIGINT for Ctrl-C.
_MAIN_ON_A_TERMINAL = f"import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); {_MAIN}"
_PACKAGES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (modelwire, modelwire_io))

# The words before a command that close one of its streams.
_CLOSERS: dict[Stream | None, tuple[str, ...]] = {
    "stdin": ("sh", "-c", 'exec "$@" <&-', "sh"),
    "stdout": ("sh", "-c", 'exec "$@" >&-', "sh"),
}

_NO_VARIABLES: Mapping[str, str] = {}

CTRL_C = "\x03"
CTRL_D = "\x04"


class Result(NamedTuple):
    """The exit code of a command, and the text that it wrote to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def notes(self) -> list[str]:
        """The lines of stderr."""
        return self.err.splitlines()

    @property
    def json_lines(self) -> list[dict[str, Any]]:
        """The lines of stdout, decoded."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


def files_in(folder: Path) -> list[Path]:
    """The files in a folder and in all folders below it, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


class Home:
    """A user with an empty home directory, and the environment variables that lead there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "work"
        self.data = path / "data" / "modelwire" / "credentials"
        self.state = path / "state" / "modelwire" / "conversations"
        self.folder.mkdir(parents=True)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that name the user's folders."""
        return {
            "HOME": str(self.path),
            "XDG_DATA_HOME": str(self.path / "data"),
            "XDG_STATE_HOME": str(self.path / "state"),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_CACHE_HOME": str(self.path / "cache"),
        }

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The whole environment. Of the tests' own, it has only the paths of Python and of the packages."""
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
        extra: Mapping[str, str] = _NO_VARIABLES,
    ) -> Iterator[Running]:
        """Start a command on pipes; `extra` is added to its environment.

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
        extra: Mapping[str, str] = _NO_VARIABLES,
    ) -> Result:
        """Run a command to its end, with `typed` on its stdin."""
        with self.started(*words, stdout=stdout, closed=closed, extra=extra) as command:
            return command.finish(typed)

    @contextmanager
    def terminal(
        self, *words: str, piped: bool = False, extra: Mapping[str, str] = _NO_VARIABLES
    ) -> Iterator[Terminal]:
        """Start a command on a terminal of its own; with `piped`, its stdout goes to a pipe instead."""
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
    """The same user, but the command runs in the tests' own process: faster, and enough to check its output."""

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
    # With `-W error`, a warning, such as that of a socket that was never closed, shows on stderr.
    return [sys.executable, "-W", "error", "-c", main, *words]


def _repeat(
    interrupt: Callable[[], None], process: subprocess.Popen[bytes], *, every: float = _PATIENT_PRESSES
) -> None:
    """Interrupt a process until it ends.

    Once is not always enough: Python checks for signals between bytecodes, so one that arrives just before a system
    call blocks is seen when the call returns, or when the next signal wakes it.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        interrupt()
        try:
            process.wait(timeout=every)
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
        """Wait until `text` is on stdout. Returns everything that is."""
        return self._read_until(self._stdout, text)

    def wait_for_note(self, text: str) -> str:
        """Wait until `text` is on stderr. Returns everything that is."""
        return self._read_until(self._stderr, text)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal, by default that of Ctrl-C, until the command has ended."""
        _repeat(lambda: self._process.send_signal(number), self._process)

    def interrupt_repeatedly(self) -> None:
        """Press Ctrl-C many times in quick succession, until the command has ended."""
        _repeat(lambda: self._process.send_signal(signal.SIGINT), self._process, every=_RAPID_PRESSES)

    def finish(self, typed: bytes = b"") -> Result:
        """Write `typed` to stdin, and wait for the end of the command."""
        out, err = self._process.communicate(typed, timeout=PATIENCE)
        out_before, err_before = self._read.values()
        return Result(self._process.returncode, (out_before + (out or b"")).decode(), (err_before + err).decode())

    def close_stdout(self) -> None:
        """Close the reader's end of stdout."""
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
    """A command on a terminal, and everything that it wrote to the screen."""

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
        """Everything written so far, with its escape sequences."""
        return self._bytes.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def visible(self) -> str:
        """Everything written so far, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.screen)

    def interrupt(self) -> None:
        """Press Ctrl-C until the command has ended."""
        _repeat(lambda: self.type(CTRL_C), self._process)

    def type(self, keys: str) -> None:
        """Type on the keyboard."""
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        while text not in self.visible:
            assert self._read(), f"the command ended without {text!r}: {self.screen!r}"

    def finish(self) -> Result:
        """Wait for the end of the command. `out` is the text from the pipe, if there is one; `err` is the screen."""
        while self._read():
            pass
        out, _ = self._process.communicate(timeout=PATIENCE)
        return Result(self._process.returncode, (out or b"").decode(), self.screen)

    def _read(self) -> bool:
        """Read what the command has written. False at its end."""
        ready, _, _ = select.select([self._descriptor], [], [], PATIENCE)
        assert ready, f"nothing happened: {self.screen!r}"
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            return False  # Linux reports EIO once nobody holds the other end
        self._bytes += data
        return bool(data)
