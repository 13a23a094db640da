"""What a long answer costs from end to end: modelwire's five providers beside g4f's originals, on the same emulators.

CPU time of the client alone for one answer (ARTA: one job), from connecting and logging in on. Coalesced: the answer is
there at once; raw text is 64,000 characters in 8,000 HTTP chunks, which is as much as a large model says; where each
event holds the answer so far, it is 16,000, each event in a chunk. Crumbled: a quarter of that, in chunks of 7 bytes,
as the emulators do by default. Written: a quarter of it, a piece at a time, a millisecond apart.

    python benchmarks/providers.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

from machine import CLIENT_CORE, SERVER_CORE
from peers import peer_python
from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import Costs, interleave
from workers import Worker

ORIGINAL, THEIR_CLIENT = "g4f's original", "g4f's client over it"
THEIRS = (ORIGINAL, THEIR_CLIENT)
CLIENTS = {
    ORIGINAL: "provider_g4f",
    THEIR_CLIENT: "provider_g4f_client",
    "modelwire, h11": "provider_h11",
    "modelwire, h11, asyncio": "provider_h11_asyncio",
    "modelwire, httpx": "provider_httpx",
    "modelwire, httpx, asyncio": "provider_httpx_asyncio",
}
# How many answers are measured at a time.
ANSWERS = {
    "coalesced": {"magickpen": 10, "fakegpt": 10, "hailuo": 10, "cromicle": 10, "arta": 10},
    "crumbled": {"magickpen": 10, "fakegpt": 2, "hailuo": 2, "cromicle": 10},
    "written": {"magickpen": 1, "fakegpt": 1, "hailuo": 1, "cromicle": 1},
}
GOALS = {
    "modelwire, h11": 5.0,
    "modelwire, h11, asyncio": 5.0,
    "modelwire, httpx": 2.0,
    "modelwire, httpx, asyncio": 2.0,
}

Measured = dict[str, dict[str, Costs]]


def main() -> None:
    """Measure, print, and write it down."""
    told = options(__doc__)
    parts: list[str] = []
    goals: list[Goal] = []
    plots: list[str] = []
    with ExitStack() as stack:
        servers = {mode: stack.enter_context(Worker("emulator_process.py", mode, core=SERVER_CORE)) for mode in ANSWERS}
        workers = {name: stack.enter_context(_worker(name, module)) for name, module in CLIENTS.items()}
        for mode, answers in ANSWERS.items():
            measured = {
                provider: interleave(
                    {
                        name: cost(worker, servers[mode].ready[provider], provider, count)
                        for name, worker in workers.items()
                    },
                    told.rounds,
                )
                for provider, count in answers.items()
            }
            parts += [f"{mode.capitalize()}:", medians_table(measured)]
            goals += reach(mode, measured)
            plots.append(plot_of(mode, measured))
    publish("providers", [*parts, goals_table(goals)], told, plots[0])


def _worker(name: str, module: str) -> Worker:
    python = peer_python() if name in THEIRS else sys.executable
    return Worker("client.py", module, core=CLIENT_CORE, python=python)


def cost(worker: Worker, url: str, provider: str, answers: int) -> Callable[[], float]:
    """Milliseconds of CPU time an answer."""

    def measure() -> float:
        record = worker.ask(what="cpu", url=url, model=provider, streams=answers)
        if record["texts"] < answers:
            raise RuntimeError(f"{provider} gave {record['texts']} pieces of {answers} answers")
        return float(record["cpu"]) / answers * 1e3

    return measure


def medians_table(measured: Measured) -> str:
    """One row a client."""
    rows = [[name, *(found[name].median for found in measured.values())] for name in CLIENTS]
    return table(["ms of CPU an answer", *measured], rows)


def plot_of(mode: str, measured: Measured) -> str:
    """One group of bars for each provider and client."""
    groups = {f"{name}: {key}": {"": found[name].median} for key, found in measured.items() for name in CLIENTS}
    return bars(f"CPU time of a long answer, {mode}", "milliseconds", groups)


def reach(mode: str, measured: Measured) -> list[Goal]:
    """What is to be reached: how many times less than the original, by the library underneath."""
    return [
        Goal(f"{mode}, {provider}: {ORIGINAL} over {name}", found[ORIGINAL].over(found[name]), least, is_least=True)
        for provider, found in measured.items()
        for name, least in GOALS.items()
    ]


if __name__ == "__main__":
    main()
