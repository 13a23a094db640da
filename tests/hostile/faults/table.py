"""All scenarios, and the transports that they are played over."""

from __future__ import annotations

from dataclasses import replace

from transport_variants import STYLES
from transports_under_test import Carrier

from . import (
    addresses,
    bodies,
    breaks,
    codings,
    cookies,
    endless,
    framing,
    jobs,
    kept,
    redirects,
    refusals,
    slow_servers,
)
from .scenario import Scenario

GROUPS: dict[str, list[Scenario]] = {
    "time": slow_servers.SCENARIOS,
    "breaks": breaks.SCENARIOS,
    "framing": framing.SCENARIOS,
    "kept connections": kept.SCENARIOS,
    "refusals": refusals.SCENARIOS,
    "redirects": redirects.SCENARIOS,
    "bodies": bodies.SCENARIOS,
    "codings": codings.SCENARIOS,
    "endless": endless.SCENARIOS,
    "cookies": cookies.SCENARIOS,
    "jobs": jobs.SCENARIOS,
    "addresses": addresses.SCENARIOS,
}
# Where much is sent.
BULKY = frozenset({"codings", "endless"})
SCENARIOS = [replace(scenario, group=group) for group, scenarios in GROUPS.items() for scenario in scenarios]
CARRIERS = [Carrier(name, style) for name in ("h11", "httpx", "httpx2") for style in STYLES]
