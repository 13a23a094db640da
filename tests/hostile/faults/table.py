"""All scenarios, and the transports over which they are played."""

from __future__ import annotations

from dataclasses import replace

from transport_variants import STYLES, TransportVariant

from . import (
    addresses,
    bodies,
    breaks,
    codings,
    cookies,
    endless,
    framing,
    jobs,
    pooled_connections,
    redirects,
    refusals,
    slow_servers,
)
from .scenario import Scenario

GROUPS: dict[str, list[Scenario]] = {
    "time": slow_servers.SCENARIOS,
    "breaks": breaks.SCENARIOS,
    "framing": framing.SCENARIOS,
    "pooled connections": pooled_connections.SCENARIOS,
    "refusals": refusals.SCENARIOS,
    "redirects": redirects.SCENARIOS,
    "bodies": bodies.SCENARIOS,
    "codings": codings.SCENARIOS,
    "endless": endless.SCENARIOS,
    "cookies": cookies.SCENARIOS,
    "jobs": jobs.SCENARIOS,
    "addresses": addresses.SCENARIOS,
}
# Groups that send much data.
BULKY = frozenset({"codings", "endless"})
SCENARIOS = [replace(scenario, group=group) for group, scenarios in GROUPS.items() for scenario in scenarios]
VARIANTS = [TransportVariant(name, style) for name in ("h11", "httpx", "httpx2") for style in STYLES]
