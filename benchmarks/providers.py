"""The cost of a long answer from end to end: modelwire's five providers beside g4f's originals, on the same emulators.

CPU time of the client alone for one answer (ARTA: one job), connecting and logging in included.

coalesced      the answer is sent at once: raw text of 64,000 characters, about the longest answer of a large model, in
               8,000 HTTP chunks; or 16,000 characters if each event repeats the answer so far, each event in a chunk
small chunks   a quarter of that, in chunks of 7 bytes, the emulators' default
paced          a quarter of it, a piece every millisecond

    python benchmarks/providers.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

from child_processes import ChildProcess
from machine import CLIENT_CORE, SERVER_CORE
from peers import peer_python
from plot import bars
from report import Goal, goals_table, options, publish, table
from rounds import Costs, interleave

ORIGINAL, THEIR_CLIENT = "g4f's original", "g4f's client over it"
THEIRS = (ORIGINAL, THEIR_CLIENT)
# Module of `clients/providers`, and variant.
CLIENTS = {
    ORIGINAL: "providers.g4f_providers",
    THEIR_CLIENT: "providers.g4f_client",
    "modelwire, h11": "providers.modelwire_clients:h11",
    "modelwire, h11, asyncio": "providers.modelwire_clients:h11 asyncio",
    "modelwire, httpx": "providers.modelwire_clients:httpx",
    "modelwire, httpx, asyncio": "providers.modelwire_clients:httpx asyncio",
}
# Answers in one measurement.
ANSWERS = {
    "coalesced": {"magickpen": 10, "fakegpt": 10, "hailuo": 10, "cromicle": 10, "arta": 10},
    "small chunks": {"magickpen": 10, "fakegpt": 2, "hailuo": 2, "cromicle": 10},
    "paced": {"magickpen": 1, "fakegpt": 1, "hailuo": 1, "cromicle": 1},
}
# The least ratio of the original's cost to modelwire's, by transport.
GOALS = {
    "modelwire, h11": 5.0,
    "modelwire, h11, asyncio": 5.0,
    "modelwire, httpx": 2.0,
    "modelwire, httpx, asyncio": 2.0,
}

Measured = dict[str, dict[str, Costs]]


def main() -> None:
    chosen = options(__doc__)
    parts: list[str] = []
    goals: list[Goal] = []
    plots: list[str] = []
    with ExitStack() as stack:
        servers = {
            mode: stack.enter_context(ChildProcess("emulator_process.py", mode, core=SERVER_CORE)) for mode in ANSWERS
        }
        clients = {name: stack.enter_context(_start(name, module)) for name, module in CLIENTS.items()}
        for mode, answers in ANSWERS.items():
            measured = {
                provider: interleave(
                    {
                        name: cost(client, servers[mode].ready[provider], provider, count)
                        for name, client in clients.items()
                    },
                    chosen.rounds,
                )
                for provider, count in answers.items()
            }
            parts += [f"{mode.capitalize()}:", medians_table(measured)]
            goals += goals_of(mode, measured)
            plots.append(plot_of(mode, measured))
    publish("providers", [*parts, goals_table(goals)], chosen, plots[0])


def _start(name: str, module: str) -> ChildProcess:
    python = peer_python() if name in THEIRS else sys.executable
    return ChildProcess("client_process.py", module, core=CLIENT_CORE, python=python)


def cost(client: ChildProcess, url: str, provider: str, answers: int) -> Callable[[], float]:
    """A measurement: milliseconds of CPU time an answer."""

    def measure() -> float:
        result = client.ask(what="cpu", url=url, model=provider, streams=answers)
        if result["texts"] < answers:
            raise RuntimeError(f"{provider}: {result['texts']} pieces of text, fewer than the {answers} answers")
        return float(result["cpu"]) / answers * 1e3

    return measure


def medians_table(measured: Measured) -> str:
    """A table with one row for each client and one column for each provider."""
    rows = [[name, *(found[name].median for found in measured.values())] for name in CLIENTS]
    return table(["ms of CPU an answer", *measured], rows)


def plot_of(mode: str, measured: Measured) -> str:
    """A bar for each provider and client."""
    groups = {f"{name}: {key}": {"": found[name].median} for key, found in measured.items() for name in CLIENTS}
    return bars(f"CPU time of a long answer, {mode}", "milliseconds", groups)


def goals_of(mode: str, measured: Measured) -> list[Goal]:
    """One goal for each provider and transport."""
    return [
        Goal(f"{mode}, {provider}: {ORIGINAL} over {name}", found[ORIGINAL].over(found[name]), least, is_least=True)
        for provider, found in measured.items()
        for name, least in GOALS.items()
    ]


if __name__ == "__main__":
    main()
