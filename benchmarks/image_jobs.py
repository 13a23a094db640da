"""The cost of an image job of six requests while many run concurrently, beside jobs by hand on other clients.

Sign up, submit, poll three times, and download the image. CPU time of the client alone.

    python benchmarks/image_jobs.py
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

OWN, AIOHTTP, HTTPX = "by hand, own reader", "by hand, aiohttp", "by hand, httpx"
H11_ASYNCIO, H11_TRIO, OVER_HTTPX = "modelwire, h11, asyncio", "modelwire, h11, trio", "modelwire, httpx, asyncio"
# Module of `clients/jobs` (and variant), and environment ("": modelwire's own).
CLIENTS = {
    OWN: ("jobs.by_hand_own_reader", ""),
    H11_ASYNCIO: ("jobs.modelwire_arta:h11 asyncio", ""),
    H11_TRIO: ("jobs.modelwire_arta:h11 trio", ""),
    OVER_HTTPX: ("jobs.modelwire_arta:httpx asyncio", ""),
    AIOHTTP: ("jobs.by_hand_aiohttp", "peers"),
    HTTPX: ("jobs.by_hand_httpx", "peers"),
}
# Jobs at a time, and the repetitions in one measurement.
SHAPES = {10: 10, 100: 2, 500: 1, 1_000: 1}
# Jobs at a time from which httpx is left out: the cost of its connection pool grows faster than the number of jobs.
TOO_MANY_FOR_HTTPX = 1_000


def main() -> None:
    chosen = options(__doc__)
    with ExitStack() as stack:
        server = stack.enter_context(ChildProcess("job_server.py", core=SERVER_CORE))
        clients = {}
        for name, (module, environment) in CLIENTS.items():
            python = peer_python(environment) if environment else sys.executable
            client = ChildProcess("client_process.py", module, core=CLIENT_CORE, python=python)
            clients[name] = stack.enter_context(client)
        measured = {
            jobs: interleave(
                {
                    name: cost(client, server.ready["url"], jobs, times)
                    for name, client in clients.items()
                    if jobs < TOO_MANY_FOR_HTTPX or name not in (HTTPX, OVER_HTTPX)
                },
                chosen.rounds,
            )
            for jobs, times in SHAPES.items()
        }
    medians = {
        name: {f"{jobs:,}": found[name].median for jobs, found in measured.items() if name in found} for name in CLIENTS
    }
    parts = [
        table(
            ["ms of CPU a job, jobs:", *(f"{jobs:,}" for jobs in SHAPES)],
            [[name, *(row.get(f"{jobs:,}", "") for jobs in SHAPES)] for name, row in medians.items()],
        ),
        goals_table(goals(measured)),
    ]
    publish("image_jobs", parts, chosen, bars("CPU time of an image job, by jobs at a time", "milliseconds", medians))


def cost(client: ChildProcess, url: str, jobs: int, times: int) -> Callable[[], float]:
    """A measurement: milliseconds of CPU time a job."""

    def measure() -> float:
        results = [client.ask(what="cpu", url=url, model="", streams=jobs) for _ in range(times)]
        if any(result["texts"] != jobs for result in results):
            raise RuntimeError("a job ended without an image")
        return sum(float(result["cpu"]) for result in results) / (jobs * times) * 1e3

    return measure


def goals(measured: dict[int, dict[str, Costs]]) -> list[Goal]:
    all_goals = []
    for name in (H11_ASYNCIO, H11_TRIO):
        at_500 = measured[500]
        all_goals.append(Goal(f"500 jobs: httpx over {name}", at_500[HTTPX].over(at_500[name]), 8, is_least=True))
        all_goals.append(Goal(f"{name}: 1,000 jobs over 10", measured[1_000][name].over(measured[10][name]), 1.25))
        all_goals += [Goal(f"{jobs:,} jobs: {name}", found[name].median, 1.5, "ms") for jobs, found in measured.items()]
    return all_goals


if __name__ == "__main__":
    main()
