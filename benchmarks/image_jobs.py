"""What an image job of six requests costs when many run at the same time, beside the same by hand on other clients.

Sign up, submit, ask three times how far it is, and get the image. CPU time of the client alone.

    python benchmarks/image_jobs.py
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

OWN, AIOHTTP, HTTPX = "by hand, own reader", "by hand, aiohttp", "by hand, httpx"
H11_ASYNCIO, H11_TRIO, OVER_HTTPX = "modelwire, h11, asyncio", "modelwire, h11, trio", "modelwire, httpx, asyncio"
CLIENTS = {
    OWN: ("jobs_own_reader", ""),
    H11_ASYNCIO: ("jobs_h11_asyncio", ""),
    H11_TRIO: ("jobs_h11_trio", ""),
    OVER_HTTPX: ("jobs_httpx_asyncio", ""),
    AIOHTTP: ("jobs_aiohttp", "peers"),
    HTTPX: ("jobs_httpx", "peers"),
}
# Jobs at a time, and how many times these are done for one measurement.
SHAPES = {10: 10, 100: 2, 500: 1, 1_000: 1}
# Where httpx is left out: its pool takes longer and longer.
TOO_MANY = 1_000


def main() -> None:
    """Measure, print, and write it down."""
    told = options(__doc__)
    with ExitStack() as stack:
        server = stack.enter_context(Worker("job_server.py", core=SERVER_CORE))
        workers = {}
        for name, (module, environment) in CLIENTS.items():
            python = peer_python(environment) if environment else sys.executable
            workers[name] = stack.enter_context(Worker("client.py", module, core=CLIENT_CORE, python=python))
        measured = {
            jobs: interleave(
                {
                    name: cost(worker, server.ready["url"], jobs, times)
                    for name, worker in workers.items()
                    if jobs < TOO_MANY or name not in (HTTPX, OVER_HTTPX)
                },
                told.rounds,
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
    publish("image_jobs", parts, told, bars("CPU time of an image job, by jobs at a time", "milliseconds", medians))


def cost(worker: Worker, url: str, jobs: int, times: int) -> Callable[[], float]:
    """Milliseconds of CPU time a job."""

    def measure() -> float:
        records = [worker.ask(what="cpu", url=url, model="", streams=jobs) for _ in range(times)]
        if any(record["texts"] != jobs for record in records):
            raise RuntimeError("not every job has its image")
        return sum(float(record["cpu"]) for record in records) / (jobs * times) * 1e3

    return measure


def goals(measured: dict[int, dict[str, Costs]]) -> list[Goal]:
    """What is to be reached."""
    reach = []
    for name in (H11_ASYNCIO, H11_TRIO):
        half = measured[500]
        reach.append(Goal(f"500 jobs: httpx over {name}", half[HTTPX].over(half[name]), 8, is_least=True))
        reach.append(Goal(f"{name}: 1,000 jobs over 10", measured[1_000][name].over(measured[10][name]), 1.25))
        reach += [Goal(f"{jobs:,} jobs: {name}", found[name].median, 1.5, "ms") for jobs, found in measured.items()]
    return reach


if __name__ == "__main__":
    main()
