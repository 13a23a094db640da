"""The machine that runs the benchmarks: its cores, limits and memory."""

from __future__ import annotations

import os
import platform
import resource

# Clients are measured on one core while servers use another. On a machine with one core they share it.
CLIENT_CORE = 0
SERVER_CORE = 1


def pin(core: int) -> None:
    """Run this process on one core only, if the system allows that."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[core % len(allowed)]})


def allow_many_sockets() -> None:
    """Raise the limit of open files to the most that the system grants."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def resident_bytes() -> int:
    """Resident memory of this process, in bytes. Linux only."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def description() -> str:
    """Interpreter, system and cores, for the foot of a table."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}, "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
