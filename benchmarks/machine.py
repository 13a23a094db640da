"""The machine that it is measured on."""

from __future__ import annotations

import os
import platform
import resource

# Clients are measured on one core, servers work on another. One core has to do for both where there is no other.
CLIENT_CORE = 0
SERVER_CORE = 1


def pin(core: int) -> None:
    """Keep this process on one core, where the system allows that."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[core % len(allowed)]})


def allow_many_sockets() -> None:
    """As many open files as the system grants."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def resident_bytes() -> int:
    """The memory of this process that is really there. Linux alone tells."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def description() -> str:
    """What matters of the machine, and no more."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}, "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
