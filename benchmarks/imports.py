"""The cost of `import modelwire`, and of `import modelwire_io` with a `Client`, beside `import openai`.

Each runs in a new interpreter, whose own start does not count: CPU time and elapsed time.

    python benchmarks/imports.py
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import CLIENT_CORE, pin
from peers import peer_python
from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import Costs, interleave

CORE, CLIENT, OPENAI = "import modelwire", "import modelwire_io, Client()", "import openai"
STATEMENTS = {
    CORE: "import modelwire",
    CLIENT: "import modelwire_io; modelwire_io.Client()",
    "the same over h11": "import modelwire_io; from modelwire_io.transports import H11Transport;"
    " modelwire_io.Client(transport=H11Transport())",
    OPENAI: "import openai",
    "import anthropic": "import anthropic",
    "import httpx": "import httpx",
    "import aiohttp": "import aiohttp",
}
_SCRIPT = (
    "import time; cpu, clock = time.process_time(), time.perf_counter(); {};"
    " print(time.process_time() - cpu, time.perf_counter() - clock)"
)


def main() -> None:
    chosen = options(__doc__)
    pin(CLIENT_CORE)
    walls: dict[str, list[float]] = {}
    cpu = interleave({name: cost(name, walls.setdefault(name, [])) for name in STATEMENTS}, chosen.rounds)
    wall = {name: Costs(each[1:]) for name, each in walls.items()}
    plot = bars("CPU time of an import", "milliseconds", {name: {"": cpu[name].median} for name in STATEMENTS})
    rows = [[name, cpu[name].median, wall[name].median, cpu[name].over(cpu[OPENAI])] for name in STATEMENTS]
    goals = [
        Goal(f"{name} over import openai, {what}", found[name].over(found[OPENAI]), limit)
        for name, limit in ((CORE, 0.1), (CLIENT, 0.25))
        for what, found in (("CPU", cpu), ("elapsed", wall))
    ]
    parts = [
        table(["", "ms of CPU", "ms elapsed", "CPU over openai's"], rows),
        goals_table(goals),
    ]
    publish("imports", parts, chosen, plot)


def cost(name: str, walls: list[float]) -> Callable[[], float]:
    """A measurement: milliseconds of CPU time. Adds the elapsed milliseconds to `walls`."""
    is_ours = "modelwire" in STATEMENTS[name]
    python: str | Path = sys.executable if is_ours else peer_python()
    command = [str(python), "-c", _SCRIPT.format(STATEMENTS[name])]

    def measure() -> float:
        # Some libraries write into the working directory.
        with TemporaryDirectory() as folder:
            printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
        cpu, wall = (float(seconds) * 1e3 for seconds in printed.split())
        walls.append(wall)
        return cpu

    return measure


if __name__ == "__main__":
    main()
