"""Recordings in files: written while a flow is driven, and read for a replay, at the recorded pace or at once."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from modelwire.errors import RecordingError
from modelwire.events import Start
from modelwire.flow import Flow
from modelwire.outputs import Output, TextDelta
from modelwire.recording.format import Recording, parse_recording
from modelwire.recording.recorder import Recorder
from modelwire_io.clock import Clock
from modelwire_io.drive import AsyncTransport, Transport, adrive, drive

from .private_files import replace_private

RecordPath = str | os.PathLike[str]
T = TypeVar("T")


def drive_recorded(
    flow: Flow, transport: Transport, path: RecordPath, *, start: Start | None = None
) -> Generator[Output, None, None]:
    """Drive a flow with `drive`, and record it in a file, however it ends.

    If the process is killed, the file holds everything up to the last output that was not a `TextDelta`. Raises
    `PrivateFileError`, before anything is sent, if the file cannot be written; and the exceptions of `drive`.
    """
    recorder = Recorder(flow)
    write_recording(path, recorder)
    try:
        with closing(drive(recorder, transport, start=start)) as outputs:
            for output in outputs:
                if not isinstance(output, TextDelta):
                    write_recording(path, recorder)
                yield output
    finally:
        write_recording(path, recorder)


async def adrive_recorded(
    flow: Flow, transport: AsyncTransport, path: RecordPath, *, start: Start | None = None
) -> AsyncGenerator[Output, None]:
    """Drive a flow with `adrive`, and record it in a file, however it ends.

    If the process is killed, the file holds everything up to the last output that was not a `TextDelta`. Raises
    `PrivateFileError`, before anything is sent, if the file cannot be written; and the exceptions of `adrive`.
    """
    recorder = Recorder(flow)
    await anyio.to_thread.run_sync(write_recording, path, recorder)
    try:
        async with aclosing(adrive(recorder, transport, start=start)) as outputs:
            async for output in outputs:
                if not isinstance(output, TextDelta):
                    await anyio.to_thread.run_sync(write_recording, path, recorder)
                yield output
    finally:
        # Shielded, so that the recording is written even if the caller is cancelled.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(write_recording, path, recorder)


def write_recording(path: RecordPath, recorder: Recorder) -> None:
    """Write everything recorded so far to a private file, atomically. Raises `PrivateFileError`."""
    replace_private(Path(path), "".join(f"{line}\n" for line in recorder.lines()).encode())


def read_recording(path: RecordPath) -> Recording:
    """Read a recording. Raises `RecordingError` if the file cannot be read, or is not a complete recording."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise RecordingError(f"cannot read {os.fspath(path)}: {error.strerror}") from None
    try:
        return parse_recording(content.decode())
    except UnicodeDecodeError:
        raise RecordingError(f"{os.fspath(path)} is not a recording of modelwire: it is not UTF-8") from None


def at_pace(
    played: Iterable[tuple[float, T]], clock: Clock, sleep: Callable[[float], object] = time.sleep
) -> Iterator[T]:
    """Yield each item at its time (seconds since the first call of `next`). `sleep` takes seconds."""
    began = clock.now()
    for at, item in played:
        pause = began + at - clock.now()
        if pause > 0:
            sleep(pause)
        yield item
