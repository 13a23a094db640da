"""Processes that share one rotating token: each has to refresh it in every round, and a refresh voids the old token.

Before each round the clock of every process moves forward by more than half of a token's life. Half of the processes
are blocking, the others on asyncio and on trio. A round begins when all have ended the one before. In full:
`python tests/hostile/token_rotation.py --rounds 100`.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import anyio

from modelwire.emulators.emulator import Behaviour
from modelwire.errors import FlowFailed
from modelwire_io import AsyncClient, Client
from modelwire_io.client.settings import Configuration
from modelwire_io.clock import SystemClock
from modelwire_io.emulation import EmulatorServer
from modelwire_io.store import FileStore
from modelwire_io.transports import AsyncH11Transport, H11Transport

PROCESSES = 8
STYLES: tuple[Literal["blocking", "asyncio", "trio"], ...] = ("blocking", "asyncio", "blocking", "trio")
TOKEN_LIFE = 3600.0
STEP = 0.75 * TOKEN_LIFE
SIGN_UP, REFRESH = "/identitytoolkit/v3/relyingparty/signupNewUser", "/v1/token"
SUBMIT, STATUS = "/api/v1/text2image", "status of a job"


class Figures(NamedTuple):
    """The result. `responses` counts requests by path and status; `reads` counts the reads of the file meanwhile."""

    responses: Counter[tuple[str, int]]
    failures: list[str]
    reads: int
    damage: list[str]
    left: list[str]
    seconds: float


class AheadClock(SystemClock):
    """A clock that is `ahead` seconds fast."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Watch(threading.Thread):
    """A thread that reads the file over and over, as another process might."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.reads = 0
        self.damage: list[str] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.001):
            if self.path.exists():
                self.reads += 1
                self._look()

    def _look(self) -> None:
        modes = stat.S_IMODE(self.path.stat().st_mode), stat.S_IMODE(self.path.parent.stat().st_mode)
        if modes != (0o600, 0o700):
            self.damage.append(f"modes {modes}")
        try:
            json.loads(self.path.read_bytes())
        except ValueError as error:
            self.damage.append(str(error))


def rotate(directory: Path, *, processes: int = PROCESSES, rounds: int) -> Figures:
    """Let these processes refresh the token in each of these rounds."""
    began = time.perf_counter()
    behaviour = Behaviour(pause=0.0, queue=0.0, work=0.0, token_life=TOKEN_LIFE)
    failures: list[str] = []
    with EmulatorServer(behaviour=behaviour) as server, ExitStack() as stack:
        workers: list[subprocess.Popen[bytes]] = []
        for number in range(processes):
            worker = stack.enter_context(_worker(STYLES[number % len(STYLES)], server.providers["arta"], directory))
            stack.callback(worker.kill)
            workers.append(worker)
        watch = Watch(FileStore(directory).path("arta"))
        watch.start()
        stack.callback(watch.join)
        stack.callback(watch.is_over.set)
        for number in range(rounds + 1):
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write(b"%d\n" % number)
                worker.stdin.flush()
            for worker in workers:
                assert worker.stdout is not None
                said = worker.stdout.readline().decode().strip()
                failures += [] if said == "done" else [said or "the process ended"]
        responses = Counter((_kind(record.target), record.status) for record in server.requests)
    left = sorted(path.name for path in directory.iterdir())
    return Figures(responses, failures, watch.reads, watch.damage, left, time.perf_counter() - began)


def _kind(target: str) -> str:
    path = target.partition("?")[0]
    return STATUS if path.endswith("/status") else path


def _worker(style: str, url: str, directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", __file__, "--worker", style, url, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def work(style: str, url: str, directory: Path) -> None:
    """One process: each line of stdin is the number of a round, and gets a line with the result of a job."""
    configuration: Configuration = {
        "base_url": {"arta": url},
        "store": FileStore(directory),
        "environment": {"ARTA_API_KEY": "a-key"},
    }
    clock = AheadClock()
    if style == "blocking":
        transport = H11Transport(environment={})
        transport.clock = clock
        with Client(transport=transport, **configuration) as client:
            for line in sys.stdin:
                clock.ahead = STEP * int(line)
                try:
                    for _ in client.image("arta", "a dragon"):
                        pass
                    print("done", flush=True)
                except FlowFailed as error:
                    print(repr(error), flush=True)
    else:
        anyio.run(_work_async, configuration, clock, backend=style)


async def _work_async(configuration: Configuration, clock: AheadClock) -> None:
    transport = AsyncH11Transport(environment={})
    transport.clock = clock
    async with AsyncClient(transport=transport, **configuration) as client:
        for line in sys.stdin:
            clock.ahead = STEP * int(line)
            try:
                async for _ in client.image("arta", "a dragon"):
                    pass
                print("done", flush=True)
            except FlowFailed as error:
                print(repr(error), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures. Returns 1 if anything is wrong."""
    parser = ArgumentParser(prog="python tests/hostile/token_rotation.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--worker", nargs=3, metavar=("STYLE", "URL", "DIRECTORY"))
    given = parser.parse_args(arguments)
    if given.worker:
        style, url, directory = given.worker
        work(style, url, Path(directory))
        return 0
    with TemporaryDirectory() as folder:
        figures = rotate(Path(folder) / "credentials", processes=given.processes, rounds=given.rounds)
    print(f"{given.processes} processes, {given.rounds} rounds, {figures.seconds:.1f} s")
    for (path, status), count in sorted(figures.responses.items()):
        print(f"{count:7} x {status} {path}")
    print(f"{len(figures.failures)} failed, {figures.reads} reads of the file, {len(figures.damage)} of them bad")
    print(*figures.left)
    print(*figures.failures[:5], *figures.damage[:5], sep="\n")
    return 1 if figures.failures or figures.damage else 0


if __name__ == "__main__":
    sys.exit(main())
